"""How long the app waits for a worker, and when it ends one: to the second, by a scripted worker."""

import pytest

from models.errors import ModelRefused, PlaygroundError, WorkerDied
from models.events import RESTING, Final, Preview, Progress
from models.runtime import drive, worker_client
from models.runtime.engine import StopSignal
from models.runtime.worker_client import CALL_TIMEOUT_S, LONGEST_PAUSE_S, WorkerEngine
from models.runtime.worker_process import TICK_S
from models.settings import Settings
from models.types import Output, Request
from tests.models.runtime.scripted import Clock, Line, ScriptedWorker, plain

GRACE_S = 5.0
START, HALF = Progress("start"), Preview((Output("text", 0, "half"),))
LOAD = Progress("load", 0, 9)
DONE = Final((Output("text", 0, "whole"),), {"stopped": False})


def step(number):
    return Progress("generate", number, 100)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(100.0)
    for module in (worker_client, drive):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def worker(clock, monkeypatch):
    """Return the class whose newest instance is the worker."""
    monkeypatch.setattr(ScriptedWorker, "scripts", [])
    monkeypatch.setattr(ScriptedWorker, "made", [])
    monkeypatch.setattr(ScriptedWorker, "clock", clock)
    monkeypatch.setattr(worker_client, "WorkerProcess", ScriptedWorker)
    monkeypatch.setattr(WorkerEngine, "_watch", lambda self: None)
    return ScriptedWorker


@pytest.fixture
def engine(tmp_path, worker):
    engine = WorkerEngine(Settings(data_dir=tmp_path, stop_grace_s=GRACE_S))
    yield engine
    engine.close()


def play(engine, *lines, stop=None, model="text/a"):
    ScriptedWorker.scripts.append(list(lines))
    return list(engine.generate(Request(model=model), stop))


@pytest.fixture
def killed_after(engine, clock, monkeypatch):
    """Return what plays a worker that is deaf to Stop, and returns how long after Stop it was killed."""
    monkeypatch.setattr(ScriptedWorker, "heeds", False)
    return lambda *lines, pressed_after_s: _killed_after(engine, clock, *lines, pressed_after_s=pressed_after_s)


def _killed_after(engine, clock, *lines, pressed_after_s):
    stop, pressed = StopSignal(), []

    def press():
        pressed.append(clock.now)
        stop.request()

    with pytest.raises(WorkerDied) as caught:
        play(engine, *lines, Line(pressed_after_s, press), Line(1e6, "end"), stop=stop)
    assert caught.value.details["reason"] == "unresponsive"
    return ScriptedWorker.made[0].killed_at - pressed[0]


def test_long_steps_hear_stop_at_their_end_and_the_worker_lives(engine, clock):
    stop = StopSignal()
    lines = [Line(0.0, START), Line(20.0, step(1)), Line(20.0, step(2)), Line(1.0, stop.request), Line(59.0, step(3))]
    events = play(engine, *lines, Line(20.0, step(4)), stop=stop)
    assert events[-1].stats == {"stopped": True}
    assert clock.now == pytest.approx(200.0, abs=TICK_S)  # the step under way was finished: 60 s after the one before
    assert ScriptedWorker.made[0].ops() == ["generate", "stop"]
    assert ScriptedWorker.made[0].killed_for == ""


@pytest.mark.parametrize(("step_s", "limit_s"), [(0.5, GRACE_S), (GRACE_S / 3, GRACE_S), (4.0, 12.0), (20.0, 60.0)])
def test_a_deaf_worker_is_killed_after_the_grace_or_three_of_its_slowest_steps(killed_after, step_s, limit_s):
    lines = [Line(0.0, START), Line(step_s, step(1)), Line(step_s / 2, step(2)), Line(step_s / 4, HALF)]
    assert killed_after(*lines, pressed_after_s=0.2) == pytest.approx(limit_s, abs=3 * TICK_S)


