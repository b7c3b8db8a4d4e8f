"""What there is to know of a job, while it lives and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.events import Preview, Progress
from models.types import Request, Run

JobState = Literal["queued", "running", "done", "stopped", "failed"]
FINISHED = ("done", "stopped", "failed")


@dataclass(frozen=True)
class JobView:
    """Tell what a job last said: a snapshot, safe to keep. Times in UTC seconds since the epoch.

    `place` is 0 while it runs or is finished, else how many jobs run before it, plus 1. `index` is the request at
    hand. `preview` belongs to that request alone; `runs` are the finished ones in order. `steps_per_s` counts the
    steps of the request at hand since its first, in the unit that `progress` names. `version` grows with every change.
    `purpose` is the submitter's word for what the requests are together ("walk", "compare"). `at_once` are the
    indices of the requests that are being made at once; empty where one is made alone.
    """

    id: str
    owner: str
    state: JobState
    place: int
    requests: tuple[Request, ...]
    index: int
    progress: Progress | None
    preview: Preview | None
    runs: tuple[Run, ...]
    error: dict[str, Any] | None
    stopping: bool
    submitted_at: float
    started_at: float | None
    request_started_at: float | None
    steps_per_s: float
    finished_at: float | None
    version: int
    purpose: str = ""
    at_once: tuple[int, ...] = ()

    @property
    def finished(self) -> bool:
        """Say whether nothing more will come."""
        return self.state in FINISHED


def of_runs(runs: Sequence[Run]) -> JobView:
    """Return the finished job that stored runs were, in the order in which they were made; at least one is needed.

    What was never stored is unknown: requests that did not begin, and how long it waited.
    """
    first, last = runs[0], runs[-1]
    worst: JobState = next(
        (state for state in ("failed", "stopped") if any(run.status == state for run in runs)), "done"
    )
    begun, took = first.created_at, float(last.stats.get("seconds") or 0.0)
    return JobView(
        id=first.job, owner=first.owner, state=worst, place=0, requests=tuple(run.request for run in runs),
        index=len(runs) - 1, progress=None, preview=None, runs=tuple(runs), error=last.error, stopping=False,
        submitted_at=begun, started_at=begun, request_started_at=last.created_at, steps_per_s=0.0,
        finished_at=last.created_at + took, version=0, purpose=first.purpose,
    )  # fmt: skip
