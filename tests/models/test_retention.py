"""What goes next and when, and how it is said."""

import time

import pytest

from models import retention
from models.pruning import Pruned
from models.retention import Kept, Limits, Mine
from models.runtime.tidying import Tidying
from models.settings import Settings
from models.store import Store
from tests.stored import HOUR, age, files, ids, make_run

NOW = 1_800_000_000.0
DAY = 24 * HOUR


def kept(going=None, runs=3, size=1_900_000_000):
    return Kept(NOW, NOW + 60, runs, size, 1, going or {})


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(), "There is no limit: results stay until they are deleted."),
        (Limits(max_bytes=2_000_000_000), "At most 2 GB of results in all are kept. The oldest go first."),
        (
            Limits(10**9, 1000, owner_bytes=10**8),
            "1 GB of results in all, 100 MB for one person and 1,000 results in all",
        ),
        (Limits(max_age_s=DAY), "A result is kept for 1 day. The oldest go first. Results with a star stay."),
    ],
)
def test_the_limits_are_said(limits, said):
    assert said in retention.limit_words(limits)


@pytest.mark.parametrize(
    ("found", "mine", "limits", "said"),
    [
        (kept(), Mine(2, 0, (("a", NOW),)), Limits(), "Nothing goes by itself."),
        (kept(), Mine(2, 0, ()), Limits(2_000_000_000), "The oldest results go once 100 MB more are saved."),
        (kept(runs=7), Mine(2, 0, ()), Limits(max_runs=10), "The oldest results go once 3 results more are saved."),
        (kept({"ann": 2, "bob": 1}), Mine(2, 0, ()), Limits(1), "3 results go next, in about 60 s; 2 of them yours."),
        (kept({"bob": 1}), Mine(2, 0, ()), Limits(1), "1 result goes next, in about 60 s; 0 of them yours."),
        (None, Mine(2, 0, (("a", NOW - DAY), ("b", NOW))), Limits(max_age_s=3 * DAY),
         "2 results of yours go on 17 January 2027, 08:00 UTC for their age."),
        (None, Mine(1, 0, (("a", NOW - 9 * DAY),)), Limits(max_age_s=3 * DAY),
         "1 result of yours goes at the next look for its age."),
        (None, Mine(0, 0, ()), Limits(max_age_s=3 * DAY), "Nothing goes now."),
    ],
)  # fmt: skip
def test_what_goes_next_is_said(found, mine, limits, said):
    assert retention.words(retention.for_owner(found, "ann"), mine, limits, NOW)[2] == said


def test_no_other_owner_is_named():
    assert "bob" not in str(retention.for_owner(kept({"bob": 1}), "ann"))


def fill(store, count=4):
    for number in range(count):
        store.save_run(make_run(f"run-{number}", f"text {number}", created_at=NOW - DAY + number))
    age(store, 10 * DAY)


def test_a_look_tells_what_there_is_and_what_the_next_one_drops(store, tmp_path):
    fill(store)
    store.star("ann", ["run-0"])
    settings = Settings(data_dir=tmp_path, keep_bytes=0, keep_days=1, prune_every_s=2.5)
    Tidying(store, settings, clock=lambda: NOW - 1).once()
    assert (store.kept.runs, store.kept.starred, store.kept.going) == (4, 1, {"ann": 1})
    assert store.kept.bytes > 1000
    assert ids(store.runs()) == ["run-3", "run-2", "run-1", "run-0"]
    assert store.mine("ann") == Mine(4, 1, tuple((f"run-{n}", NOW - DAY + n) for n in (1, 2, 3)))
    assert store.mine("bob") == Mine(0, 0, ())


@pytest.mark.parametrize("limits", [{"keep_runs": 1}, {"keep_days": 0.1}, {"keep_bytes": 1}, {"keep_owner_bytes": 1}])
def test_a_run_with_a_star_stays_whatever_the_limit(store, tmp_path, limits):
    fill(store)
    store.star("ann", ["run-1"])
    Tidying(store, Settings(data_dir=tmp_path, **{"keep_bytes": 0, **limits}), clock=lambda: NOW + 9 * DAY).once()
    assert ids(store.runs(load=True)) == ["run-1"]


class TestSweep:
    def test_what_belongs_to_no_run_and_to_nobody_goes(self, store):
        fill(store, 1)
        given = store.take("ann", b"an upload")
        orphan = store.put_bytes(b"of a process that was killed")
        store.put_beside(orphan, "small", b"x")
        unfinished = store.path(given).with_name(".tmp-abc")
        unfinished.write_bytes(b"half")
        before = files(store)
        assert store.sweep() == Pruned()  # all of it is young
        age(store, 2 * HOUR)
        assert store.sweep().artifacts == 2
        store.sweep()  # what lay beside what went
        assert set(before) - set(files(store)) == {
            ".tmp-abc", store.path(orphan).name, f"{store.path(orphan).name}.small"}  # fmt: skip
        assert store.get_bytes(given) == b"an upload"

    def test_what_is_stored_again_meanwhile_stays(self, store, monkeypatch):
        ref = store.put_bytes(b"an upload")
        age(store, 2 * HOUR)
        whole = store._write

        def again():
            store.put_bytes(b"an upload")
            return whole()

        monkeypatch.setattr(store, "_write", again)
        assert store.sweep() == Pruned()
        assert store.get_bytes(ref) == b"an upload"

    def test_tidying_sweeps_at_once_and_then_now_and_then(self, store, tmp_path):
        now = [time.time() + 2 * HOUR]
        tidying = Tidying(store, Settings(data_dir=tmp_path), clock=lambda: now[0])
        for seconds, gone in ((0, 1), (60, 0), (600, 1)):
            now[0] += seconds
            store.put_bytes(b"an orphan")
            assert tidying.once().artifacts == gone

    def test_the_files_of_another_index_in_the_same_folder_stay(self, store, tmp_path):
        """Who names another database and then the one before must find the files of its runs."""
        fill(store)
        other = Store(f"sqlite:///{tmp_path}/other.sqlite", tmp_path)
        assert not other.alone
        other.save_run(make_run("its own", "its own text", created_at=1000.0))
        age(other, 10 * DAY)
        assert other.sweep() == Pruned()
        assert other.prune(max_bytes=0).runs == 1
        assert len(files(store)) == 4
        assert len(store.runs(load=True)) == 4
        other.close()
        again = Store(f"sqlite:///{tmp_path / 'runs.sqlite'}", tmp_path)
        assert not again.alone
        again.close()

    def test_an_index_that_moved_with_its_folder_is_alone(self, tmp_path):
        Store("", tmp_path / "here").close()
        (tmp_path / "here").rename(tmp_path / "there")
        store = Store("", tmp_path / "there")
        assert store.alone
        store.close()