def test_the_load_is_no_step_and_neither_is_the_rest_nor_the_wait_before_the_start(killed_after):
    lines = [Line(100.0, START), Line(0.1, LOAD), Line(100.0, step(1)), Line(1.0, step(2)),
             Line(1.0, Progress(RESTING, 2, 100)), Line(100.0, step(3)), Line(1.0, step(4))]  # fmt: skip
    assert killed_after(*lines, pressed_after_s=0.5) == pytest.approx(GRACE_S, abs=3 * TICK_S)


def test_a_load_is_cut_at_once_by_the_second_press_and_never_by_the_first(engine, clock, monkeypatch):
    stop, pressed = StopSignal(), []

    def press():
        pressed.append(clock.now)
        stop.request()

    monkeypatch.setattr(ScriptedWorker, "heeds", False)
    lines = [Line(0.0, START), Line(0.0, LOAD), Line(1.0, press), Line(500.0, press), Line(500.0, "end")]
    with pytest.raises(WorkerDied, match="did not stop when asked"):
        play(engine, *lines, stop=stop)
    assert pressed == pytest.approx([101.0, 601.0])
    assert ScriptedWorker.made[0].killed_at - pressed[1] <= 2 * TICK_S
    assert ScriptedWorker.made[0].ops() == ["generate", "stop"]  # asked once, however often it is pressed


@pytest.mark.parametrize("busy", [Progress(RESTING, 1, 9), LOAD], ids=["a rest", "a load"])
def test_in_a_rest_or_a_load_the_grace_begins_when_the_run_goes_on(engine, clock, monkeypatch, busy):
    stop, went_on = StopSignal(), 100.0 + 1.0 + 1.0 + 400.0
    monkeypatch.setattr(ScriptedWorker, "heeds", False)
    lines = [Line(0.0, START), Line(1.0, busy), Line(1.0, stop.request), Line(400.0, step(2)), Line(1e6, "end")]
    with pytest.raises(WorkerDied):
        play(engine, *lines, stop=stop)
    assert ScriptedWorker.made[0].killed_at - went_on == pytest.approx(GRACE_S, abs=3 * TICK_S)


def test_who_heard_of_stop_and_decodes_what_there_is_gets_the_grace_once_more(engine, clock, monkeypatch):
    stop, began = StopSignal(), 100.0 + 1.0 + 1.0 + 4.0
    monkeypatch.setattr(ScriptedWorker, "heeds", False)
    decode = [Line(4.0, Progress("decode", take, 9)) for take in range(4)]
    lines = [Line(0.0, START), Line(1.0, step(1)), Line(1.0, stop.request), *decode, Line(1e6, "end")]
    with pytest.raises(WorkerDied):
        play(engine, *lines, stop=stop)
    # five seconds between the last step and the first decoding: three times that is more than the grace
    assert ScriptedWorker.made[0].killed_at - began == pytest.approx(15.0, abs=3 * TICK_S)


def test_a_run_that_the_worker_has_not_begun_is_stopped_at_once_and_nothing_is_killed(engine, clock):
    stop = StopSignal()
    events = play(engine, Line(30.0, stop.request), Line(600.0, START), Line(0.0, "end"), stop=stop)
    assert [event.kind for event in events] == ["progress", "final"]
    assert (events[0].stage, events[1].stats) == ("warm-up", {"stopped": True, "seconds": 0.0})
    assert clock.now == pytest.approx(130.0, abs=2 * TICK_S)
    assert ScriptedWorker.made[0].killed_for == ""
    assert ScriptedWorker.made[0].pending == {}


def test_skip_is_passed_on_once_for_each_press_to_the_run_under_way(engine):
    stop = StopSignal(asker="ann")
    stop.ahead = True
    lines = [Line(0.0, START), Line(1.0, stop.skip), Line(1.0, step(1)), Line(1.0, stop.skip), Line(1.0, DONE)]
    play(engine, *lines, Line(0.0, "end"), stop=stop)
    worker = ScriptedWorker.made[0]
    assert worker.ops() == ["generate", "skip", "skip"]
    assert len({message["id"] for _, message in worker.told}) == 1
    asked = worker.told[0][1]
    assert (asked["asker"], asked["ahead"], asked["request"]["model"]) == ("ann", True, "text/a")


