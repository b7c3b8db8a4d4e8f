"""The worker process: it alone holds torch, the registry and the models.

Started by `models.runtime.worker_client` as `python -m models.runtime.worker`, it reads one JSON line from stdin (port,
key, settings), connects back, imports the libraries at once, and then runs one request at a time in its main thread.
A reader thread takes messages, a tools thread answers data questions, a sender thread writes. It ends when the
app's end of the connection closes, whatever it is doing.
"""

from __future__ import annotations

import faulthandler
import fcntl
import gc
import json
import logging
import os
import queue
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from models import device
from models.blobs import Blobs
from models.catalog import Catalog, load_catalog
from models.events import Progress, to_wire
from models.family import Cost
from models.runtime import memory, tools, wire
from models.runtime.engine import run_request
from models.runtime.registry import Registry
from models.settings import Settings
from models.types import Request

log = logging.getLogger("models.runtime.worker")


class Worker:
    """Serve one app over one connection until it closes."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._settings = settings
        self._sender = wire.Sender(connection)
        self._connection = connection
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._calls: queue.Queue[dict[str, Any]] = queue.Queue()
        self._stopped: set[str] = set()  # ids whose Stop was asked for, queued ones included
        self._skipped: set[str] = set()  # ids whose Skip was asked for and not yet heeded
        self._catalog: Catalog = load_catalog(settings, strict=False)
        self._blobs = Blobs(settings.data_dir)
        self._registry: Registry | None = None
        self._phase = "warming"
        self._since = time.time()

    def serve(self) -> None:
        """Warm up and run requests; returns when the app says `quit`."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._answer, name="tools", daemon=True).start()
        self._push_state()
        device.import_libraries(self._settings)
        budget = memory.budget_bytes(self._settings)
        memory.limit_data(budget)
        self._registry = Registry(self._catalog, budget, on_change=self._push_state)
        # what was imported never becomes garbage: keep it out of every later collection
        gc.collect()
        gc.freeze()
        self._phase, self._since = "ready", time.time()
        self._push_state()
        while (message := self._requests.get()) is not None:
            self._run(message)
        self._sender.close()

    def _read(self) -> None:
        try:
            while True:
                header, _ = wire.unpack(self._connection.recv_bytes())
                op = header["op"]
                if op == "generate":
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
        job = message["id"]
        registry = self._registry
        assert registry is not None
        if job in self._stopped:  # stopped while it waited
            self._stopped.discard(job)
            return
        try:
            # from here on the run is this worker's: a Stop must be heeded, a death is counted
            self._sender.send({"op": "event", "id": job, "event": to_wire(Progress("start"))[0]})
            events = run_request(
                Request.model_validate(message["request"]),
                self._catalog,
                registry,
                self._settings,
                stopped=lambda: job in self._stopped,
                skipped=lambda: self._take_skip(job),
                open_ref=self._blobs.get_bytes,
                open_beside=self._blobs.get_beside,
                asker=message.get("asker", ""),
            )
            for event in events:
                header, blobs = to_wire(event)
                slot = f"preview-{job}" if event.kind == "preview" else ""
                self._sender.send({"op": "event", "id": job, "event": header}, blobs, slot)
            self._sender.send({"op": "end", "id": job})
        except Exception as error:
            self._sender.send({"op": "error", "id": job, "error": tools.as_error(error).to_dict()})
        finally:
            self._stopped.discard(job)
            self._skipped.discard(job)

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
        tools.check_budget(cost, self._settings, memory.budget_bytes(self._settings))
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


def hold_lock(path: Path) -> IO[str]:
    """Wait for the OS lock that keeps an app process to one worker, and hold it until the file is closed.

    A worker that is being replaced lets it go when it ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("w")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def main() -> None:
    """Read the one line of set-up from stdin and serve."""
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    setup = json.loads(sys.stdin.readline())
    sys.stdin.close()
    settings = Settings.model_validate(setup["settings"])
    lock = hold_lock(settings.data_dir / f"worker-{setup['app_pid']}.lock")
    memory.prefer_killing_me()
    connection = wire.connect(setup["port"], bytes.fromhex(setup["key"]))
    try:
        Worker(connection, settings).serve()
    finally:
        lock.close()


if __name__ == "__main__":
    main()
