"""Tools within their budget: quick ones here, long ones in a process that Stop, a deadline and the page's end kill."""

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from models.errors import BadInput, NotEnoughMemory, PlaygroundError, Stopped
from models.runtime.calls import Calls
from models.runtime.engine import LocalEngine, StopSignal
from models.runtime.registry import Registry
from models.runtime.worker_client import WorkerEngine
from tests.odd import odd_settings

MODEL = "text/slow"
LONG = {"forecast_s": 5.0, "forecast_bytes": 50_000_000}


def settings_in(folder, **more):
    settings = odd_settings(folder, **{"memory_bytes": 1_000_000_000, **more})
    entry = (folder / "catalog" / "odd.toml").read_text()
    slow = entry.replace('family = "odd"', 'family = "slow_tool"').replace("text/odd", MODEL)
    (folder / "catalog" / "slow.toml").write_text(slow)
    return settings


def until(check, timeout_s=90):
    limit = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.02)


def ended(file):
    pid = int(Path(file).read_text())
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def begun(file):
    return Path(file).exists() and Path(file).read_text()


@pytest.fixture
def engine(tmp_path):
    return LocalEngine(settings_in(tmp_path))


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    engine = WorkerEngine(settings_in(tmp_path_factory.mktemp("tools")))
    yield engine
    engine.close()


def test_a_quick_tool_runs_here_and_a_long_one_in_a_process(engine):
    assert engine.call(MODEL, "work", {"forecast_s": 0.5})["pid"] == os.getpid()
    answer = engine.call(MODEL, "work", {**LONG, "take_bytes": 10_000_000})
    assert answer["pid"] != os.getpid()
    assert answer["bytes"] == 10_000_000


def test_what_is_forecast_over_the_budget_is_refused_before_it_begins(engine, tmp_path):
    file = tmp_path / "begun"
    with pytest.raises(BadInput, match=r"about 5 minutes for a long story; at most 60 s are allowed"):
        engine.call(MODEL, "work", {"forecast_s": 300.0, "begun": str(file)})
    with pytest.raises(NotEnoughMemory, match=r"about 2\.3 GB of memory for a long story.*may use 1 GB"):
        engine.call(MODEL, "work", {"forecast_s": 2.0, "forecast_bytes": 2_000_000_000, "begun": str(file)})
    with pytest.raises(NotEnoughMemory, match=r"about 2 GB"):  # in this process, too
        engine.call(MODEL, "work", {"forecast_s": 0.1, "forecast_bytes": 2_000_000_000, "begun": str(file)})
    assert not file.exists()


def test_more_memory_than_was_forecast_is_a_sentence(engine):
    with pytest.raises(NotEnoughMemory, match="more memory than"):
        engine.call(MODEL, "work", {**LONG, "take_bytes": 2_000_000_000})


def test_a_process_that_ends_by_itself_is_a_sentence(engine):
    with pytest.raises(PlaygroundError, match="ended before it answered"):
        engine.call(MODEL, "work", {**LONG, "exit": True})


def test_past_its_deadline_it_is_killed(tmp_path):
    engine, file = LocalEngine(settings_in(tmp_path, tool_max_s=2.0)), tmp_path / "begun"
    with pytest.raises(BadInput, match=r"longer than 2 s"):
        engine.call(MODEL, "work", {"forecast_s": 1.5, "take_s": 600, "begun": str(file)})
    assert ended(file)


def stopped_call(engine, file):
    stop, found = StopSignal(), []

    def call():
        try:
            engine.call(MODEL, "work", {**LONG, "take_s": 600, "begun": str(file)}, stop)
        except PlaygroundError as error:
            found.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: begun(file))
    return stop, thread, found


def test_stop_kills_it(engine, tmp_path):
    stop, thread, found = stopped_call(engine, tmp_path / "begun")
    stop.request()
    thread.join(10)
    assert isinstance(found[0], Stopped)
    assert ended(tmp_path / "begun")


def test_in_the_worker_it_is_counted_other_tools_answer_and_stop_kills_it(worker, tmp_path):
    until(lambda: worker.state().phase == "ready")
    stop, thread, found = stopped_call(worker, tmp_path / "begun")
    until(lambda: any(entry.get("tool") for entry in worker.state().loaded), 10)
    assert worker.state().used_bytes >= LONG["forecast_bytes"]
    assert worker.call("text/odd", "length", {"text": "four"}) == {"length": 4}
    stop.request()
    thread.join(10)
    assert isinstance(found[0], Stopped)
    assert ended(tmp_path / "begun")
    until(lambda: not worker.state().loaded, 10)


def test_a_call_that_no_page_asks_for_any_more_is_stopped(worker, tmp_path):
    calls, file = Calls(worker, unasked_s=1.0), tmp_path / "begun"
    given = {**LONG, "take_s": 600, "begun": str(file)}
    call = calls.ask("here", MODEL, "work", given)
    until(lambda: calls.ask("here", MODEL, "work", given) is call and begun(file))
    until(lambda: ended(file), 20)
    assert call.wait(10)
    assert call.error.code == "stopped"


def test_another_call_in_its_place_stops_it(worker, tmp_path):
    calls, file = Calls(worker), tmp_path / "begun"
    given = {**LONG, "take_s": 600, "begun": str(file)}
    old = calls.ask("here", MODEL, "work", given)
    until(lambda: calls.ask("here", MODEL, "work", given) is old and begun(file))
    new = calls.ask("here", MODEL, "work", {"forecast_s": 0.1})
    assert new.wait(20) and new.error is None
    assert old.wait(20) and old.error.code == "stopped"
    assert ended(file)


def test_memory_that_is_in_use_is_not_promised_twice(tmp_path):
    registry = Registry({}, 1000)
    with registry.reserve("one", 600):
        assert registry.used_bytes == 600
        with pytest.raises(NotEnoughMemory, match="is free of"), registry.reserve("two", 600):
            pass
        assert registry.used_bytes == 600
    assert registry.used_bytes == 0
