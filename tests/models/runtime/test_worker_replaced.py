"""When a worker is replaced by one of newer code, and when one is started again: look by look, by scripted workers."""

import pytest

from models.errors import PlaygroundError
from models.events import Final, Progress
from models.runtime import worker_client
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings
from models.types import Output, Request
from tests.models.runtime.scripted import Clock, Line, ScriptedWorker

DONE = Final((Output("text", 0, "whole"),), {"stopped": False})
WHOLE = [Line(0.0, Progress("start")), Line(1.0, DONE), Line(0.0, "end")]


class Looks:
    """Stand for the event that ends a watch: one look for each act, and then the end."""

    def __init__(self, *acts):
        self.acts = list(acts)

    def is_set(self):
        return False

    def set(self):
        self.acts = []

    def wait(self, seconds):
        assert seconds == 1.0
        if not self.acts:
            return True
        self.acts.pop(0)()
        return False


@pytest.fixture
def code(monkeypatch):
    """Return the list whose last word stands for the code on the disk."""
    words = ["old"]
    monkeypatch.setattr(worker_client, "fingerprint", lambda settings: words[-1])
    monkeypatch.setattr("models.runtime.worker_process.fingerprint", lambda settings: words[-1])
    return words


@pytest.fixture
def engine(tmp_path, monkeypatch, code):
    clock = Clock(100.0)
    monkeypatch.setattr(worker_client, "time", clock)
    monkeypatch.setattr(ScriptedWorker, "clock", clock)
    monkeypatch.setattr(ScriptedWorker, "scripts", [])
    monkeypatch.setattr(ScriptedWorker, "made", [])
    monkeypatch.setattr(worker_client, "WorkerProcess", ScriptedWorker)
    watch = WorkerEngine._watch
    monkeypatch.setattr(WorkerEngine, "_watch", lambda self: None)
    engine = WorkerEngine(Settings(data_dir=tmp_path))
    engine.clock = clock

    def look(*acts):
        closed, engine._closed = engine._closed, Looks(*acts)
        watch(engine)
        engine._closed = closed

    engine.look = look
    yield engine
    engine.close()


def ends():
    return [one.killed_for for one in ScriptedWorker.made]


def nothing():
    pass


def test_a_run_after_an_edit_runs_on_the_new_code_and_one_under_way_on_the_old(engine, code):
    ScriptedWorker.scripts += [WHOLE, WHOLE, WHOLE]
    events = engine.generate(Request(model="text/a"))
    next(events)
    code.append("new")
    list(engine.generate(Request(model="text/b")))  # the worker is busy: it is not replaced under a run
    assert ends() == [""]
    list(events)
    assert list(engine.generate(Request(model="text/a")))[-1] == DONE
    assert ends() == ["replaced", ""]
    assert [one.ops() for one in ScriptedWorker.made] == [["generate", "generate"], ["generate"]]
    assert engine.state().pid == 1001


def test_an_idle_worker_is_replaced_once_an_edit_is_over_and_no_sooner(engine, code):
    engine.look(nothing, nothing)
    assert ends() == [""]
    engine.look(nothing, lambda: code.append("half"), lambda: code.append("whole"))  # in the middle of a save
    assert ends() == [""]
    engine.look(nothing, nothing)
    assert ends() == ["replaced", ""]
    assert ScriptedWorker.made[1].fingerprint == "whole"


def test_a_busy_worker_is_replaced_when_it_is_idle_again(engine, code):
    worker = ScriptedWorker.made[0]
    worker.open_inbox("a tool")
    code.append("new")
    engine.look(nothing, nothing, nothing)
    assert ends() == [""]
    worker.close_inbox("a tool")
    engine.look(nothing, nothing)
    assert ends() == ["replaced", ""]


def test_a_worker_that_died_is_started_again_at_the_next_look(engine):
    ScriptedWorker.made[0].die("crashed")
    engine.look(nothing)
    assert len(ScriptedWorker.made) == 2
    engine.look(nothing, nothing)
    assert len(ScriptedWorker.made) == 2


def test_what_does_not_start_is_tried_again_after_its_pause_or_an_edit(engine, code, monkeypatch):
    tries = []

    def fails(*_):
        tries.append(engine.clock.now)
        raise PlaygroundError("No memory.")

    monkeypatch.setattr(worker_client, "WorkerProcess", fails)
    ScriptedWorker.made[0].die("crashed")
    engine.look(nothing)  # pauses for 1 s
    engine.look(nothing, lambda: engine.clock.pass_s(0.9))
    assert tries == [100.0]
    engine.look(lambda: engine.clock.pass_s(0.2))  # pauses for 2 s
    engine.look(nothing, nothing)
    assert tries == [100.0, pytest.approx(101.1)]
    code.append("new")
    engine.look(nothing, nothing)  # the edit may have mended it
    assert len(tries) == 3


def test_a_worker_that_ended_while_it_started_says_why_and_one_that_was_ready_does_not(engine):
    worker = ScriptedWorker.made[0]
    worker.die("out_of_memory")
    engine._on_state(worker, None)
    assert (engine.state().phase, engine.state().problem) == ("stopped", "It ended (out_of_memory).")
    engine.look(lambda: engine.clock.pass_s(1.0))
    second = ScriptedWorker.made[1]
    assert engine.state().phase == "starting"
    ready = {"phase": "ready", "since": 5.0, "loaded": [{"model": "text/a"}], "used_bytes": 4, "budget_bytes": 9}
    engine._on_state(second, ready)
    state = engine.state()
    assert (state.phase, state.problem, state.loaded, state.used_bytes) == ("ready", "", ({"model": "text/a"},), 4)
    second.die("crashed")
    engine._on_state(second, None)
    state = engine.state()
    assert (state.phase, state.problem, state.loaded, state.used_bytes, state.budget_bytes) == ("stopped", "", (), 0, 9)


def test_an_end_that_was_asked_for_while_it_started_is_no_failed_start(engine):
    worker = ScriptedWorker.made[0]
    worker.kill("replaced")
    engine._on_state(worker, None)
    assert (engine.state().phase, engine.state().problem, engine._starts_failed) == ("stopped", "", 0)
