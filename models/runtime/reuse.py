"""What of a job was made before: it is taken in, and not computed again.

The cells of a sweep take in whatever their owner has made by the time the job begins, as by a run that was under way
when the sweep was asked for. A single run takes in what a sweep has made. Any other run is computed: who presses Run
twice sees it made twice.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from models import causes
from models.errors import PlaygroundError
from models.runtime.job import Job
from models.store import Store
from models.sweeps.spec import PURPOSE
from models.types import Request, Run

if TYPE_CHECKING:
    from models.catalog import Catalog

log = logging.getLogger(__name__)
SINGLE = ""  # the purpose of a job of one run
NOTE = (
    "Made before, in a sweep, and shown at once: the same request gives the same result. “Make again”, below, computes "
    "it once more and compares."
)
Made = Callable[[Job], list[tuple[int, Run]]]


def made_before(store: Store, catalog: Callable[[], Catalog]) -> Made:
    """Return what says which of a job's requests were made before, as runs of that job."""

    def made(job: Job) -> list[tuple[int, Run]]:
        try:
            return list(found(job))
        except PlaygroundError as error:
            log.warning("what was made before could not be told: %s", error.message)
            return []

    def found(job: Job) -> list[tuple[int, Run]]:
        if job.purpose not in (SINGLE, PURPOSE):
            return []
        now = catalog()
        wanted = {index: causes.cause(now, request) for index, request in enumerate(job.requests)
                  if index not in job.made and not request.study}  # fmt: skip
        runs = store.made(job.owner, wanted.values())
        return [
            (index, _as_of(job, job.requests[index], runs[cause])) for index, cause in wanted.items()
            if cause in runs and (job.purpose == PURPOSE or _is_of_sweep(runs[cause]))
        ]  # fmt: skip

    return made


def _is_of_sweep(run: Run) -> bool:
    return run.purpose == PURPOSE or bool(run.stats.get("made_before"))


def _as_of(job: Job, request: Request, run: Run) -> Run:
    """Return a run as one of a job's own, with the files of the one that was made."""
    stats = run.stats.copy()
    stats["made_before"] = True
    if job.purpose == SINGLE:
        stats["notes"] = [NOTE, *(note for note in stats.get("notes", []) if note != NOTE)]
    return replace(
        run, id=uuid.uuid4().hex, job=job.id, request=request, created_at=time.time(), stats=stats, purpose=job.purpose
    )
