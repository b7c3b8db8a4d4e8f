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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from models.errors import ModelRefused, NotEnoughMemory, PlaygroundError, WorkerDied, error_from_dict
from models.events import Event, Final
from models.runtime import locks, together
from models.runtime.drive import Drive
from models.runtime.engine import EngineState, StopSignal
from models.runtime.worker_process import TICK_S, WorkerProcess, fingerprint
from models.settings import Settings
from models.types import Request

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 20.0
STARTS = 4  # a run may be asked for again in a fresh worker, twice at most, and find one that does not start
EMPTY_WAIT_S = 5.0
GAIN_BYTES = 32_000_000  # a fresh worker that has less than this more is no other chance
OUT_OF_MEMORY = "out_of_memory"
DEATHS_UNTIL_REFUSED = 2
LONGEST_PAUSE_S = 60.0
LOCKS = "worker-*.lock"
NOT_STARTED = "The worker process does not start."


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
        self._pause_until = 0.0  # by the monotonic clock
        self._worker: WorkerProcess | None = None
        locks.sweep(self._settings.data_dir, LOCKS)
        with suppress(PlaygroundError):  # the state says why, and it is tried again
            self._start()
        threading.Thread(target=self._watch, name="worker-watch", daemon=True).start()

    def generate(self, request: Request, stop: StopSignal | None = None) -> Iterator[Event]:
        """Yield the run's events; see `Engine.generate`.

        Raises `WorkerDied` if the process ends under the run, and `ModelRefused` for a model that ended it
        twice in a row, until `allow`. A run that was lost because memory ran out is made again, once, in a
        fresh worker that holds nothing else; such a death never counts against a model. An unheeded Stop kills
        the worker after the larger of `Settings.stop_grace_s` and three times this run's slowest step; during a
        load only if Stop is forced.
        """
        stop = stop or StopSignal()
        with self._guard:
            if request.model in self._refused:
                raise ModelRefused(
                    f"{request.model} crashed the worker {DEATHS_UNTIL_REFUSED} times in a row and is now blocked. "
                    "Press “Try anyway”, or choose another model.",
                    reason="refused", model=request.model,
                )  # fmt: skip
        again: set[str] = set()  # why it was asked for again: each once
        for _ in range(STARTS):
            worker = self._current(asked=True)
            run = Drive(worker, {"request": request.model_dump()}, stop, self._settings.stop_grace_s)
            try:
                for _, event in run.events(self.state):
                    assert not isinstance(event, PlaygroundError)  # that is raised, of a single run
                    yield _noted(event) if event.kind == "final" and "lost" in again else event
            except NotEnoughMemory as error:
                gains = error.details.get("gain_bytes", 0) >= GAIN_BYTES
                why = "fresh" if error.details.get("fresh") else "lost" if gains else ""
                if not why or why in again or stop.asked:
                    raise
                again.add(why)
                self._empty(worker)
                continue
            if run.outcome == "end":
                with self._guard:
                    self._deaths.pop(request.model, None)
            if run.outcome != "died":
                return
            reason = worker.reason()
            blameless = (run.resting or reason == "replaced") and reason != "closed" and not stop.asked
            if run.started and not blameless:
                death = self._death(worker, request.model, "lost" in again)
                if death.details["reason"] != OUT_OF_MEMORY or "lost" in again or stop.asked:
                    raise death
                again.add("lost")
                log.warning("%s was lost: out of memory; it is made again alone", request.model)
            # the worker died before it took the request up, or while another run was before it: nothing of the cause
            # is lost, the next worker runs it from its beginning
        raise WorkerDied(f"{NOT_STARTED} {self.state().problem or _DEATHS[worker.reason()]}", reason=worker.reason())

    def generate_together(
        self, requests: Sequence[Request], stop: StopSignal | None = None
    ) -> Iterator[tuple[int, Event | PlaygroundError]]:
        """Yield the runs' events; see `Engine.generate_together`. What a death leaves is made alone (`generate`)."""
        stop = stop or StopSignal()
        return together.rest_alone(
            lambda request: self.generate(request, stop), requests, lambda: stop.asked, self._at_once(requests, stop)
        )

    def _at_once(self, requests: Sequence[Request], stop: StopSignal) -> Iterator[together.Told]:
        model = requests[0].model
        with self._guard:
            if model in self._refused:
                return
        worker = self._current(asked=True)
        several = {"requests": [request.model_dump() for request in requests]}
        run = Drive(worker, several, stop, self._settings.stop_grace_s)
        yield from run.events(self.state)
        if run.outcome == "died":
            if run.started and not run.resting and worker.reason() != "replaced":
                raise self._death(worker, model, False)
            return
        with self._guard:
            self._deaths.pop(model, None)

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
        locks.sweep(self._settings.data_dir, LOCKS)

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

    def _start(self, *, asked: bool = True) -> WorkerProcess:
        """Return the living worker, or start one; unless somebody `asked`, not in the pause after a failed start.

        Raises `PlaygroundError` where it cannot be started.
        """
        with self._guard:
            if self._closed.is_set():
                raise PlaygroundError("The playground is shutting down.")
            if self._worker is None or self._worker.died.is_set():
                if not asked and time.monotonic() < self._pause_until:
                    raise PlaygroundError(f"{NOT_STARTED} {self._state.problem}")
                try:
                    self._worker = WorkerProcess(self._settings, self._on_state)
                except PlaygroundError as error:
                    self._not_started(error.message)
                    raise PlaygroundError(f"{NOT_STARTED} {error.message}") from error
                self._state = replace(
                    self._state, phase="starting", since=time.time(), pid=self._worker.process.pid,
                    loaded=(), used_bytes=0,
                )  # fmt: skip
            return self._worker

    def _not_started(self, problem: str) -> None:
        """Note, under the guard, why no worker started, and when it is tried again: each time after a longer pause."""
        self._starts_failed += 1
        pause = min(LONGEST_PAUSE_S, 2.0 ** (self._starts_failed - 1))
        self._pause_until = time.monotonic() + pause
        self._state = replace(
            self._state, phase="stopped", since=time.time(), pid=None, loaded=(), used_bytes=0, problem=problem,
            retry_at=time.time() + pause,
        )  # fmt: skip
        log.error("the worker does not start (tried again in %.0f s): %s", pause, problem)

    def _current(self, *, asked: bool = False) -> WorkerProcess:
        """Return a living worker that runs the code as it is now on disk."""
        worker = self._start(asked=asked)
        if not worker.busy() and fingerprint(self._settings) != worker.fingerprint:
            self._replace(worker)
            worker = self._start()
        return worker

    def _replace(self, worker: WorkerProcess) -> None:
        log.info("worker %s is replaced", worker.process.pid)
        worker.retire()
        worker.died.wait(START_TIMEOUT_S)

    def _empty(self, worker: WorkerProcess) -> None:
        """Replace a worker by a fresh one, which holds no model and none of what libraries and allocator keep."""
        limit = time.monotonic() + EMPTY_WAIT_S
        while worker.busy() and time.monotonic() < limit:  # a tool may still be answering
            time.sleep(TICK_S)
        self._replace(worker)

    def _watch(self) -> None:
        """Replace an idle worker whose code changed; start one where none lives."""
        last = ""
        while not self._closed.wait(1.0):
            with self._guard:
                worker = self._worker
                due = time.monotonic() >= self._pause_until
            now = fingerprint(self._settings)
            settled, last = now == last, now  # not in the middle of a save of several files
            changed = worker is not None and now != worker.fingerprint
            with suppress(PlaygroundError):
                if worker is None or worker.died.is_set():
                    if due or (changed and settled):
                        self._start()
                elif changed and settled and not worker.busy():
                    self._replace(worker)
                    self._start()

    def _on_state(self, worker: WorkerProcess, header: dict[str, Any] | None) -> None:
        with self._guard:
            if worker is not self._worker:
                return
            if header is None:
                if self._state.phase in ("starting", "warming") and not worker.killed_for:
                    self._not_started(worker.why())
                    return
                self._state = replace(self._state, phase="stopped", since=time.time(), loaded=(), used_bytes=0)
                return
            if header["phase"] == "ready":
                self._starts_failed, self._pause_until = 0, 0.0
                self._state = replace(self._state, problem="", retry_at=0.0)
            self._state = replace(
                self._state, phase=header["phase"], since=header["since"], loaded=tuple(header["loaded"]),
                used_bytes=header["used_bytes"], budget_bytes=header["budget_bytes"],
            )  # fmt: skip

    def _death(self, worker: WorkerProcess, model: str, again: bool) -> WorkerDied:
        reason = worker.reason()
        with self._guard:
            # a new worker may be starting by now: what it does says nothing of the one that died
            warming = worker is self._worker and self._state.phase in ("starting", "warming")
            if reason not in ("replaced", "closed", OUT_OF_MEMORY):
                self._deaths[model] = self._deaths.get(model, 0) + 1
                if self._deaths[model] >= DEATHS_UNTIL_REFUSED:
                    self._refused.add(model)
            told = _TWICE if again and reason == OUT_OF_MEMORY else _DEATHS[reason] + _AFTER * (reason != "closed")
            error = WorkerDied(told, reason=reason, model=model, warming=warming)
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
_TWICE = (
    "The machine ran out of memory twice while it ran this, the second time with all other models unloaded. "
    "What it had made so far is kept. Choose smaller settings or a smaller model."
)
_AGAIN = "The machine ran out of memory at the first try. This was made again, with all other models unloaded."
_AFTER = " What it had made so far is kept, and a fresh worker starts."


def _noted(final: Final) -> Final:
    """Return a run's end that says that it was made again."""
    return Final(final.outputs, {**final.stats, "notes": [*final.stats.get("notes", []), _AGAIN]})
