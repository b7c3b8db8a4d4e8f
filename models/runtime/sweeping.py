"""Run a sweep's cells, several at once where their family can; what is kept is not made again, what fails stays."""

from __future__ import annotations

import itertools
import math
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.amounts import span
from models.errors import PlaygroundError
from models.events import Final
from models.runtime.engine import Engine, StopSignal
from models.runtime.forecasts import Rates, work_of
from models.runtime.together import how_many
from models.sweeps.cells import Cell, Plan
from models.sweeps.results import Result
from models.sweeps.spec import PURPOSE
from models.types import Request, Run, RunStatus

if TYPE_CHECKING:
    from models.catalog import Catalog

Clock = Callable[[], float]  # seconds, from any zero
NEXT = 64  # cells that are looked at for such as may be made at once


def run(
    engine: Engine, cells: Sequence[Cell], *, find: Callable[[Request], Run | None] = lambda request: None,
    owner: str = "", job: str = "", stop: StopSignal | None = None, budget_s: float | None = None,
    clock: Clock = time.monotonic, group: Callable[[Sequence[Request]], int] = lambda requests: 1,
    choose: Callable[[Sequence[Cell]], Sequence[Cell]] | None = None,
    fitting: Callable[[Sequence[Request], float], int] = lambda requests, left_s: len(requests),
) -> Iterator[Result]:  # fmt: skip
    """Yield what came of each cell: found by `find`, else run, in the order given.

    With `choose` what is found comes first; then, each time, it sorts those that are left.

    `group` says how many of the first of some requests may be made at once; their cells come as they end. A cell that
    fails gives a run with its error, and the next one follows. Stop ends the cells at hand with what they have and
    makes no other. With `budget_s` the first one that is not there already is made alone, whatever it takes: libraries
    and model are loaded by it. So many seconds after it no other is begun, nor more at once than `fitting` says end in
    the seconds that are left.
    """
    stop, until = stop or StopSignal(owner), math.inf
    left, first_made = list(cells), False
    if choose is not None:
        left.sort(key=lambda cell: find(cell.request) is None)
    while left:
        if choose is not None and find(left[0].request) is None:
            left = list(choose(left))
        kept = find(left[0].request)
        if kept is not None:
            yield Result(left.pop(0), kept, cached=True)
            continue
        if stop.asked or (first_made and clock() >= until):
            left.pop(0)
            continue
        next_ones = [cell.request for cell in itertools.takewhile(lambda one: find(one.request) is None, left[:NEXT])]
        many = group(next_ones)
        if budget_s is not None:
            many = fitting(next_ones[:many], until - clock()) if first_made else 1
        at_hand, left = left[:many], left[many:]
        for index, run_ in _made(engine, next_ones[:many], stop, owner, job):
            yield Result(at_hand[index], run_)
        if not first_made and budget_s is not None:
            first_made, until = True, clock() + budget_s


def _made(
    engine: Engine, requests: Sequence[Request], stop: StopSignal, owner: str, job: str
) -> Iterator[tuple[int, Run]]:  # fmt: skip
    """Run requests, at once where there are several; yield each one's run with its index, as it ends."""
    created_at, told = time.time(), set[int]()

    def ended(index: int, final: Final | None, error: PlaygroundError | None) -> tuple[int, Run]:
        status: RunStatus = "done"
        if error is not None:
            status = "failed"
        elif final is None or final.stats.get("stopped"):
            status = "stopped"
        told.add(index)
        return index, Run(
            id=uuid.uuid4().hex, owner=owner, job=job, request=requests[index], status=status, created_at=created_at,
            outputs=list(final.outputs) if final else [], stats=final.stats if final else {},
            error=error.to_dict() if error else None, purpose=PURPOSE,
        )  # fmt: skip

    if len(requests) > 1:
        for index, event in engine.generate_together(requests, stop):
            if isinstance(event, PlaygroundError):
                yield ended(index, None, event)
            elif event.kind == "final":
                yield ended(index, event, None)
    else:
        final, error = None, None
        try:
            for event in engine.generate(requests[0], stop):
                final = event if event.kind == "final" else final
        except PlaygroundError as problem:
            error = problem
        yield ended(0, final, error)
    for index in [index for index in range(len(requests)) if index not in told]:
        yield ended(index, None, None)


@dataclass(frozen=True)
class SweepCost:
    """Forecast a sweep: `cells` in all, those `kept` and `to_make`, `seconds` and whether they were `measured` here."""

    cells: int
    kept: int
    to_make: int
    seconds: float
    measured: bool

    @property
    def words(self) -> str:
        """Say it: "12 cells · 6 already here · about 31 s"."""
        parts = [f"{self.cells:,} cell{'s' * (self.cells != 1)}"]
        if self.kept:
            parts.append(f"{self.kept:,} already here")
        if self.to_make:
            parts.append(f"about {span(self.seconds)}" + ("" if self.measured else ", a guess until one has run here"))
        return " · ".join(parts)


def cost(catalog: Catalog, plan: Plan, kept: int, rates: Rates) -> SweepCost:
    """Forecast a sweep of whose distinct cells `kept` are there already, by what this machine has measured."""
    works = [work_of(catalog, cell.request) for cell in plan.distinct]
    share = (len(works) - kept) / len(works) if works else 0.0
    at_once = len(works) > 1 and how_many(catalog, [cell.request for cell in plan.distinct[:2]]) > 1
    seconds = sum(rates.seconds(work, at_once) for work in works) * share
    return SweepCost(len(plan.cells), kept, len(works) - kept, seconds, all(rates.knows(work) for work in works))
