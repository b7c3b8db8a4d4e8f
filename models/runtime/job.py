"""A job as the queue keeps it. What the outside sees of it is `models.runtime.job_view`."""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.errors import PlaygroundError
from models.events import RESTING, Event, Final, Preview, Progress, is_stepping
from models.runtime.engine import StopSignal
from models.runtime.forecasts import Work
from models.runtime.job_view import JobState, JobView
from models.runtime.turns import Open, Waiting
from models.sweeps.spec import PURPOSE
from models.types import STUDY, WRITING, Request, Run, RunStatus

log = logging.getLogger(__name__)
MOST_AT_ONCE = 64  # requests that are looked at for such as may be made together
# the runs that there are and the indices of the requests that are left → those, the next one first
Choose = Callable[[Sequence[Run], Sequence[int]], Sequence[int]]


@dataclass
class Job:
    """Hold one or more requests of one owner, and how far they are. `Jobs` guards every field."""

    id: str
    owner: str
    requests: tuple[Request, ...]
    purpose: str = ""
    client: str = ""  # the network address of its owner
    works: tuple[Work, ...] = ()  # of each request
    forecast_s: float = 1.0  # of all of them
    state: JobState = "queued"
    index: int = 0
    progress: Progress | None = None
    preview: Preview | None = None
    runs: list[Run] = field(default_factory=list)
    error: dict[str, Any] | None = None
    stop: StopSignal = field(default_factory=StopSignal)
    submitted_at: float = field(default_factory=time.time)
    asked_at: float = field(default_factory=time.monotonic)  # the same, monotonic
    started_at: float | None = None
    request_started_at: float | None = None
    first_step: tuple[int, float] | None = None  # step and monotonic time
    counts: tuple[str, str] = ("", "")  # stage and unit of the steps that the speed tells of
    steps_per_s: float = 0.0
    finished_at: float | None = None
    version: int = 0
    forgotten: bool = False  # its owner wants nothing of it kept
    began: float | None = None  # monotonic time, as are those below: its engine took it up
    rested_s: float = 0.0  # set aside for others
    resting_since: float | None = None
    budget_s: float | None = None  # begins no further request after so many seconds
    choose: Choose | None = None  # sorts what is left before each
    at_once: tuple[int, ...] = ()  # indices of the requests that were begun together, made or not
    made: set[int] = field(default_factory=set)  # indices of the requests that have a run
    not_for: set[str] = field(default_factory=set)  # jobs that do not fit beside the request at hand

    @property
    def leaves_nothing(self) -> bool:
        """Say whether no run of it is stored: what was said to be written down is no result, nor is what was forgotten.

        Words that are written into a prompt come back as that of the run that is then made.
        """
        return self.forgotten or self.purpose == WRITING

    @property
    def place_of(self) -> tuple[str, str]:
        """Return whose last finished job it is, and of what kind: one of another kind does not take its place.

        A study looks into the result of a generation, and what is written goes before one.
        """
        return self.owner, self.purpose if self.purpose in (STUDY, WRITING) else ""

    def turn_to(self, index: int, now: float) -> None:
        """Make a request the one at hand, `now` in UTC seconds: what was told of another one does not count."""
        self.index, self.preview, self.progress = index, None, None
        self.first_step, self.steps_per_s, self.counts = None, 0.0, ("", "")
        self.request_started_at = now
        self.version += 1

    def run_of(self, request: Request, created_at: float, final: Final | None, error: PlaygroundError | None) -> Run:
        """Return the run of a request that came to an end, or to none: then its last preview is what it had so far."""
        status: RunStatus = "done"
        if error is not None:
            status = "failed"
        elif final is None or final.stats.get("stopped"):
            status = "stopped"
        last = final or self.preview
        return Run(
            id=uuid.uuid4().hex, owner=self.owner, job=self.id, request=request, status=status, created_at=created_at,
            outputs=list(last.outputs) if last else [], stats=last.stats.copy() if last else {},
            error=error.to_dict() if error else None, purpose=self.purpose,
        )  # fmt: skip

    def take(self, event: Event, now: float) -> None:
        """Take in what the engine says at `now`, monotonic seconds."""
        self.version += 1
        if event.kind == "preview":
            self.preview = event  # of the step before, where it is set aside
        if event.kind != "progress":
            return
        before, self.progress = self.progress, event
        if event.stage == RESTING:
            self.resting_since = now if self.resting_since is None else self.resting_since
        else:
            self._go_on(now)
            if event.stage != "warm-up" and self.began is None:
                self.began = now
        if not is_stepping(event):
            self.first_step = None  # the pictures after these count their steps anew
        elif self.counts != (event.stage, event.unit):  # tokens, and then tunes
            self.counts, self.first_step, self.steps_per_s = (event.stage, event.unit), None, 0.0
        elif before is not None and event.step < before.step:
            self.first_step = None
        if is_stepping(event) and event.step:
            first_step, first_at = self.first_step = self.first_step or (event.step, now)
            if event.step > first_step and now > first_at:
                self.steps_per_s = (event.step - first_step) / (now - first_at)

    def ran_s(self, now: float) -> float:
        """Return for how many seconds it has run, without those for which it was set aside."""
        return 0.0 if self.began is None else max(0.0, now - self.began - self.aside_s(now))

    def aside_s(self, now: float) -> float:
        """Return for how many seconds it has been set aside."""
        return self.rested_s + (0.0 if self.resting_since is None else now - self.resting_since)

    def left_s(self, now: float) -> float:
        """Return the seconds that are left of its budget."""
        return math.inf if self.budget_s is None else self.budget_s - self.ran_s(now)

    def is_spent(self, now: float) -> bool:
        """Say whether its budget is used up; the first request is made whatever the budget is."""
        return bool(self.runs) and self.left_s(now) <= 0

    def sorted(self, left: list[int]) -> list[int]:
        """Return the indices of the requests that are left, the next one first; where `choose` fails, as they are."""
        if self.choose is None or len(left) < 2:
            return left
        try:
            return list(self.choose(tuple(self.runs), left))
        except Exception:
            log.exception("what comes next in job %s could not be told", self.id)
            return left

    def ahead(self, left: Sequence[int]) -> list[Request]:
        """Return the next requests, if they may end in another order than they were asked for: cells of a sweep."""
        return [self.requests[index] for index in left[:MOST_AT_ONCE]] if self.purpose == PURPOSE else []

    def as_waiting(self, *, gone: bool = False) -> Waiting:
        """Return what the policy of turns needs to know of it while it waits."""
        return Waiting(self.id, self.owner, self.client, self.forecast_s, self.asked_at, gone)

    def as_open(self, now: float) -> Open:
        """Return what the policy of turns needs to know of it once it has begun."""
        return Open(
            self.id,
            self.owner,
            self.client,
            self.forecast_s,
            self.ran_s(now),
            self.aside_s(now),
            frozenset(self.not_for),
        )

    def view(self, place: int) -> JobView:
        """Return what the outside sees of it; `place` is its place in the queue."""
        return JobView(
            self.id, self.owner, self.state, place, self.requests, self.index, self.progress, self.preview,
            tuple(self.runs), self.error, self.stop.asked, self.submitted_at, self.started_at,
            self.request_started_at, self.steps_per_s, self.finished_at, self.version, self.purpose,
            tuple(index for index in self.at_once if index not in self.made),
        )  # fmt: skip

    def _go_on(self, now: float) -> None:
        if self.resting_since is not None:
            self.rested_s, self.resting_since = self.rested_s + now - self.resting_since, None


def internal(problem: Exception) -> PlaygroundError:
    """Return what a run is said to have ended by where something failed that nobody foresaw."""
    kind = type(problem).__name__
    return PlaygroundError(f"The run failed with an internal error ({kind}). Run it again; see worker.log.")
