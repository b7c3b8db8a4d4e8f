"""One message to a worker that asks for runs, from asking to their end, as the app sees it."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Literal

from models.errors import error_from_dict
from models.events import RESTING, Event, Final, Progress, from_wire
from models.runtime.engine import EngineState, StopSignal
from models.runtime.together import Told
from models.runtime.worker_process import TICK_S, WorkerProcess


class Drive:
    """Drive one request, or several at once, on one worker: pass the events on with the index of their request, send
    Stop, and kill a worker that does not heed it. `asked` is the message's part that holds the requests.
    """

    def __init__(self, worker: WorkerProcess, asked: dict[str, Any], stop: StopSignal, grace_s: float) -> None:
        self._worker, self._asked, self._stop, self._grace_s = worker, asked, stop, grace_s
        self._asked_at: float | None = None
        self._stage = ""
        self._last = time.monotonic()
        self._heeded = False
        self._slowest_s = 0.0  # the longest gap between two events outside of a load
        self.started = False
        self.outcome: Literal["", "end", "stopped", "died"] = ""

    def events(self, state: Callable[[], EngineState]) -> Iterator[Told]:
        """Yield the run's events until it ends, dies or is stopped. Raises what the run raised."""
        run = uuid.uuid4().hex
        inbox = self._worker.open_inbox(run)
        self._worker.ask(
            {"op": "generate", "id": run, "asker": self._stop.asker, "ahead": self._stop.ahead, **self._asked}
        )
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
                    yield 0, Final((), {"stopped": True, "seconds": 0.0})
                    return
                if self._overdue():
                    self._worker.kill("unresponsive")
                try:
                    answer = inbox.get(timeout=TICK_S)
                except queue.Empty:
                    phase = state().phase
                    if not self.started and phase != told and phase in ("starting", "warming"):
                        told = phase
                        yield 0, Progress("warm-up")
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
                index = int(header.get("index", 0))
                if header["op"] == "failed":
                    yield index, error_from_dict(header["error"])
                    continue
                event = from_wire(header["event"], blobs)
                self._saw(event)
                yield index, event
        finally:
            self._worker.close_inbox(run)
            if not self.outcome:  # the caller went away: nobody reads on
                self._worker.ask({"op": "stop", "id": run})

    @property
    def resting(self) -> bool:
        """Say whether the run is set aside."""
        return self._stage == RESTING

    def _saw(self, event: Event) -> None:
        now = time.monotonic()
        if self._stage in ("load", RESTING) and self._asked_at is not None:
            self._asked_at = now  # it hears of Stop only now
        elif self._asked_at is not None and not self._heeded and event.kind == "progress" and event.stage == "decode":
            self._asked_at, self._heeded = now, True  # it heard of Stop, and makes a result of what there is
        if self.started and self._stage not in ("load", RESTING):
            self._slowest_s = max(self._slowest_s, now - self._last)
        self._last, self.started = now, True
        self._stage = event.stage if event.kind == "progress" else "generate"

    def _overdue(self) -> bool:
        if self._asked_at is None or self._worker.killed_for:
            return False
        if self.resting:
            return False  # the run before it is no fault of this one
        if self._stage == "load":
            return self._stop.forced
        return time.monotonic() - self._asked_at > max(self._grace_s, 3 * self._slowest_s)
