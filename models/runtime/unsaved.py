"""Runs that could not be saved, as the index was out of reach or a disk full: they are tried again until they are.

What was made stays on its page meanwhile, which says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from models.errors import PlaygroundError
from models.runtime.job import Job
from models.types import Run

log = logging.getLogger(__name__)
AGAIN_S = 5.0
MOST_BYTES = 200_000_000  # of the outputs of runs that wait
AGAIN = "It is tried again every few seconds while the app runs."


class Unsaved:
    """Keep runs by `save`, and those that it refuses for now a little later. `jobs` guards what jobs hold."""

    def __init__(
        self, save: Callable[[Job, Run], None], jobs: AbstractContextManager[Any], again_s: float = AGAIN_S
    ) -> None:
        self._save, self._jobs, self._again_s = save, jobs, again_s
        self._guard, self._ended = threading.Lock(), threading.Event()
        self._waiting: list[tuple[Job, Run]] = []
        self._thread: threading.Thread | None = None

    def keep(self, job: Job, run: Run) -> None:
        """Save a run; where that fails, the run's `not_stored` says why, and it is tried again if that may help."""
        try:
            self._save(job, run)
        except PlaygroundError as error:
            # the result stays on the page; only keeping it failed
            log.error("run %s was not stored: %s", run.id, error.message)
            run.stats["not_stored"] = error.message
            if error.details.get("later") or error.details.get("full"):
                self._wait(job, run)

    def move(self, old: str, new: str) -> None:
        """Hand what waits of one owner to another."""
        self._change(old, lambda job: setattr(job, "owner", new))

    def forget(self, owner: str) -> None:
        """Drop what waits of an owner; what is being saved just now is deleted again by who saves it."""
        self._change(owner, lambda job: setattr(job, "forgotten", True))
        with self._guard:
            self._waiting = [one for one in self._waiting if not one[0].forgotten]

    def _change(self, owner: str, change: Callable[[Job], None]) -> None:
        with self._guard:
            jobs = [job for job, _ in self._waiting]
        with self._jobs:
            for job in jobs:
                if job.owner == owner:
                    change(job)

    def close(self) -> None:
        """Try once more what waits, and end."""
        self._ended.set()
        self._try()

    def _wait(self, job: Job, run: Run) -> None:
        with self._guard:
            held = sum(len(output.data) for _, one in (*self._waiting, (job, run)) for output in one.outputs)
            if held > MOST_BYTES:
                return
            run.stats["not_stored"] = f"{run.stats['not_stored']} {AGAIN}"
            self._waiting.append((job, run))
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._go_on, name="jobs-unsaved", daemon=True)
                self._thread.start()

    def _go_on(self) -> None:
        while not self._ended.wait(self._again_s):
            self._try()
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return

    def _try(self) -> None:
        with self._guard:
            waiting = list(self._waiting)
        for job, run in waiting:
            said = run.stats.pop("not_stored", None)
            try:
                self._save(job, run)
            except PlaygroundError:
                if said is not None:
                    run.stats["not_stored"] = said
                return  # the others would fare no better, and the order stays
            log.info("run %s is stored now", run.id)
            with self._guard:
                self._waiting = [one for one in self._waiting if one[1] is not run]
            with self._jobs:
                job.version += 1
