"""The timer that keeps the store within its limits while the app runs."""

import threading

from models.errors import PlaygroundError
from models.pruning import Pruned
from models.runtime.tidying import Tidying
from models.settings import Settings
from tests.models.runtime.world import until
from tests.models.test_pruning import DAY, has_logits, hexed, written
from tests.stored import age, ids

NOW = 4e9  # files are stamped by the real clock: this one is after them


def test_one_look_thins_and_prunes_by_the_settings(store):
    for number in range(5):
        store.save_run(written(number, at=NOW - 10 * DAY + number))
    store.save_run(written(8, at=NOW - 40 * DAY))
    age(store, 50 * DAY)
    settings = Settings(data_dir=store.data_dir, keep_logits=2, keep_days=30, keep_bytes=0)
    gone = Tidying(store, settings, lambda: [hexed(0)], clock=lambda: NOW).once()
    assert gone.runs == 1
    assert sorted(ids(store.runs())) == [hexed(number) for number in range(5)]
    assert [number for number in range(5) if has_logits(store, hexed(number))] == [0, 3, 4]


def test_the_clock_says_what_is_old(store):
    store.save_run(written(1, at=NOW))
    age(store, 50 * DAY)
    now = [NOW + 29 * DAY]
    tidying = Tidying(store, Settings(data_dir=store.data_dir, keep_days=30), clock=lambda: now[0])
    assert tidying.once() == Pruned()
    now[0] += 2 * DAY
    assert tidying.once().runs == 1


def test_it_looks_again_and_again_until_it_is_closed_whatever_goes_wrong(store, caplog):
    looks, gate = [], threading.Event()

    def open_now():
        looks.append(1)
        if len(looks) == 1:
            raise PlaygroundError("The run index is in use.")
        if len(looks) == 2:
            raise ZeroDivisionError
        gate.set()
        return ()

    tidying = Tidying(store, Settings(data_dir=store.data_dir, prune_every_s=0.01), open_now)
    tidying.start()
    assert gate.wait(10)
    tidying.close()
    until(lambda: not tidying._thread.is_alive())
    assert "The run index is in use." in caplog.text
    assert "ZeroDivisionError" in caplog.text
