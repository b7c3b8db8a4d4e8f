"""The worker's own side, in one process: what it says, to whom, and in which order. Each run goes on step by step."""

import os
import queue
import socket
import threading
from multiprocessing import Pipe
from typing import ClassVar

import pytest

from models import plain_text
from models.catalog import Catalog
from models.errors import BadInput
from models.events import RESTING, Final, Preview, Progress
from models.family import Cost, Family, Loaded
from models.params import Params
from models.runtime import wire
from models.runtime import worker as workers
from models.settings import Settings
from models.spec import ModelSpec
from models.types import Output, Request
from tests.models.runtime.world import until
from tests.odd import odd_settings


class Led(Family):
    """Do what the test says: each thing that is put into a run's queue is one step; "end" is the last."""

    name: ClassVar[str] = "led"
    title: ClassVar[str] = "Led"
    modality: ClassVar[str] = "text"
    Params: ClassVar[type[Params]] = Params
    reentrant: ClassVar[bool] = True
    studies: ClassVar[dict] = {"look": "generate"}
    tools: ClassVar[dict] = {"count": "count"}
    led: ClassVar[dict[str, queue.Queue]] = {}

    def load(self, spec):
        return Loaded({})

    def needed_bytes(self, spec):
        return 10

    def run_bytes(self, spec, request, params):
        return 10

    def count(self, spec, data, blobs):
        return {"count": len(data["text"])}

    def count_cost(self, spec, data, blobs):
        return Cost()

    def generate(self, spec, request, params, loaded, context):
        name = request.inputs["prompt"]
        while (what := self.led[name].get(timeout=30)) != "end":
            if context.stopped():
                break
            if context.skipped():
                yield Progress("skipped")
            if isinstance(what, Exception):
                raise what
            yield what
        yield Final((plain_text.text_output(name, context.stamp, 0, {}),), {"stopped": context.stopped()})


class Inside:
    """Hold a worker in a thread, the app's end of its wire, and what it said."""

    def __init__(self, folder, monkeypatch, reentrant=True):
        monkeypatch.setattr(Led, "led", {})
        monkeypatch.setattr(Led, "reentrant", reentrant)
        monkeypatch.setattr(Led, "libraries_bytes", 0)
        self.imported = threading.Event()
        monkeypatch.setattr(workers.device, "import_libraries", lambda settings: self.imported.wait(30))
        monkeypatch.setattr(workers.gc, "freeze", lambda: None)
        self.limits, self.exits = [], []
        monkeypatch.setattr(workers.memory, "limit_data", self.limits.append)
        monkeypatch.setattr(workers.os, "_exit", self.exits.append)
        catalog = odd_settings(folder).catalog_dirs[0]
        entry = {"family": "led", "summary": "-", "architecture": "-", "trained_on": "-", "licence": "-",
                 "parameters": 1, "weights": {"path": "weights"}}  # fmt: skip
        specs = [ModelSpec(id=f"text/{name}", name=name, **entry, file=catalog / f"{name}.toml") for name in "ab"]
        monkeypatch.setattr(workers, "load_catalog", lambda *_, **__: Catalog(specs, {"led": Led()}))
        self.app, there = Pipe()
        self.renewed, self.said = [], []
        settings = Settings(data_dir=folder, memory_bytes=1000)
        self.worker = workers.Worker(there, settings, lambda: self.renewed.append(1))
        self.thread = threading.Thread(target=self.worker.serve, daemon=True)
        self.thread.start()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                self.said.append(wire.unpack(self.app.recv_bytes())[0])
        except (EOFError, OSError):
            pass

    def tell(self, op, name, **more):
        self.app.send_bytes(wire.pack({"op": op, "id": name, **more}))

    def ask(self, name, model="text/a", *, ahead=False, study=""):
        Led.led[name] = queue.Queue()
        request = Request(model=model, inputs={"prompt": name}, study=study)
        self.tell("generate", name, request=request.model_dump(), ahead=ahead, asker="ann")

    def step(self, name, what):
        Led.led[name].put(what)

    def of(self, name):
        """Return what was said of a run: its stages and steps, and how it ended."""
        found = []
        for header in list(self.said):
            if header.get("id") == name:
                event = header.get("event")
                found.append((event["stage"], event["step"]) if event and event["kind"] == "progress"
                             else event["kind"] if event else header["op"])  # fmt: skip
        return found

    def error_of(self, name):
        return until(lambda: [one["error"] for one in list(self.said) if one.get("id") == name and "error" in one])[0]

    def says(self, name, *last):
        until(lambda: self.of(name)[-len(last) :] == list(last))

    def states(self):
        return [header for header in list(self.said) if header["op"] == "state"]


