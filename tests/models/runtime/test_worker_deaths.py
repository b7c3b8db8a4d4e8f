"""What the app does when its worker dies or has no room: counted against the model or not, made again or not."""

import threading

import pytest

from models.errors import ModelRefused, NotEnoughMemory, WorkerDied
from models.events import Final, Preview, Progress
from models.runtime import worker_client, worker_process
from models.runtime.engine import StopSignal
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings
from models.types import Output, Request
from tests.models.runtime.scripted import Clock, Line, ScriptedWorker

DONE = Final((Output("text", 0, "whole"),), {"stopped": False, "notes": ["own"]})
NO_ROOM = {
    "midway": {"midway": True, "gain_bytes": worker_client.GAIN_BYTES},
    "hopeless": {"midway": True, "gain_bytes": worker_client.GAIN_BYTES - 1},
    "fresh": {"fresh": True},
    "refused": {},
}


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(100.0)
    monkeypatch.setattr(worker_client, "time", clock)
    monkeypatch.setattr(ScriptedWorker, "clock", clock)
    return clock


@pytest.fixture
def engine(tmp_path, monkeypatch, clock):
    monkeypatch.setattr(ScriptedWorker, "scripts", [])
    monkeypatch.setattr(ScriptedWorker, "made", [])
    monkeypatch.setattr(worker_client, "WorkerProcess", ScriptedWorker)
    monkeypatch.setattr(worker_client.WorkerEngine, "_watch", lambda self: None)
    engine = WorkerEngine(Settings(data_dir=tmp_path))
    yield engine
    engine.close()


def lines(said):
    """Return the script of a run that ends as it is said: "ok", "die REASON", or for want of memory."""
    start = Line(0.0, Progress("start"))
    if said == "ok":
        return [start, Line(1.0, DONE), Line(0.0, "end")]
    if said.startswith("die "):
        return [start, Line(1.0, Preview((Output("text", 0, "half"),))), Line(1.0, said)]
    return [start, Line(1.0, NotEnoughMemory("No room.", **NO_ROOM[said]))]


def run(engine, *script, model="text/a", stop=None):
    ScriptedWorker.scripts[:] = map(lines, script)
    events = list(engine.generate(Request(model=model), stop))
    assert ScriptedWorker.scripts == []
    return events[-1]


def ran():
    """Return which workers were asked for a run, by their place."""
    return [place for place, one in enumerate(ScriptedWorker.made) for op in one.ops() if op == "generate"]


def test_a_run_that_was_lost_for_want_of_memory_is_made_again_in_a_fresh_worker_and_says_so(engine):
    final = run(engine, "die out_of_memory", "ok")
    assert ran() == [0, 1]
    assert final.stats["notes"] == ["own", worker_client._AGAIN]
    assert engine.state().last_death["details"]["reason"] == "out_of_memory"
    assert run(engine, "ok").stats["notes"] == ["own"]


def test_an_allocation_that_failed_midway_is_made_again_too(engine):
    final = run(engine, "midway", "ok")
    assert ran() == [0, 1]
    assert final.stats["notes"] == ["own", worker_client._AGAIN]


def test_it_is_made_again_once_alone(engine):
    with pytest.raises(WorkerDied, match="out of memory twice while it ran this, the second time with all other") as it:
        run(engine, "die out_of_memory", "die out_of_memory")
    assert it.value.details["reason"] == "out_of_memory"
    with pytest.raises(NotEnoughMemory, match="No room"):
        run(engine, "midway", "midway")
    with pytest.raises(NotEnoughMemory, match="No room"):
        run(engine, "hopeless")  # a fresh worker would have no more room


def test_memory_never_counts_against_a_model(engine):
    for _ in range(3):
        with pytest.raises(WorkerDied):
            run(engine, "die out_of_memory", "die out_of_memory")
    assert engine.state().refused == ()
    assert run(engine, "ok").kind == "final"
    with pytest.raises(WorkerDied):
        run(engine, "die crashed")
    with pytest.raises(WorkerDied):
        run(engine, "die out_of_memory", "die crashed")
    assert engine.state().refused == ("text/a",)  # two of its own in a row


def test_a_run_that_was_stopped_is_not_made_again(engine, monkeypatch):
    stop = StopSignal()
    monkeypatch.setattr(ScriptedWorker, "heeds", False)
    ScriptedWorker.scripts[:] = map(lines, ["die out_of_memory", "ok"])
    with pytest.raises(WorkerDied) as caught:
        for _ in engine.generate(Request(model="text/a"), stop):
            stop.request()
    assert caught.value.details["reason"] == "out_of_memory"
    assert ran() == [0]


