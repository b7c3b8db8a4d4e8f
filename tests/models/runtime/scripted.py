"""Time and workers that do as a script says, for tests of what waits, stops, dies and comes back.

`Clock` stands for the module `time` in a module under test. `ScriptedWorker` stands for a `WorkerProcess`: no process,
no thread, no wire; its inbox passes the clock's seconds on until the next line of the script is due. `WireWorker` is
the process itself, played by a thread on the real wire.
"""

import json
import os
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from models.events import Event, Final, to_wire
from models.runtime import wire, worker_process


class Clock:
    """Stand for `time`: seconds pass where something sleeps or a test says so (`pass_s`)."""

    def __init__(self, now: float | None = None, epoch: float = 1_000_000.0) -> None:
        self.now = time.monotonic() if now is None else now
        self._ahead = epoch - self.now

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + self._ahead

    def sleep(self, seconds: float) -> None:
        self.pass_s(seconds)

    def pass_s(self, seconds: float) -> None:
        self.now += seconds


class HeldClock(Clock):
    """Stand for `time` where threads wait: what sleeps there sleeps really, but shortly, and no second passes by it."""

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.005))


class Line(NamedTuple):
    """Say what a worker does so many seconds after the line before: say an event, end, fail, die, or act."""

    after_s: float
    does: Event | Exception | str | Callable[[], None]  # "end", "die REASON"


def plain(*events: Any, every_s: float = 1.0) -> list[Line]:
    """Return a script that says one event after another and ends."""
    return [*(Line(every_s, event) for event in events), Line(0.0, "end")]


class Inbox:
    """Give what is due, by a clock that passes while it is waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lines: list[tuple[float, Any]] = []  # due, and what gives the answer

    def put(self, answer: Any, after_s: float = 0.0) -> None:
        self.lines.append((self._clock.now + after_s, answer))

    def get(self, timeout: float) -> Any:
        limit = self._clock.now + timeout
        while self.lines and self.lines[0][0] <= limit:
            due, answer = self.lines.pop(0)
            self._clock.now = max(self._clock.now, due)
            found = answer() if callable(answer) else answer
            if found is not _NOTHING:
                return found
        self._clock.now = limit
        raise queue.Empty


_NOTHING = object()


class ScriptedWorker:
    """Stand for a `WorkerProcess`: each run plays the next script of the class's list. `heeds`: it hears Stop within
    the step under way; `told` is what it was told, with the time.
    """

    scripts: list[list[Line]] = []
    made: list["ScriptedWorker"] = []
    clock: Clock = Clock(0.0)
    heeds = True

    def __init__(self, settings: Any, on_state: Callable[..., None]) -> None:
        self.fingerprint = worker_process.fingerprint(settings)
        self.died, self.killed_for, self.on_state, self.reason_now = threading.Event(), "", on_state, "killed"
        self.killed_at: float | None = None
        self.pending: dict[str, Inbox] = {}
        self.told: list[tuple[float, dict[str, Any]]] = []
        self.process = subprocess.CompletedProcess((), 0)
        self.process.pid = 1000 + len(self.made)
        self.process.wait = lambda timeout=None: 0
        self.made.append(self)

    def open_inbox(self, name: str) -> Inbox:
        self.pending[name] = Inbox(self.clock)
        if self.died.is_set():
            self.pending[name].put(None)
        return self.pending[name]

    def close_inbox(self, name: str) -> None:
        self.pending.pop(name, None)

    def busy(self) -> bool:
        return bool(self.pending)

    def reason(self) -> str:
        return self.killed_for or self.reason_now

    def why(self) -> str:
        return f"It ended ({self.reason()})."

    def kill(self, why: str) -> None:
        self.killed_for, self.killed_at = why, self.clock.now
        self._end()

    def retire(self) -> None:
        self.kill("replaced")

    def die(self, reason: str) -> None:
        self.reason_now = reason
        self._end()

    def ask(self, message: dict[str, Any]) -> None:
        self.told.append((self.clock.now, message))
        if message["op"] == "generate":
            after_s = 0.0
            for line in self.scripts.pop(0):
                after_s += line.after_s
                self.pending[message["id"]].put(self._act(line.does), after_s)
        elif message["op"] == "stop" and self.heeds and message["id"] in self.pending:
            inbox = self.pending[message["id"]]
            due = inbox.lines[0][0] if inbox.lines else self.clock.now  # at the end of the step under way
            inbox.lines = [(due, self._act(Final((), {"stopped": True}))), (due, self._act("end"))]

    def ops(self) -> list[str]:
        return [message["op"] for _, message in self.told]

    def _end(self) -> None:
        self.died.set()
        for inbox in list(self.pending.values()):
            inbox.lines = []
            inbox.put(None)

    def _act(self, does: Any) -> Callable[[], Any]:
        def act() -> Any:
            if callable(does):
                does()
                return _NOTHING
            if does == "end":
                return {"op": "end"}, []
            if isinstance(does, str):
                self.die(does.removeprefix("die "))
                return _NOTHING
            if isinstance(does, Exception):
                return {"op": "error", "error": does.to_dict()}, []
            header, blobs = to_wire(does)
            return {"op": "event", "event": header}, blobs

        return act


class WireWorker:
    """Stand for a worker's process, as `subprocess.Popen` makes it: a thread that speaks over the real wire."""

    made: list["WireWorker"] = []

    def __init__(self, *_: Any, **__: Any) -> None:
        self.pid, self.returncode = 7000 + len(self.made), None
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.connected, self.ended = threading.Event(), threading.Event()
        read, write = os.pipe()
        self.stdin = os.fdopen(write, "wb")
        self.made.append(self)
        threading.Thread(target=self._serve, args=(os.fdopen(read, "rb"),), daemon=True).start()

    def _serve(self, given: Any) -> None:
        with given:
            self.setup = json.loads(given.readline())
        self.connection = wire.connect(self.setup["port"], bytes.fromhex(self.setup["key"]))
        self.connected.set()
        try:
            while True:
                self.heard.put(wire.unpack(self.connection.recv_bytes())[0])
        except (EOFError, OSError):
            pass

    def say(self, header: dict[str, Any], blobs: tuple[bytes, ...] = ()) -> None:
        assert self.connected.wait(10)
        self.connection.send_bytes(wire.pack(header, blobs))

    def end(self, code: int) -> None:
        """End with an exit code, as a process does: then its connection is gone."""
        assert self.connected.wait(10)
        self.returncode = code
        self.ended.set()
        with socket.socket(fileno=os.dup(self.connection.fileno())) as end:  # a close alone waits for who reads
            end.shutdown(socket.SHUT_RDWR)

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return self.returncode
