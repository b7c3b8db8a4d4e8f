"""In which order a sweep's cells are made: few loads of models, the middle first; coarse first where time is short."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from models.sweeps.cells import Cell, Plan
from models.sweeps.spec import MODEL


def middle_first(plan: Plan) -> list[Cell]:
    """Return the cells to compute, model by model, each model's nearest to the middle of the grid first."""
    return sorted(plan.distinct, key=lambda cell: (_model(plan, cell), _from_middle(plan, cell), cell.number))


def coarse_first(plan: Plan) -> list[Cell]:
    """Return the cells to compute so that any beginning of them is spread over the grid, model by model in each level.

    First those at the ends and the middle of every axis, then those halfway between, and so on.
    """
    return sorted(plan.distinct, key=lambda cell: (
        level(plan.sweep.shape, cell.place), _model(plan, cell), _from_middle(plan, cell), cell.number,
    ))  # fmt: skip


def level(shape: Sequence[int], place: Sequence[int]) -> int:
    """Return at which halving of the axes a cell comes in: 0 for ends and middles."""
    return max((_levels(many)[at] for many, at in zip(shape, place, strict=True)), default=0)


@cache
def _levels(many: int) -> tuple[int, ...]:
    """Return for each index of an axis the halving that reaches it."""
    found = {0: 0, many - 1: 0}
    gaps, depth = [(0, many - 1)], 0
    while gaps:
        halves = []
        for low, high in gaps:
            if high - low > 1:
                middle = (low + high) // 2
                found[middle] = depth
                halves += [(low, middle), (middle, high)]
        gaps, depth = halves, depth + 1
    return tuple(found[at] for at in range(many))


def _model(plan: Plan, cell: Cell) -> int:
    """Return which of the models it is: each is loaded once where they take turns by this."""
    at = next((at for at, axis in enumerate(plan.sweep.axes) if axis.name == MODEL), None)
    return cell.place[at] if at is not None else 0


def _from_middle(plan: Plan, cell: Cell) -> float:
    shape = plan.sweep.shape
    return sum(abs((many - 1) / 2 - at) / many for many, at in zip(shape, cell.place, strict=True))
