"""The worker process from the app's side: it runs, stops, dies and comes back."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque

import psutil
import pytest

from models.errors import ModelRefused, NotEnoughMemory, PlaygroundError, UnknownModel, WorkerDied
from models.runtime.engine import StopSignal
from models.runtime.worker_client import WorkerEngine
from models.types import Request
from tests.odd import odd_settings

WARM_S = 60


def ask(prompt, model="text/odd", seed=0, **params):
    return Request(model=model, inputs={"prompt": prompt}, params=params, seed=seed)


def until(check, timeout_s=WARM_S):
    limit = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.02)


def final_of(engine, request, stop=None):
    events = list(engine.generate(request, stop))
    assert [event.kind for event in events].count("final") == 1
    assert events[-1].kind == "final"
    return events[-1]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    settings = odd_settings(
        tmp_path_factory.mktemp("worker"), ("odd", "other", "slow-load"), stop_grace_s=1.0, memory_bytes=300_000_000
    )
    engine = WorkerEngine(settings)
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def allowed(engine):
    for model in ("text/odd", "text/other"):
        engine.allow(model)


def test_a_run_pressed_during_warm_up_is_taken_and_runs(tmp_path):
    engine = WorkerEngine(odd_settings(tmp_path))
    try:
        assert engine.state().phase in ("starting", "warming")
        events = list(engine.generate(ask("hello", steps=3)))
        assert events[0].kind == "progress"
        assert events[0].stage == "warm-up"
        assert events[-1].outputs[0].text == "hello-0-0 hello-0-1 hello-0-2"
        assert events[-1].stats["first_output_s"] <= events[-1].stats["seconds"]
    finally:
        engine.close()
    assert engine.state().phase == "stopped"


def test_the_same_request_gives_the_same_artefact(engine):
    first, second = (final_of(engine, ask("same", steps=2)).outputs[0] for _ in range(2))
    assert first.data == second.data
    assert first.sha256 == second.sha256
    # a default left out and a default named are one request
    named = final_of(engine, ask("same", steps=2, step_s=0.02, megabytes=64)).outputs[0]
    assert named.sha256 == first.sha256


def test_stop_ends_within_a_step_and_keeps_what_there_was(engine):
    stop = StopSignal()
    seen = 0
    for event in engine.generate(ask("count", steps=10_000), stop):
        if event.kind == "preview":
            seen += 1
            if seen == 5:
                stop.request()
                pressed = time.monotonic()
    assert event.kind == "final"
    assert event.stats["stopped"]
    assert time.monotonic() - pressed < 0.5
    assert event.outputs[0].text.startswith("count-0-0 count-0-1")


def test_errors_cross_with_their_words_and_only_the_log_has_the_details(engine):
    with pytest.raises(PlaygroundError) as caught:
        list(engine.generate(ask("raise")))
    assert "secret" not in caught.value.message
    log = engine._settings.data_dir / "worker.log"
    until(lambda: "a secret detail for the log" in log.read_text(), 5)
    with pytest.raises(UnknownModel):
        list(engine.generate(ask("x", model="text/none")))
    assert final_of(engine, ask("next", steps=1)).outputs[0].text == "next-0-0"


def test_tools_answer_while_a_run_is_under_way(engine):
    stop = StopSignal()
    events = engine.generate(ask("long", steps=10_000), stop)
    next(event for event in events if event.kind == "preview")
    assert engine.call("text/odd", "length", {"text": "four"}) == {"length": 4}
    with pytest.raises(PlaygroundError, match="no tool 'spy'"):
        engine.call("text/odd", "spy", {})
    stop.request()
    assert list(events)[-1].stats["stopped"]


def test_a_caller_that_goes_away_frees_the_worker(engine):
    events = engine.generate(ask("long", steps=10_000))
    next(event for event in events if event.kind == "preview")
    events.close()
    started = time.monotonic()
    assert final_of(engine, ask("next", steps=1)).outputs[0].text == "next-0-0"
    assert time.monotonic() - started < 2


def run_into(engine, request, stop=None, on_preview=None):
    """Run a request that kills the worker: return the error and the last preview."""
    last = None
    with pytest.raises(PlaygroundError) as caught:
        for event in engine.generate(request, stop):
            if event.kind == "preview":
                last = event
                if on_preview:
                    on_preview()
    return caught.value, last


@pytest.mark.parametrize(("prompt", "reason"), [("segfault", "crashed"), ("exit", "exited"), ("kill", "killed")])
def test_a_death_ends_only_its_run_with_the_reason(engine, prompt, reason):
    final_of(engine, ask("warm", steps=1))
    pid = engine.state().pid
    act = (lambda: os.kill(pid, signal.SIGKILL)) if prompt == "kill" else None
    error, last = run_into(engine, ask(prompt, steps=10_000), on_preview=act)
    assert isinstance(error, WorkerDied)
    assert error.details["reason"] == reason
    assert last.outputs[0].text.startswith(f"{prompt}-0-0")
    assert final_of(engine, ask("next", steps=1)).outputs[0].text == "next-0-0"
    assert engine.state().pid != pid


def test_an_allocation_past_the_limit_is_an_error_and_the_worker_lives(engine):
    final_of(engine, ask("warm", steps=1))
    pid = engine.state().pid
    error, last = run_into(engine, ask("allocate", megabytes=90_000))
    assert isinstance(error, NotEnoughMemory)
    assert last is not None
    assert final_of(engine, ask("next", steps=1)).stats["pid"] == pid


@pytest.mark.parametrize("prompt", ["deaf", "hold"])
def test_an_unheeded_stop_ends_the_worker_after_its_grace(engine, prompt):
    final_of(engine, ask("warm", steps=1))
    stop = StopSignal()
    times = []

    def press():
        times.append(time.monotonic())
        if len(times) == 2:
            stop.request()

    error, last = run_into(engine, ask(prompt, steps=10_000, step_s=0.02), stop, press)
    assert error.details["reason"] == "unresponsive"
    assert last.outputs[0].text.startswith(f"{prompt}-0-0")
    assert 0.9 < time.monotonic() - times[1] < 6
    assert final_of(engine, ask("next", steps=1)).outputs[0].text == "next-0-0"


def test_a_load_is_cut_only_by_a_forced_stop(engine):
    final_of(engine, ask("warm", steps=1))
    stop = StopSignal()
    found, seen = [], deque()

    def run():
        try:
            seen.extend(engine.generate(ask("x", model="text/slow-load"), stop))
        except WorkerDied as error:
            found.append(error)

    runner = threading.Thread(target=run)
    pid = engine.state().pid
    runner.start()
    until(lambda: any(event.stage == "load" for event in list(seen)))
    stop.request()  # how long it is left alone then, test_worker_time says
    assert psutil.pid_exists(pid)
    assert runner.is_alive()
    stop.request()
    runner.join(10)
    assert found[0].details["reason"] == "unresponsive"


def test_two_deaths_in_a_row_refuse_the_model_until_allowed(engine):
    for _ in range(2):
        run_into(engine, ask("exit", model="text/other"))
    error, last = run_into(engine, ask("fine", model="text/other"))
    assert isinstance(error, ModelRefused)
    assert last is None
    assert engine.state().refused == ("text/other",)
    assert final_of(engine, ask("next", steps=1)).outputs[0].text == "next-0-0"  # other models run
    engine.allow("text/other")
    assert final_of(engine, ask("fine", model="text/other", steps=1)).outputs[0].text == "fine-0-0"
    assert engine.state().refused == ()


def test_the_loaded_models_are_pushed_and_can_be_unloaded(engine):
    final_of(engine, ask("warm", steps=1))
    until(lambda: "text/odd" in [entry["model"] for entry in engine.state().loaded], 5)
    assert engine.state().budget_bytes == 300_000_000
    engine.unload("text/odd")
    until(lambda: "text/odd" not in [entry["model"] for entry in engine.state().loaded], 5)


def test_an_edit_during_a_run_drains_and_replaces_the_worker(tmp_path):
    families = tmp_path / "families"
    families.mkdir()
    settings = odd_settings(tmp_path)
    code = (settings.family_dirs[0] / "odd.py").read_text()
    (families / "odd.py").write_text(code)
    engine = WorkerEngine(settings.model_copy(update={"family_dirs": (families,)}))
    try:
        old = engine.call("text/odd", "version", {})
        seen = 0
        for event in engine.generate(ask("long", steps=100)):
            seen += event.kind == "preview"
            if seen == 3:
                (families / "odd.py").write_text(code.replace("VERSION = 1", "VERSION = 2"))
        assert event.stats["version"] == 1
        assert event.stats["tokens"] == 100
        until(lambda: engine.call("text/odd", "version", {})["version"] == 2)
        new = engine.call("text/odd", "version", {})
        assert not psutil.pid_exists(old["pid"])
        workers = [
            child.pid for child in psutil.Process().children() if "models.runtime.worker" in " ".join(child.cmdline())
        ]
        assert new["pid"] in workers
        assert engine.state().pid == new["pid"]
        assert final_of(engine, ask("x", steps=1)).stats["version"] == 2
    finally:
        engine.close()


def test_the_worker_ends_when_its_app_is_killed(tmp_path):
    script = f"""
import pathlib, sys, time
from tests.odd import odd_settings
from models.runtime.worker_client import WorkerEngine
engine = WorkerEngine(odd_settings(pathlib.Path({str(tmp_path)!r})))
while engine.state().phase == "starting":
    time.sleep(0.02)
print(engine.state().pid, flush=True)
time.sleep(120)
"""
    app = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    worker = int(app.stdout.readline())  # it is connected, and imports its libraries
    app.kill()
    app.wait()
    until(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie", 30)
