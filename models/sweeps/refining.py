"""Which cells come next where time is short: first all over the grid, then where neighbouring outputs differ most.

How far apart two outputs are is their room's first measure with `apart`. Between two made neighbours on an axis of
numbers lies a gap; the widest in this sense is halved first, each half then counting for half of it until its own
distance is known. This is the bisection of adaptive sampling, as for the graph of a function: plateaus stay coarse.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from models import measuring
from models.measuring import Read, Wanted
from models.sweeps import measured
from models.sweeps.cells import Cell, Plan
from models.sweeps.order import coarse_first, level
from models.sweeps.results import Result
from models.sweeps.spec import INPUT, MODEL, SEED, Axis
from models.types import Run, is_number

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings

log = logging.getLogger(__name__)
Pairs = Sequence[tuple[Run, Run]]
Apart = Callable[[Pairs], Sequence[float | None]]  # distances, 0 the same; None for one that cannot be told
Gap = tuple[int, tuple[int, ...], int, int]  # axis, place with 0 on that axis, the two indices on it


class Refiner:
    """Hold what was made of a plan so far, and say what comes next. Not thread-safe."""

    def __init__(self, plan: Plan, apart: Apart) -> None:
        self._plan, self._apart = plan, apart
        self._rank = {cell.number: at for at, cell in enumerate(coarse_first(plan))}
        self._axes = [at for at, axis in enumerate(plan.sweep.axes) if _has_between(axis)]
        self._made: dict[int, Run] = {}  # by the number of the cell that is computed
        self._distances: dict[tuple[int, int], float | None] = {}

    def take(self, number: int, run: Run) -> None:
        """Note what was made of a cell; what failed or was stopped says nothing of its neighbours."""
        if run.status == "done":
            self._made[number] = run

    def order(self, left: Sequence[Cell]) -> list[Cell]:
        """Return the cells that are left, the next one first."""
        coarse = sorted(left, key=lambda cell: self._rank[cell.number])
        if not coarse or level(self._plan.sweep.shape, coarse[0].place) == 0 or not self._axes:
            return coarse
        waiting = {cell.number: cell for cell in coarse}
        found: dict[int, Cell] = {}
        for number in self._halved():
            if number in waiting:
                found[number] = waiting[number]
        return [*found.values(), *(cell for cell in coarse if cell.number not in found)]

    def _halved(self) -> Iterator[int]:
        """Yield the numbers of cells as the gaps are halved, some more than once."""
        gaps = list(self._gaps())
        self._measure(gaps)
        known = [distance for gap in gaps if (distance := self._distance(gap)) is not None]
        unlike = max(known, default=0.0)  # what cannot be compared, such as pictures of two sizes, is not alike
        heap = []
        for gap in gaps:
            distance = self._distance(gap)
            heap.append(self._entry(gap, unlike if distance is None else distance))
        heapq.heapify(heap)
        while heap:
            distance, _, _, (axis, place, low, high) = heapq.heappop(heap)
            middle = (low + high) // 2
            yield self._number(axis, place, middle)
            for part in ((axis, place, low, middle), (axis, place, middle, high)):
                if part[3] - part[2] > 1:
                    heapq.heappush(heap, self._entry(part, -distance / 2))

    def _entry(self, gap: Gap, distance: float) -> tuple[float, int, int, Gap]:
        """Return a gap as the heap sorts it: the larger distance, the longer gap, the coarser cell first."""
        axis, place, low, high = gap
        return -distance, low - high, self._rank[self._number(axis, place, (low + high) // 2)], gap

    def _gaps(self) -> Iterator[Gap]:
        shape = self._plan.sweep.shape
        for axis in self._axes:
            others = [range(1) if at == axis else range(many) for at, many in enumerate(shape)]
            for place in itertools.product(*others):
                made = [at for at in range(shape[axis]) if self._number(axis, place, at) in self._made]
                yield from ((axis, place, low, high) for low, high in itertools.pairwise(made) if high - low > 1)

    def _measure(self, gaps: Sequence[Gap]) -> None:
        """Find out the distances that are not known yet, all at once."""
        new = list(dict.fromkeys(pair for gap in gaps if (pair := self._pair(gap)) not in self._distances))
        if not new:
            return
        found = self._apart([(self._made[one], self._made[other]) for one, other in new])
        self._distances |= dict(zip(new, found, strict=True))

    def _distance(self, gap: Gap) -> float | None:
        return self._distances[self._pair(gap)]

    def _pair(self, gap: Gap) -> tuple[int, int]:
        axis, place, low, high = gap
        one, other = self._number(axis, place, low), self._number(axis, place, high)
        return min(one, other), max(one, other)

    def _number(self, axis: int, place: tuple[int, ...], at: int) -> int:
        """Return the number of the cell that is computed for a place with `at` on one axis."""
        return self._plan.at((*place[:axis], at, *place[axis + 1 :])).same_as


def _has_between(axis: Axis) -> bool:
    """Say whether something lies between two values of an axis: between seeds, models and words there is no middle."""
    return axis.name not in (SEED, MODEL) and not axis.name.startswith(INPUT) and all(map(is_number, axis.values))


def apart_by(catalog: Catalog, settings: Settings, plan: Plan, read: Read, call: Callable[..., object]) -> Apart:
    """Return how far apart results are by their room's first measure with `apart`; None where it has none.

    `read` and `call` are those of `measuring.heavy`.
    """

    def apart(pairs: Pairs) -> list[float | None]:
        results = {at: Result(plan.cells[0], run) for at, run in enumerate(itertools.chain(*pairs))}
        offers = measured.of_sweep(catalog, settings, plan, results)
        offer = next((one for one in offers if one.measure.apart), None)
        if offer is None:
            return [None] * len(pairs)
        wanted = [Wanted(offer, other, one) for one, other in pairs]
        values: measuring.Values = {}
        if offer.measure.heavy:
            for found in measuring.heavy(wanted, read, call):
                values |= found
        else:
            values = {one.key: measuring.cheap(one) for one in wanted}
        # a result is no measure of itself
        return [0.0 if one.run.id == one.reference.id else values.get(one.key) for one in wanted if one.reference]

    return apart
