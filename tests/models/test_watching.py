"""One thread that is always joined, news as it comes, and Stop that ends a computation at its next step."""

import threading
import time
from types import SimpleNamespace

import pytest

from models.watching import Interrupted, Watch, follow
from tests.fresh import run_fresh
from tests.models.tokens.test_streaming import step, watched


def generating():
    return [thread for thread in threading.enumerate() if thread.name == "generate"]


@pytest.mark.parametrize("end", ["stop", "cancel"])
def test_a_watch_ends_at_its_next_step_where_it_was_stopped_or_cancelled(end):
    pressed = threading.Event()
    watch = Watch(pressed.is_set)
    watch.check()
    assert not watch.ending()
    pressed.set() if end == "stop" else watch.cancel()
    assert watch.ending()
    with pytest.raises(Interrupted) as caught:
        watch.check()
    assert caught.value.reason == "stopped"


def test_watching_imports_no_torch():
    assert run_fresh("import json, sys, models.watching; print(json.dumps('torch' in sys.modules))") is False


def test_follow_yields_at_the_first_news_and_ends_with_the_run():
    watch = watched(1)
    seen = threading.Event()

    def run():
        step(watch, 0)
        assert seen.wait(10)  # the first news is passed on while the run goes on
        step(watch, 1)

    states = []
    for _ in follow(run, watch, interval_s=0.01):
        states.append(watch.rows[0].text)
        seen.set()
    assert states[0] == "a"
    assert watch.rows[0].text == "ab"
    assert not generating()


def test_follow_waits_between_news():
    watch = watched(1)

    def run():
        limit = time.monotonic() + 0.3
        while time.monotonic() < limit:
            step(watch, 0)
            time.sleep(0.001)

    yields = sum(1 for _ in follow(run, watch, interval_s=0.1))
    assert 1 <= yields <= 4
    assert watch.step > yields


def test_follow_does_not_wait_out_its_interval_when_the_run_ends(monkeypatch):
    watch = watched(1)
    seen, waits = threading.Event(), threading.Event()

    class Told(threading.Event):
        """Tell when somebody waits for it for a time."""

        def wait(self, timeout=None):
            if timeout is not None:
                waits.set()
            return super().wait(timeout)

    monkeypatch.setattr("models.watching.threading", SimpleNamespace(Event=Told, Thread=threading.Thread))

    def run():
        step(watch, 0)
        assert seen.wait(10)
        assert waits.wait(10)  # the reader waits for the next news

    started = time.monotonic()
    for _ in follow(run, watch, interval_s=60):
        seen.set()
    assert seen.is_set()
    assert time.monotonic() - started < 30


def test_follow_is_silent_without_news():
    watch = watched(1)
    seen = threading.Event()

    def run():
        step(watch, 0)
        assert seen.wait(10)
        assert waits.wait(10)  # the reader has waited out its interval, and there is no news

    waits, wait = threading.Event(), watch.changed.wait

    def told():
        if seen.is_set():
            waits.set()
        return wait()

    watch.changed.wait = told
    yields = 0
    for _ in follow(run, watch, interval_s=0.01):
        seen.set()
        yields += 1
    assert yields == 1


def test_a_run_without_news_yields_nothing():
    assert list(follow(lambda: None, watched())) == []


@pytest.mark.parametrize("error", [MemoryError("no room"), RuntimeError("odd"), SystemExit(3)])
def test_follow_raises_what_the_run_raised(error):
    watch = watched(1)

    def run():
        step(watch, 0)
        raise error

    with pytest.raises(type(error)) as caught:
        list(follow(run, watch))
    assert caught.value is error
    assert watch.rows[0].text == "a"
    assert not generating()


def test_closing_follow_cancels_the_run_and_waits_for_its_thread():
    watch = watched(1)
    ended = []

    def run():
        while not all(step(watch, 0)):
            time.sleep(0.005)
        ended.append(True)

    events = follow(run, watch, interval_s=0.01)
    next(events)
    assert generating()
    events.close()
    assert ended
    assert not generating()
    assert watch.rows[0].finish == "stopped"


def test_an_error_of_the_reader_ends_the_run_too():
    watch = watched(1)

    def run():
        while not all(step(watch, 0)):
            time.sleep(0.005)

    def read():
        for _ in follow(run, watch, interval_s=0.01):
            raise KeyError("reader")

    with pytest.raises(KeyError, match="reader"):
        read()
    assert not generating()
