"""The app's side of the worker process: start it, talk to it, notice its death, replace it.

Lock order: `_guard` protects what this object knows and is never held while a frame is sent, a process is waited
for or a callback runs.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from models.errors import ModelRefused, PlaygroundError, WorkerDied, error_from_dict
from models.events import Event, Final, Progress, from_wire
from models.runtime.engine import EngineState, StopSignal
from models.runtime.worker_process import TICK_S, WorkerProcess, fingerprint
from models.settings import Settings
from models.types import Request

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 20.0
STARTS = 3
DEATHS_UNTIL_REFUSED = 2


class WorkerEngine:
    """Run requests in a worker process that is replaced when it dies or when the code changes.

    The first worker starts at once and warms up in the background; requests may be made meanwhile.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._guard = threading.Lock()
        self._state = EngineState("starting", time.time())
        self._deaths: dict[str, int] = {}  # model id -> deaths in a row
        self._refused: set[str] = set()
        self._closed = threading.Event()
        self._starts_failed = 0
        self._worker: WorkerProcess | None = None
        self._start()
        threading.Thread(target=self._watch, name="worker-watch", daemon=True).start()

    def generate(self, request: Request, stop: StopSignal | None = None) -> Iterator[Event]:
        """Yield the run's events; see `Engine.generate`.

        Raises `WorkerDied` if the process ends under the run, and `ModelRefused` for a model that ended it
        twice in a row, until `allow`. An unheeded Stop kills the worker after the larger of
        `Settings.stop_grace_s` and three times this run's slowest step; during a load only if Stop is forced.
        """
        stop = stop or StopSignal()
        with self._guard:
            if request.model in self._refused:
                raise ModelRefused(
                    f"{request.model} crashed the worker {DEATHS_UNTIL_REFUSED} times in a row and is now blocked. "
                    "Press “Try anyway”, or choose another model.",
                    reason="refused", model=request.model,
                )  # fmt: skip
        for _ in range(STARTS):
            worker = self._current()
            run = _Drive(worker, request, stop, self._settings.stop_grace_s)
            yield from run.events(self.state)
            if run.outcome == "end":
                with self._guard:
                    self._deaths.pop(request.model, None)
            if run.outcome != "died":
                return
            if run.started:
                raise self._death(worker, request.model)
            # the worker died before it took the request up: nothing is lost, ask the next one
        raise WorkerDied(_DEATHS[worker.reason()] + " It could not be started again.", reason=worker.reason())

    def call(self, model: str, tool: str, data: dict[str, Any], stop: StopSignal | None = None) -> dict[str, Any]:
        """Return what a family's tool says; see `Engine.call`.

        Waits at most `CALL_TIMEOUT_S`, but for a tool that takes long: that ends by itself, or by `stop`.
        """
        return self._round_trip({"op": "call", "model": model, "tool": tool, "data": data}, stop)

    def unload(self, model: str) -> None:
        """Drop a loaded model; see `Engine.unload`."""
        self._round_trip({"op": "unload", "model": model})

    def allow(self, model: str) -> None:
        """Run a refused model all the same."""
        with self._guard:
            self._refused.discard(model)
            self._deaths.pop(model, None)
            self._state = replace(self._state, refused=tuple(sorted(self._refused)))

    def state(self) -> EngineState:
        """Return the last state that the worker pushed; never waits."""
        with self._guard:
            return self._state

    def close(self) -> None:
        """End the worker, whatever it is doing, and this object's threads. A run under way ends as `WorkerDied`."""
        self._closed.set()
        with self._guard:
            worker = self._worker
            self._state = EngineState("stopped", time.time())
        if worker is not None and not worker.died.is_set():
            worker.kill("closed")  # it keeps nothing that a gentle end would save, and may be deep in a load
            worker.process.wait()

    def _round_trip(self, message: dict[str, Any], stop: StopSignal | None = None) -> dict[str, Any]:
        worker = self._current()
        call = uuid.uuid4().hex
        inbox = worker.open_inbox(call)
        limit: float | None = time.monotonic() + CALL_TIMEOUT_S
        long = asked = False
        answer: tuple[dict[str, Any], list[bytes]] | None = None
        try:
            worker.ask({**message, "id": call})
            while True:
                if long and stop is not None and stop.asked and not asked:
                    asked = True
                    worker.ask({"op": "stop", "id": call})
                with suppress(queue.Empty):
                    answer = inbox.get(timeout=TICK_S)
                    if answer is None or answer[0]["op"] != "long":
                        long = False
                        break
                    long, limit = True, None  # its process has a deadline of its own
                if limit is not None and time.monotonic() > limit:
                    raise PlaygroundError("The worker did not answer in time. Try again.")
        finally:
            worker.close_inbox(call)
            if long and not asked:  # the caller went away
                worker.ask({"op": "stop", "id": call})
        if answer is None:
            raise WorkerDied("The worker process ended before it answered. Try again.", reason=worker.reason())
        header, _ = answer
        if header["op"] == "error":
            raise error_from_dict(header["error"])
        data: dict[str, Any] = header["data"]
        return data

    def _start(self) -> WorkerProcess:
        with self._guard:
            if self._closed.is_set():
                raise PlaygroundError("The playground is shutting down.")
            if self._worker is None or self._worker.died.is_set():
                self._worker = WorkerProcess(self._settings, self._on_state)
                self._state = replace(
                    self._state, phase="starting", since=time.time(), pid=self._worker.process.pid,
                    loaded=(), used_bytes=0,
                )  # fmt: skip
            return self._worker

    def _current(self) -> WorkerProcess:
        """Return a living worker that runs the code as it is now on disk."""
        worker = self._start()
        if not worker.busy() and fingerprint(self._settings) != worker.fingerprint:
            self._replace(worker)
            worker = self._start()
        return worker

    def _replace(self, worker: WorkerProcess) -> None:
        log.info("the code changed: worker %s is replaced", worker.process.pid)
        worker.retire()
        worker.died.wait(START_TIMEOUT_S)

    def _watch(self) -> None:
        """Replace an idle worker whose code changed; start one where none lives."""
        last = ""
        while not self._closed.wait(1.0):
            with self._guard:
                worker = self._worker
            if worker is None:
                continue
            now = fingerprint(self._settings)
            settled, last = now == last, now  # not in the middle of a save of several files
            changed = now != worker.fingerprint
            with suppress(PlaygroundError):
                if worker.died.is_set() and (self._starts_failed < 3 or (changed and settled)):
                    self._start()
                elif changed and settled and not worker.busy() and not worker.died.is_set():
                    self._replace(worker)
                    self._start()

    def _on_state(self, worker: WorkerProcess, header: dict[str, Any] | None) -> None:
        with self._guard:
            if worker is not self._worker:
                return
            if header is None:
                if self._state.phase in ("starting", "warming") and not worker.killed_for:
                    self._starts_failed += 1
                self._state = replace(self._state, phase="stopped", since=time.time(), loaded=(), used_bytes=0)
                return
            if header["phase"] == "ready":
                self._starts_failed = 0
            self._state = replace(
                self._state, phase=header["phase"], since=header["since"], loaded=tuple(header["loaded"]),
                used_bytes=header["used_bytes"], budget_bytes=header["budget_bytes"],
            )  # fmt: skip

    def _death(self, worker: WorkerProcess, model: str) -> WorkerDied:
        reason = worker.reason()
        warming = self.state().phase in ("starting", "warming")
        with self._guard:
            if reason not in ("replaced", "closed"):
                self._deaths[model] = self._deaths.get(model, 0) + 1
                if self._deaths[model] >= DEATHS_UNTIL_REFUSED:
                    self._refused.add(model)
            error = WorkerDied(
                _DEATHS[reason] + _AFTER * (reason != "closed"), reason=reason, model=model, warming=warming
            )
            self._state = replace(self._state, last_death=error.to_dict(), refused=tuple(sorted(self._refused)))
        return error


