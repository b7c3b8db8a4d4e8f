"""Which sweep stands on a page, its cells, and what there is of them: from what is kept and from its job.

It is noted for the owner as its file (`models.sweeps.spec`). Results are found by their causes, so that a reload, a
restart and a second sweep over the same cells show what was made before and make the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from components import services, state
from components.notes import Note
from models.errors import PlaygroundError
from models.runtime.job import Choose
from models.runtime.job_view import JobView
from models.sweeps import cells, kept, order, spec
from models.sweeps.cells import Cell, Plan
from models.sweeps.refining import Refiner, apart_by
from models.sweeps.results import Result
from models.sweeps.spec import Sweep
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk
    from components.session import Session

log = logging.getLogger(__name__)
PLANS_MOST = 4  # kept by a session
_PLANS: state.Slot[dict[str, Planned]] = state.slot("sweep-plans", {})


@dataclass
class Planned:
    """Hold a sweep's plan, the causes of its cells, and what there is of them, as `look` and `take` found it."""

    plan: Plan
    causes: dict[int, str]
    there: dict[int, Result] = field(default_factory=dict)  # by the number of the cell that is computed
    numbers: dict[str, int] = field(default_factory=dict)  # of it, by its request
    taken: set[str] = field(default_factory=set)  # runs
    looked_at: float = -1e9  # monotonic seconds
    needs: int = -1  # bytes of memory that the largest cell asks for; below 0 while nobody asked

    def look(self, desk: Desk, older_s: float = 0.0) -> None:
        """Ask the store what there is, unless that was done within `older_s` seconds."""
        now = time.monotonic()
        if now - self.looked_at >= older_s:
            store, owner = desk.session.jobs.store, desk.session.owner
            # what the store does not hold: failed, stopped, or its disk was full; all else may have been deleted
            own = {at: one for at, one in self.there.items() if one.run is not None and not one.cached
                   and (one.state != "computed" or one.run.stats.get("not_stored"))}  # fmt: skip
            self.there = own | kept.found(self.plan, self.causes, partial(store.made, owner))
            self.looked_at = now

    def take(self, view: JobView | None) -> None:
        """Take in the runs of a job of sweeps, those that failed or were stopped too."""
        for run_ in view.runs if view is not None and view.purpose == spec.PURPOSE else ():
            number = None if run_.id in self.taken else self.numbers.get(run_.request.canonical())
            self.taken.add(run_.id)
            if number is not None:
                self.there[number] = Result(self.plan.cells[number], run_)

    def takes(self, view: JobView) -> bool:
        """Say whether a job makes cells of this plan."""
        return any(request.canonical() in self.numbers for request in view.requests)

    @property
    def failed(self) -> list[Cell]:
        """Return the cells that were tried and failed."""
        return [one.cell for one in self.there.values() if one.state == "failed"]

    @property
    def left(self) -> list[Cell]:
        """Return the cells that are still to be made whole."""
        whole = {number for number, one in self.there.items() if one.state in ("computed", "cached")}
        return [cell for cell in self.plan.distinct if cell.number not in whole]


def planned(desk: Desk, sweep: Sweep) -> Planned:
    """Return a sweep's plan, made once. Raises as `cells.plan` does."""
    name = f"{desk.session.catalog[sweep.request.model].revision()} {sweep.to_json()}"
    plans = _PLANS.held()
    if name not in plans:
        plan = cells.plan(desk.session.catalog, sweep)
        numbers = {cell.request.canonical(): cell.number for cell in plan.distinct}
        plans[name] = Planned(plan, kept.causes_of(desk.session.catalog, plan), numbers=numbers)
        for old in list(plans)[:-PLANS_MOST]:
            del plans[old]
    return plans[name]


def _note(desk: Desk) -> Note[dict[str, Any]]:
    """Return the note of a page's last sweep: {"spec": its file, "at": seconds since 1970, "job": what makes it}."""
    return Note(desk.session, f"{desk.bench}-sweep", {})


def noted_at(desk: Desk) -> float:
    """Return when the last sweep of a page was begun or shown again, in seconds since 1970; 0 for none."""
    at = _note(desk).get().get("at")
    return float(at) if isinstance(at, int | float) else 0.0


def _noted_job(desk: Desk) -> str:
    return str(_note(desk).get().get("job", ""))


def last(desk: Desk) -> Sweep | None:
    """Return the last sweep of a page, whatever stands there now. None for none, and for one of another version."""
    if not noted_at(desk):
        return None
    try:
        return spec.read(str(_note(desk).get().get("spec", "")), "The sweep of this page")
    except PlaygroundError:
        return None


def shown(desk: Desk, view: JobView | None, since: float = 0.0) -> Sweep | None:
    """Return the sweep that stands on a page: the last one, if nothing else was run since, nor a link opened (`since`).

    A sweep that another tab began is noted there: the store is asked again. None for none.
    """
    if view is not None and view.purpose == spec.PURPOSE and view.id != _noted_job(desk):
        _note(desk).look_again()
    if view is not None and view.id != _noted_job(desk):  # its own job may say another time: that of its first run
        since = max(since, view.submitted_at)
    return last(desk) if noted_at(desk) >= since else None


def show(desk: Desk, sweep: Sweep, job: str = "") -> None:
    """Make a sweep the one that stands on its page, with the job that makes it: the Runs page has it as one row."""
    if job:
        _note_job(desk.session, job, sweep)
    _note(desk).set({"spec": sweep.to_json(), "at": time.time(), "job": job})


def start(desk: Desk, sweep: Sweep, budget_s: float = 0.0) -> None:
    """Queue what a sweep lacks as one job, and show its grid. Raises `BadRequest` errors and `QueueFull`."""
    found = planned(desk, sweep)
    found.look(desk)
    left = {cell.number for cell in found.left}
    ordered = order.coarse_first(found.plan) if budget_s else order.middle_first(found.plan)
    asked = [cell for cell in ordered if cell.number in left]
    choose = _refined(desk, found, asked) if budget_s else None
    requests = [cell.request for cell in asked]
    job = desk.session.submit(requests, spec.PURPOSE, budget_s or None, choose) if requests else ""
    show(desk, sweep, job)


def _note_job(session: Session, job: str, sweep: Sweep) -> None:
    try:
        session.jobs.store.note_sweep(session.owner, job, sweep.to_json())
    except PlaygroundError as error:  # the sweep is made all the same
        log.warning("which sweep a job makes was not noted: %s", error.message)


def _refined(desk: Desk, found: Planned, asked: Sequence[Cell]) -> Choose:
    """Return how a job that is to make these cells goes on: where outputs differ most."""
    store, settings = desk.session.jobs.store, desk.session.jobs.settings
    apart = apart_by(
        desk.session.catalog, settings, found.plan, lambda one: one.data or store.get_bytes(one.sha256),
        services.decoder().call,
    )  # fmt: skip
    refiner, numbers = Refiner(found.plan, apart), dict(found.numbers)
    places = {cell.number: at for at, cell in enumerate(asked)}
    for number, result in found.there.items():
        if result.run is not None:
            refiner.take(number, result.run)

    def choose(runs: Sequence[Run], left: Sequence[int]) -> list[int]:
        for run_ in runs:
            refiner.take(numbers[run_.request.canonical()], run_)
        return [places[cell.number] for cell in refiner.order([asked[at] for at in left])]

    return choose