@pytest.fixture
def inside(tmp_path, monkeypatch):
    inside = Inside(tmp_path, monkeypatch)
    inside.imported.set()
    until(lambda: inside.worker._phase == "ready")
    yield inside
    inside.worker._requests.put(None)
    inside.thread.join(30)
    assert not inside.thread.is_alive()


LOADED = [("start", 0), ("load", 0)]


def test_a_run_asked_for_while_it_warms_up_begins_when_it_is_ready(tmp_path, monkeypatch):
    inside = Inside(tmp_path, monkeypatch)
    inside.ask("one")
    inside.ask("two", "text/b", ahead=True)
    until(inside.states)
    assert inside.states()[0]["phase"] == "warming"
    assert (inside.of("one"), inside.of("two"), inside.limits) == ([], [], [])
    inside.imported.set()
    for name in ("one", "two"):
        inside.step(name, "end")
    inside.says("one", "final", "end")
    inside.says("two", "final", "end")
    assert inside.limits == [1000]
    assert inside.renewed == [1, 1]
    until(lambda: inside.states()[-1]["phase"] == "ready" and inside.states()[-1]["loaded"])
    assert inside.states()[-1]["budget_bytes"] == 1000
    inside.tell("quit", "")
    inside.thread.join(30)
    assert not inside.thread.is_alive()


def test_a_worker_says_that_it_is_ready_before_anybody_asks(inside):
    until(lambda: inside.states() and inside.states()[-1]["phase"] == "ready")  # the first may not have come yet
    assert inside.states()[-1] | {"since": 0} == {
        "op": "state", "phase": "ready", "since": 0, "loaded": [], "used_bytes": 0, "budget_bytes": 1000,
    }  # fmt: skip


def test_runs_go_in_turn_and_each_says_what_is_its_own(inside):
    inside.ask("one")
    inside.ask("two", "text/b")
    inside.step("two", "end")
    inside.step("one", Progress("generate", 1, 3))
    inside.says("one", *LOADED, ("generate", 1))
    assert inside.of("two") == []
    inside.step("one", Preview((Output("text", 0, "half"),)))
    inside.step("one", "end")
    inside.says("two", "final", "end")
    assert inside.of("one") == [*LOADED, ("generate", 1), "preview", "final", "end"]
    assert inside.of("two") == [*LOADED, "final", "end"]
    ends = [header["id"] for header in inside.said if header["op"] == "end"]
    assert ends == ["one", "two"]


def test_a_run_that_was_stopped_while_it_waited_says_nothing_and_is_forgotten(inside):
    inside.ask("one")
    inside.step("one", Progress("generate", 1, 3))
    inside.says("one", ("generate", 1))
    for name in ("two", "three"):
        inside.ask(name)
    inside.tell("stop", "two")
    until(lambda: "two" in inside.worker._stopped)
    inside.step("one", "end")
    inside.step("three", "end")
    inside.says("three", "final", "end")
    assert inside.of("two") == []
    assert inside.worker._stopped == set()
    assert inside.worker._gate.others("") == []