def test_a_run_without_room_gets_a_fresh_worker_that_has_it_without_a_word(engine):
    final = run(engine, "fresh", "ok")
    assert ran() == [0, 1]
    assert final.stats["notes"] == ["own"]
    assert ScriptedWorker.made[0].killed_for == "replaced"
    assert engine.state().last_death is None
    with pytest.raises(NotEnoughMemory):
        run(engine, "fresh", "fresh")
    with pytest.raises(NotEnoughMemory):
        run(engine, "refused")


@pytest.mark.parametrize(("takes_s", "waits_s"), [(0.3, 0.3), (worker_client.EMPTY_WAIT_S - 1, None), (1e9, None)])
def test_a_fresh_worker_that_is_needed_waits_for_a_tool_that_answers_but_not_for_ever(engine, clock, takes_s, waits_s):
    first, began, died_at = ScriptedWorker.made[0], clock.now + 1.0, []  # the run finds no room after a second
    first.open_inbox("a tool")
    sleep, kill = clock.sleep, first.kill

    def answer(seconds):
        sleep(seconds)
        if clock.now - began >= takes_s - 1e-6:
            first.close_inbox("a tool")

    def killed(why):
        died_at.append(clock.now - began)
        kill(why)

    clock.sleep, first.kill = answer, killed
    run(engine, "fresh", "ok")
    longest = min(takes_s, worker_client.EMPTY_WAIT_S)
    assert died_at == [pytest.approx(waits_s or longest, abs=worker_process.TICK_S + 1e-6)]
    assert ran() == [0, 1]


@pytest.mark.parametrize("reason", ["crashed", "exited", "killed", "unresponsive"])
def test_two_deaths_in_a_row_refuse_and_a_success_between_them_does_not(engine, reason):
    def dies():
        with pytest.raises(WorkerDied) as caught:
            run(engine, f"die {reason}")
        assert not isinstance(caught.value, ModelRefused)

    dies()
    assert engine.state().refused == ()
    run(engine, "ok")
    dies()
    assert engine.state().refused == ()
    run(engine, "ok", model="text/b")  # another model's success is none of this one's
    dies()
    assert engine.state().refused == ("text/a",)
    with pytest.raises(ModelRefused, match="2 times in a row"):
        run(engine, "ok")
    ScriptedWorker.scripts.clear()
    engine.allow("text/a")
    dies()
    assert engine.state().refused == ()  # counted from the start again


def test_an_end_that_the_app_asked_for_counts_against_nobody(engine):
    for _ in range(3):
        with pytest.raises(WorkerDied):
            run(engine, "die closed")
    assert engine.state().refused == ()


def test_a_run_whose_worker_was_replaced_is_made_again_and_says_nothing(engine):
    for _ in range(3):
        assert run(engine, "die replaced", "ok").stats["notes"] == ["own"]
    assert engine.state().refused == ()
    assert len(ScriptedWorker.made) == 4


def test_a_late_word_of_an_old_worker_changes_nothing_of_the_new_one(engine):
    old = ScriptedWorker.made[0]
    with pytest.raises(WorkerDied):
        run(engine, "die crashed")
    engine._start()
    new = ScriptedWorker.made[1]
    header = {"phase": "ready", "since": 5.0, "loaded": [{"model": "text/b"}], "used_bytes": 3, "budget_bytes": 9}
    engine._on_state(new, header)
    before = engine.state()
    engine._on_state(old, None)
    engine._on_state(old, {**header, "phase": "warming", "used_bytes": 77})
    assert engine.state() == before
    assert (before.phase, before.used_bytes, before.pid) == ("ready", 3, 1001)


def test_a_death_while_the_next_worker_warms_up_was_no_death_of_a_warm_up(engine):
    old = ScriptedWorker.made[0]
    engine._on_state(old, {"phase": "ready", "since": 5.0, "loaded": [], "used_bytes": 0, "budget_bytes": 9})
    old.die("crashed")
    engine._start()
    assert engine.state().phase == "starting"
    assert not engine._death(old, "text/a", False).details["warming"]


def test_why_a_worker_died_is_settled_when_it_does(tmp_path, monkeypatch):
    kills = [0]
    monkeypatch.setattr(worker_process.memory, "oom_kills", lambda: kills[0])
    gone = threading.Event()
    monkeypatch.setattr(worker_process.sys, "executable", "/bin/sh")  # ends at once: "-m" is no script
    process = worker_process.WorkerProcess(
        Settings(data_dir=tmp_path), lambda worker, header: gone.set() if header is None else None
    )
    process.process.returncode = None
    assert gone.wait(20)
    first = process.reason()
    kills[0] += 1  # the kernel struck another worker
    process.process.returncode = -9
    assert process.reason() == first == "exited"
