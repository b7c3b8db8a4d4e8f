"""The worker process: it alone holds torch, the registry and the models.

Started by `models.runtime.worker_client` as `python -m models.runtime.worker`, it reads one JSON line from stdin (port,
key, settings), connects back, imports the libraries at once, and then runs requests in its main thread, in turn.
A request that is to go ahead has a thread of its own: the one that computes rests meanwhile (`gate`), so that one
computes at a time. A reader thread takes messages, a tools thread answers data questions, a sender thread writes. It
ends when the app's end of the connection closes, whatever it is doing.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from models import device, seeds
from models.blobs import Blobs
from models.catalog import Catalog, load_catalog
from models.errors import NotEnoughMemory, NotNow, PlaygroundError
from models.events import RESTING, Progress, is_stepping, to_wire
from models.family import Cost
from models.runtime import fitting, memory, together, tools, wire
from models.runtime.engine import NOT_NOW, run_request
from models.runtime.footing import Footing
from models.runtime.gate import Gate
from models.runtime.registry import Registry
from models.settings import Settings
from models.types import Request

log = logging.getLogger("models.runtime.worker")

FOLLOW_S = 1.0
LOCK_WAIT_S = 15.0


class Worker:
    """Serve one app over one connection until it closes."""

    def __init__(self, connection: Connection, settings: Settings, renew: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._renew = renew
        self._sender = wire.Sender(connection)
        self._connection = connection
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._calls: queue.Queue[dict[str, Any]] = queue.Queue()
        self._stopped: set[str] = set()  # ids whose Stop was asked for, queued ones included
        self._skipped: set[str] = set()  # ids whose Skip was asked for and not yet heeded
        self._gate = Gate(self._stopped.__contains__)
        self._open: dict[str, Request] = {}  # of the runs that have begun
        self._at: dict[str, int] = {}  # which of its requests it says something of
        self._said: dict[str, Progress] = {}  # what each of them said last
        self._resting: set[str] = set()  # those that are set aside: what they still say is told when they go on
        self._telling = threading.Lock()  # guards the two above; taken after the gate's, never before
        self._catalog: Catalog = load_catalog(settings, strict=False, everyone=True)
        self._blobs = Blobs(settings.data_dir)
        self._registry: Registry | None = None
        self._ready = threading.Event()  # the registry is there
        self._phase = "warming"
        self._since = time.time()

    def serve(self) -> None:
        """Warm up and run requests; returns when the app says `quit`."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._answer, name="tools", daemon=True).start()
        self._push_state()
        device.import_libraries(self._settings)
        # what was imported never becomes garbage: keep it out of every later collection
        gc.collect()
        gc.freeze()
        budget = memory.Budget(self._settings)
        if self._settings.memory_bytes:
            memory.limit_data(self._settings.memory_bytes)
        else:
            threading.Thread(target=self._follow, args=(budget,), name="memory", daemon=True).start()
        self._registry = Registry(self._catalog, budget, on_change=self._push_state)
        self._ready.set()
        self._phase, self._since = "ready", time.time()
        self._push_state()
        while (message := self._requests.get()) is not None:
            self._run(message)
            self._registry.note_quiet()  # here nothing of the run is left, its outputs least of all
            self._push_state()  # the budget may have changed
        self._sender.close()

    def _follow(self, budget: memory.Budget) -> None:
        """Keep the limit of this process to what the app and others leave, as they grow and shrink."""
        while True:
            budget.bound()
            time.sleep(FOLLOW_S)

    def _read(self) -> None:
        try:
            while True:
                header, _ = wire.unpack(self._connection.recv_bytes())
                op = header["op"]
                if op == "generate" and header.get("ahead"):
                    threading.Thread(target=self._run, args=(header,), name="ahead", daemon=True).start()
                elif op == "generate":
                    self._requests.put(header)
                elif op == "stop":
                    self._stopped.add(header["id"])
                elif op == "skip":
                    self._skipped.add(header["id"])
                elif op in ("call", "unload"):
                    self._calls.put(header)
                elif op == "quit":
                    self._requests.put(None)
        except (EOFError, OSError):
            os._exit(0)  # the app is gone: nobody is left to say anything to

    def _run(self, message: dict[str, Any]) -> None:
        job, ahead = message["id"], bool(message.get("ahead"))
        several = "requests" in message  # to be made at once
        requests = [Request.model_validate(one) for one in (message["requests"] if several else [message["request"]])]
        request = requests[0]
        self._ready.wait()
        registry = self._registry
        assert registry is not None
        if ahead and not self._fits_beside(requests, registry):
            self._refuse(job)
            return
        self._gate.enter(job, ahead=ahead)
        try:
            if job in self._stopped:  # stopped while it waited
                return
            self._renew()
            self._open[job] = request
            # from here on the run is this worker's: a Stop must be heeded, a death is counted
            self._say(job, Progress("start"))
            for index, event in self._events(job, requests, several, registry, message.get("asker", "")):
                self._at[job] = index
                if isinstance(event, PlaygroundError):
                    self._sender.send({"op": "failed", "id": job, "index": index, "error": event.to_dict()})
                    continue
                if event.kind == "progress":
                    self._say(job, event)
                    continue
                header, blobs = to_wire(event)
                slot = f"preview-{job}" if event.kind == "preview" else ""
                self._sender.send({"op": "event", "id": job, "index": index, "event": header}, blobs, slot)
            self._sender.send({"op": "end", "id": job})
        except Exception as error:
            told = tools.as_error(error)
            if ahead and told.code == NotEnoughMemory.code and self._gate.others(job):
                self._refuse(job)  # there is room once the other has ended
                return
            if told.details.get("midway"):
                told = fitting.lighter(told, self._catalog, request)
                told.details["gain_bytes"] = registry.gain_bytes(request.model)
            self._sender.send({"op": "error", "id": job, "error": told.to_dict()})
        finally:
            self._gate.leave(job)
            self._stopped.discard(job)
            self._skipped.discard(job)
            self._open.pop(job, None)
            self._at.pop(job, None)
            with self._telling:
                self._said.pop(job, None)
                self._resting.discard(job)

    def _events(
        self, job: str, requests: Sequence[Request], several: bool, registry: Registry, asker: str
    ) -> Iterator[together.Told]:
        """Yield what the runs of a message say, each with the index of its request."""
        given: dict[str, Any] = {
            "stopped": lambda: self._heed(job), "open_ref": self._blobs.get_bytes,
            "open_beside": self._blobs.get_beside, "asker": asker, "aside_s": lambda: self._gate.aside_s(job),
        }  # fmt: skip
        if several:
            yield from together.run_together(requests, self._catalog, registry, self._settings, **given)
            return
        given["skipped"] = lambda: self._take_skip(job)
        for event in run_request(requests[0], self._catalog, registry, self._settings, **given):
            yield 0, event

    def _fits_beside(self, requests: Sequence[Request], registry: Registry) -> bool:
        """Say whether runs can begin while those that have begun keep their models and what they hold of them."""
        request = requests[0]
        if request.model not in self._catalog:
            return True  # it says so itself
        twice = self._catalog.family(request.model).reentrant and not request.study
        begun = [one for one in list(self._open.values()) if one.model == request.model]
        if any(one.study or not twice for one in begun):
            return False
        try:
            needed = together.run_bytes(self._catalog, requests)
        except PlaygroundError:
            return True
        return registry.forecast(self._catalog[request.model].id, needed).fits

    def _refuse(self, job: str) -> None:
        self._sender.send({"op": "error", "id": job, "error": NotNow(NOT_NOW).to_dict()})

    def _heed(self, job: str) -> bool:
        """Say whether Stop was pressed; while another run goes first, rest before, in the thread that asks."""
        if self._gate.called(job):
            with seeds.lent(), device.threads_kept():
                self._gate.rest(job, lambda: self._say_resting(job))
            with self._telling:
                if job in self._resting:
                    self._resting.discard(job)
                    self._tell(job, self._said[job])
        return job in self._stopped

    def _say(self, job: str, progress: Progress) -> None:
        with self._telling:
            self._said[job] = progress
            if job not in self._resting:
                self._tell(job, progress)

    def _say_resting(self, job: str) -> None:
        with self._telling:
            self._resting.add(job)
            last = self._said[job]
            count = (last.step, last.total, last.note, last.unit) if is_stepping(last) else ()
            self._tell(job, Progress(RESTING, *count))

    def _tell(self, job: str, progress: Progress) -> None:
        index = self._at.get(job, 0)
        self._sender.send({"op": "event", "id": job, "index": index, "event": to_wire(progress)[0]})

    def _take_skip(self, job: str) -> bool:
        pressed = job in self._skipped
        self._skipped.discard(job)
        return pressed

    def _answer(self) -> None:
        while True:
            message = self._calls.get()
            try:
                if message["op"] == "unload":
                    if self._registry is not None:
                        self._registry.unload(message["model"])
                    data: dict[str, Any] = {}
                else:
                    answer = self._called(message)
                    if answer is None:
                        continue
                    data = answer
                self._sender.send({"op": "reply", "id": message["id"], "data": data})
            except Exception as error:
                self._sender.send({"op": "error", "id": message["id"], "error": tools.as_error(error).to_dict()})

    def _called(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return a tool's answer; None where it takes long: then a thread waits for its process, and answers."""
        given = (message["model"], message["tool"], message["data"])
        cost = tools.forecast(self._catalog, *given, self._blobs)
        registry = self._registry
        most = registry.budget_bytes if registry else memory.budget_bytes(self._settings)
        tools.check_budget(cost, self._settings, most)
        if cost.seconds <= tools.QUICK_S:
            return tools.call_tool(self._catalog, *given, self._blobs)
        self._sender.send({"op": "long", "id": message["id"]})
        threading.Thread(target=self._call_long, args=(message, cost), name="tool", daemon=True).start()
        return None

    def _call_long(self, message: dict[str, Any], cost: Cost) -> None:
        call, registry = message["id"], self._registry
        try:
            data = tools.run_tool(
                self._catalog, self._settings, self._blobs, message["model"], message["tool"], message["data"], cost,
                stopped=lambda: call in self._stopped, log_to=sys.stderr.buffer,
                reserve=registry.reserve if registry else None,
            )  # fmt: skip
            self._sender.send({"op": "reply", "id": call, "data": data})
        except Exception as error:
            self._sender.send({"op": "error", "id": call, "error": tools.as_error(error).to_dict()})
        finally:
            self._stopped.discard(call)

    def _push_state(self) -> None:
        registry = self._registry
        self._sender.send(
            {
                "op": "state",
                "phase": self._phase,
                "since": self._since,
                "loaded": registry.state() if registry else [],
                "used_bytes": registry.used_bytes if registry else 0,
                "budget_bytes": registry.budget_bytes if registry else 0,
            },
            slot="state",
        )


def main() -> None:
    """Read the one line of set-up from stdin and serve."""
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    setup = json.loads(sys.stdin.readline())
    sys.stdin.close()
    settings = Settings.model_validate(setup["settings"])
    try:  # an app process is kept to one worker
        footing = Footing(settings.data_dir, setup["app_pid"], LOCK_WAIT_S)
    except PlaygroundError as error:
        sys.exit(error.message)  # the last line of the log is what the app says of a worker that does not start
    memory.prefer_killing_me()
    connection = wire.connect(setup["port"], bytes.fromhex(setup["key"]))
    try:
        Worker(connection, settings, footing.renew).serve()
    finally:
        footing.release()


if __name__ == "__main__":
    main()