def test_stop_is_heard_at_the_next_step_and_only_by_its_own_run(inside):
    inside.ask("one")
    inside.tell("stop", "another")
    inside.step("one", Progress("generate", 1, 3))
    inside.says("one", ("generate", 1))
    inside.tell("stop", "one")
    until(lambda: "one" in inside.worker._stopped)
    inside.step("one", Progress("generate", 2, 3))
    inside.says("one", "final", "end")
    assert ("generate", 2) not in inside.of("one")
    assert "one" not in inside.worker._stopped


def test_skip_is_heard_once_and_is_forgotten_with_its_run(inside):
    inside.ask("one")
    inside.tell("skip", "one")
    until(lambda: "one" in inside.worker._skipped)
    for step in (1, 2):
        inside.step("one", Progress("generate", step, 3))
    inside.says("one", ("skipped", 0), ("generate", 1), ("generate", 2))
    inside.tell("skip", "one")
    until(lambda: "one" in inside.worker._skipped)
    inside.step("one", "end")
    inside.says("one", "final", "end")
    until(lambda: not inside.worker._skipped)


def rest(inside, first="text/a", second="text/b"):
    """Let a run rest in its third step for one that is let ahead."""
    inside.ask("long", first)
    inside.step("long", Progress("generate", 2, 9, "a note", "tokens"))
    inside.says("long", ("generate", 2))
    inside.ask("short", second, ahead=True)
    until(lambda: inside.worker._gate.called("long"))
    inside.step("long", Progress("generate", 3, 9))
    inside.says("long", (RESTING, 2))


def test_a_run_that_is_set_aside_says_so_once_with_its_place_and_goes_on_where_it_was(inside):
    rest(inside)
    told = [one["event"] for one in inside.said if one.get("id") == "long"][-1]
    assert (told["step"], told["total"], told["note"], told["unit"]) == (2, 9, "a note", "tokens")
    inside.step("short", Progress("generate", 1, 1))
    inside.says("short", *LOADED, ("generate", 1))
    inside.worker._say("long", Progress("generate", 8, 9))  # a thread that follows its steps says it late
    inside.step("short", "end")
    inside.says("short", "final", "end")
    inside.says("long", (RESTING, 2), ("generate", 8), ("generate", 3))
    inside.step("long", "end")
    inside.says("long", ("generate", 3), "final", "end")
    stats = [one["event"]["stats"] for one in inside.said if one.get("event", {}).get("kind") == "final"]
    assert ["aside_s" in one for one in stats] == [False, True]
    until(lambda: not inside.worker._open)
    assert (inside.worker._said, inside.worker._resting) == ({}, set())


def test_one_that_failed_while_it_rested_leaves_no_rest_behind(inside):
    rest(inside)
    inside.step("short", "end")
    inside.says("long", ("generate", 3))
    inside.step("long", BadInput("The prompt is wrong."))
    assert inside.error_of("long")["message"] == "The prompt is wrong."
    until(lambda: not inside.worker._said)
    assert inside.worker._resting == set()


def test_stop_reaches_the_one_that_rests_before_the_other_ends(inside):
    rest(inside)
    inside.step("short", Progress("generate", 1, 1))
    inside.says("short", ("generate", 1))
    inside.tell("stop", "long")
    until(lambda: "long" in inside.worker._stopped)
    inside.step("short", Progress("generate", 2, 2))  # it rests here, and the stopped one ends
    inside.says("long", "final", "end")
    inside.step("short", "end")
    inside.says("short", "final", "end")
    assert inside.of("short").count((RESTING, 1)) == 1