def test_a_caller_that_goes_away_stops_its_run_and_no_other(engine):
    ScriptedWorker.scripts.append([Line(0.0, START), Line(1.0, step(1)), Line(1.0, DONE), Line(0.0, "end")])
    events = engine.generate(Request(model="text/a"))
    next(events)
    events.close()
    worker = ScriptedWorker.made[0]
    assert worker.ops() == ["generate", "stop"]
    assert not worker.busy()
    play(engine, Line(0.0, START), Line(0.0, DONE), Line(0.0, "end"))
    assert worker.ops() == ["generate", "stop", "generate"]  # one that ended is not stopped


def test_stop_during_a_long_load_is_heard_after_it_and_the_worker_lives(engine, monkeypatch):
    stop = StopSignal()
    lines = [Line(0.0, START), Line(1.0, LOAD), Line(1.0, stop.request), Line(60.0, step(0)), Line(1.0, step(1))]
    ended = Final((), {"stopped": True})
    monkeypatch.setattr(ScriptedWorker, "heeds", False)  # not before the load's end
    assert play(engine, *lines, Line(1.0, ended), Line(0.0, "end"), stop=stop)[-1] == ended
    assert ScriptedWorker.made[0].killed_for == ""


@pytest.mark.parametrize(
    ("second_model", "refused"), [("text/a", ()), ("text/b", ("text/a",))], ids=["its own success", "another's"]
)
def test_die_succeed_die_refuses_only_where_the_success_was_another_model_s(engine, second_model, refused):
    for model, last in (("text/a", "die crashed"), (second_model, "end"), ("text/a", "die crashed")):
        lines = [Line(0.0, START), Line(1.0, DONE if last == "end" else HALF), Line(0.0, last)]
        if last == "end":
            play(engine, *lines, model=model)
            continue
        with pytest.raises(WorkerDied):
            play(engine, *lines, model=model)
    assert engine.state().refused == refused


def test_a_model_that_is_refused_is_not_sent_to_the_worker(engine):
    for _ in range(2):
        with pytest.raises(WorkerDied):
            play(engine, Line(0.0, START), Line(1.0, "die exited"))
    made = len(ScriptedWorker.made)
    with pytest.raises(ModelRefused, match="2 times in a row") as caught:
        list(engine.generate(Request(model="text/a")))
    assert caught.value.details == {"reason": "refused", "model": "text/a"}
    assert len(ScriptedWorker.made) == made
    engine.allow("text/b")
    assert engine.state().refused == ("text/a",)


def test_a_run_that_died_before_it_began_is_made_again_and_four_such_deaths_end_it(engine):
    ScriptedWorker.scripts += [[Line(1.0, "die crashed")]] * 3
    assert play(engine, *plain(START, DONE))[-1] == DONE
    assert [one.ops() for one in ScriptedWorker.made] == [["generate"]] * 4
    assert engine.state().refused == ()
    ScriptedWorker.scripts += [[Line(1.0, "die crashed")]] * 3
    with pytest.raises(WorkerDied, match="The worker process does not start. The worker process crashed") as caught:
        play(engine, Line(1.0, "die crashed"))
    assert caught.value.details["reason"] == "crashed"


def test_a_tool_is_waited_for_so_long_and_no_longer(engine, clock):
    with pytest.raises(PlaygroundError, match="did not answer in time"):
        engine.call("text/a", "count", {})
    assert clock.now - 100.0 == pytest.approx(CALL_TIMEOUT_S, abs=3 * TICK_S)
    assert not ScriptedWorker.made[0].busy()
    assert ScriptedWorker.made[0].ops() == ["call"]


class Answers(ScriptedWorker):
    """Answer calls by the class's list of (seconds, header)."""

    replies, heeds = [], False

    def ask(self, message):
        super().ask(message)
        if message["op"] in ("call", "unload"):
            after_s = 0.0
            for seconds, header in self.replies:
                after_s += seconds
                answer = header if header is None or callable(header) else (header, [])
                self.pending[message["id"]].put(answer, after_s)


