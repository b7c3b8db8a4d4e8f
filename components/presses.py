"""One press is one run, however often a browser sends it: a double click, two tabs, forty messages at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from models.runtime.job import Choose
from models.runtime.jobs import Jobs
from models.types import Request

AGAIN_S = 1.0  # nobody sees a result, changes nothing and asks for the very same again within it


class Presses:
    """Know what was asked for a moment ago. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._last: dict[str, tuple[float, tuple[str, ...], str]] = {}  # by owner: when, what, the job

    def submit(
        self, jobs: Jobs, owner: str, requests: Sequence[Request], purpose: str = "", budget_s: float | None = None,
        choose: Choose | None = None,
    ) -> str:  # fmt: skip
        """Queue a job and return its id; that of the last one where it is the same and goes on or is just done.

        Raises `BadRequest` errors and `QueueFull`.
        """
        asked = (purpose, *(request.canonical() for request in requests))
        with self._guard:  # held while it is queued, which takes a moment: two at once are one after the other
            now = self._clock()
            self._last = {whose: last for whose, last in self._last.items() if now - last[0] < AGAIN_S}
            if owner in self._last and self._last[owner][1] == asked:
                view = jobs.view(owner, self._last[owner][2])
                if view is not None and not view.stopping and view.state not in ("stopped", "failed"):
                    return view.id
            job = jobs.submit(owner, requests, purpose, budget_s, choose)
            self._last[owner] = (now, asked, job)
            return job