@pytest.mark.parametrize(
    ("reentrant", "second", "study", "goes"),
    [
        (True, "text/a", "", True), (False, "text/a", "", False), (False, "text/b", "", True),
        (True, "text/a", "look", False), (True, "text/b", "look", True),
    ],
)  # fmt: skip
def test_who_may_go_beside_whom(tmp_path, monkeypatch, reentrant, second, study, goes):
    inside = Inside(tmp_path, monkeypatch, reentrant)
    inside.imported.set()
    inside.ask("long")
    inside.step("long", Progress("generate", 1, 9))
    inside.says("long", ("generate", 1))
    inside.ask("short", second, ahead=True, study=study)
    inside.step("short", "end")
    if goes:
        until(lambda: inside.worker._gate.called("long"))
        inside.step("long", Progress("generate", 2, 9))
        inside.says("short", "final", "end")
    else:
        assert inside.error_of("short")["code"] == "not_now"
        inside.step("long", Progress("generate", 2, 9))
    inside.says("long", ("generate", 2))
    inside.step("long", "end")
    inside.says("long", "final", "end")
    inside.worker._requests.put(None)
    inside.thread.join(30)


def test_beside_a_study_nothing_begins_on_its_model(inside):
    inside.ask("look", study="look")
    inside.step("look", Progress("generate", 1, 9))
    inside.says("look", ("generate", 1))
    inside.ask("short", ahead=True)
    assert inside.error_of("short")["code"] == "not_now"
    inside.step("look", "end")
    inside.says("look", "final", "end")


def test_one_let_ahead_of_a_model_that_is_not_there_says_what_is_wrong(inside):
    inside.ask("one", "text/none", ahead=True)
    assert inside.error_of("one")["code"] == "unknown_model"
    inside.ask("two")
    inside.step("two", "end")
    inside.says("two", "final", "end")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BadInput("The prompt is wrong."), "bad_input", "The prompt is wrong."),
        (RuntimeError("a secret"), "error", "unexpected problem (RuntimeError)"),
        (MemoryError(), "not_enough_memory", "needed more memory than the playground may use"),
    ],
)
def test_an_error_is_told_of_its_run_and_the_next_one_runs(inside, error, code, words):
    inside.ask("one")
    inside.step("one", error)
    told = inside.error_of("one")
    assert words in told["message"]
    assert "secret" not in told["message"]
    assert ("gain_bytes" in told["details"]) == (code == "not_enough_memory")
    inside.ask("two")
    inside.step("two", "end")
    inside.says("two", "final", "end")
    assert inside.of("one")[-1] == "error"


def test_tools_and_unloading_are_answered_while_a_run_is_under_way(inside):
    inside.ask("one")
    inside.step("one", Progress("generate", 1, 9))
    inside.says("one", ("generate", 1))
    inside.tell("call", "c1", model="text/a", tool="count", data={"text": "four"})
    inside.tell("call", "c2", model="text/a", tool="spy", data={})
    inside.tell("unload", "u1", model="text/a")
    inside.tell("unload", "u2", model="text/b")
    until(lambda: any(header.get("id") == "u2" for header in inside.said))
    told = {header["id"]: header for header in inside.said if header.get("id") in ("c1", "c2", "u1", "u2")}
    assert told["c1"]["data"] == {"count": 4}
    assert "no tool 'spy'" in told["c2"]["error"]["message"]
    assert "in use by a run" in told["u1"]["error"]["message"]
    assert told["u2"] == {"op": "reply", "id": "u2", "data": {}}
    inside.step("one", "end")
    inside.says("one", "final", "end")
    inside.tell("unload", "u3", model="text/a")
    until(lambda: any(header.get("id") == "u3" and header["op"] == "reply" for header in inside.said))
    until(lambda: inside.states()[-1]["loaded"] == [])


def test_it_ends_with_the_app_whatever_it_is_doing(inside):
    inside.ask("one")
    inside.step("one", Progress("generate", 1, 9))
    inside.says("one", ("generate", 1))
    with socket.socket(fileno=os.dup(inside.app.fileno())) as end:  # a close alone waits for who reads
        end.shutdown(socket.SHUT_RDWR)
    until(lambda: inside.exits)
    assert inside.exits[0] == 0
    inside.step("one", "end")