@pytest.fixture
def answering(worker, monkeypatch, tmp_path):
    monkeypatch.setattr(worker_client, "WorkerProcess", Answers)
    engine = WorkerEngine(Settings(data_dir=tmp_path))
    yield engine
    engine.close()


def test_a_long_tool_has_no_limit_here_and_hears_stop_once(answering, clock):
    stop = StopSignal()

    def press():
        stop.request()
        return {"op": "long"}, []  # said again

    Answers.replies = [(1.0, {"op": "long"}), (1000.0, press), (5.0, {"op": "reply", "data": {"tokens": 3}})]
    assert answering.call("text/a", "count", {"text": "x"}, stop) == {"tokens": 3}
    assert clock.now == pytest.approx(1106.0, abs=TICK_S)
    ops = ScriptedWorker.made[0].ops()
    assert ops == ["call", "stop"]


def test_a_short_tool_is_not_told_to_stop_and_its_error_is_told(answering):
    stop = StopSignal()
    stop.request()
    Answers.replies = [(1.0, {"op": "error", "error": PlaygroundError("No such text.").to_dict()})]
    with pytest.raises(PlaygroundError, match=r"^No such text\.$"):
        answering.call("text/a", "count", {}, stop)
    assert ScriptedWorker.made[0].ops() == ["call"]
    Answers.replies = [(1.0, None)]
    with pytest.raises(WorkerDied, match="ended before it answered"):
        answering.call("text/a", "count", {})


def test_the_pause_after_a_start_that_failed_doubles_up_to_its_limit(tmp_path, clock, worker, monkeypatch):
    def fails(*_):
        raise PlaygroundError("No memory.")

    monkeypatch.setattr(worker_client, "WorkerProcess", fails)
    engine = WorkerEngine(Settings(data_dir=tmp_path))
    pauses = [engine._pause_until - clock.now]
    assert engine.state().retry_at - clock.time() == pytest.approx(1.0)
    for _ in range(7):
        with pytest.raises(PlaygroundError, match="does not start. No memory."):
            list(engine.generate(Request(model="text/a")))
        pauses.append(engine._pause_until - clock.now)
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S])
    tried = len(pauses)
    monkeypatch.setattr(worker_client, "WorkerProcess", ScriptedWorker)
    with pytest.raises(PlaygroundError, match="does not start"):
        engine.call("text/a", "count", {})  # a page that only looks starts nothing in the pause
    clock.pass_s(LONGEST_PAUSE_S)
    engine._current()
    ready = {"phase": "ready", "since": 5.0, "loaded": [], "used_bytes": 0, "budget_bytes": 9}
    engine._on_state(ScriptedWorker.made[0], ready)
    assert (engine._starts_failed, engine.state().problem, engine.state().retry_at) == (0, "", 0.0)
    assert tried == 8
    engine.close()


def test_a_warm_up_is_told_once_for_each_phase(engine):
    def says(phase):
        header = {"phase": phase, "since": 5.0, "loaded": [], "used_bytes": 0, "budget_bytes": 9}
        return lambda: engine._on_state(ScriptedWorker.made[0], header)

    lines = [Line(5.0, says("warming")), Line(5.0, says("ready")), Line(5.0, START), Line(1.0, DONE), Line(0.0, "end")]
    stages = [event.stage for event in play(engine, *lines) if event.kind == "progress"]
    assert stages == ["warm-up", "warm-up", "start"]


def test_a_run_ended_by_the_app_s_end_says_so_and_is_not_made_again(engine):
    ScriptedWorker.scripts.append([Line(0.0, START), Line(1.0, HALF), Line(1.0, engine.close), Line(1.0, "end")])
    with pytest.raises(WorkerDied, match="The playground was ended while it ran this. What it had made so far") as it:
        list(engine.generate(Request(model="text/a")))
    assert it.value.details["reason"] == "closed"
    assert engine.state().phase == "stopped"
    assert ScriptedWorker.scripts == []
    with pytest.raises(PlaygroundError, match="shutting down"):
        list(engine.generate(Request(model="text/a")))