_DEATHS = {
    "killed": "The worker process was killed from outside while it ran this.",
    "crashed": "The worker process crashed in native code while it ran this.",
    "out_of_memory": "The machine ran out of memory while it ran this, and the worker process was ended.",
    "unresponsive": "The model did not stop when asked, so its worker process was ended.",
    "exited": "The worker process ended by itself while it ran this; worker.log in the data folder says why.",
    "replaced": "The worker process was replaced by a newer one.",
    "closed": "The playground was ended while it ran this. What it had made so far is kept.",
}
_AFTER = " What it had made so far is kept, and a fresh worker starts."


class _Drive:
    """Drive one request on one worker: pass its events on, send Stop, and kill a worker that does not heed it."""

    def __init__(self, worker: WorkerProcess, request: Request, stop: StopSignal, grace_s: float) -> None:
        self._worker, self._request, self._stop, self._grace_s = worker, request, stop, grace_s
        self._asked_at: float | None = None
        self._stage = ""
        self._last = time.monotonic()
        self._slowest_s = 0.0  # the longest gap between two events outside of a load
        self.started = False
        self.outcome: Literal["", "end", "stopped", "died"] = ""

    def events(self, state: Callable[[], EngineState]) -> Iterator[Event]:
        """Yield the run's events until it ends, dies or is stopped. Raises what the run raised."""
        run = uuid.uuid4().hex
        inbox = self._worker.open_inbox(run)
        self._worker.ask({"op": "generate", "id": run, "request": self._request.model_dump(),
                          "asker": self._stop.asker})  # fmt: skip
        told = ""
        try:
            while not self.outcome:
                if self._stop.asked and self._asked_at is None:
                    self._asked_at = time.monotonic()
                    self._worker.ask({"op": "stop", "id": run})
                if self._stop.take_skip():
                    self._worker.ask({"op": "skip", "id": run})
                if self._asked_at is not None and not self.started:
                    self.outcome = "stopped"  # still waiting for the worker to warm up: end at once
                    yield Final((), {"stopped": True, "seconds": 0.0})
                    return
                if self._overdue():
                    self._worker.kill("unresponsive")
                try:
                    answer = inbox.get(timeout=TICK_S)
                except queue.Empty:
                    phase = state().phase
                    if not self.started and phase != told and phase in ("starting", "warming"):
                        told = phase
                        yield Progress("warm-up")
                    continue
                if answer is None:
                    self.outcome = "died"
                    return
                header, blobs = answer
                if header["op"] == "error":
                    self.outcome = "end"
                    raise error_from_dict(header["error"])
                if header["op"] == "end":
                    self.outcome = "end"
                    return
                event = from_wire(header["event"], blobs)
                self._saw(event)
                yield event
        finally:
            self._worker.close_inbox(run)
            if not self.outcome:  # the caller went away: nobody reads on
                self._worker.ask({"op": "stop", "id": run})

    def _saw(self, event: Event) -> None:
        now = time.monotonic()
        if self.started and self._stage != "load":
            self._slowest_s = max(self._slowest_s, now - self._last)
        self._last, self.started = now, True
        self._stage = event.stage if event.kind == "progress" else "generate"

    def _overdue(self) -> bool:
        if self._asked_at is None or self._worker.killed_for:
            return False
        if self._stage == "load":
            return self._stop.forced
        return time.monotonic() - self._asked_at > max(self._grace_s, 3 * self._slowest_s)
