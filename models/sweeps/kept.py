"""What is there already of a sweep: an owner's finished runs that have the causes of its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from models import causes
from models.sweeps.cells import Plan
from models.sweeps.results import Result

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.types import Run

Find = Callable[[Iterable[str]], dict[str, "Run"]]  # causes → the runs that have them, as `Store.made` says


def causes_of(catalog: Catalog, plan: Plan) -> dict[int, str]:
    """Return the cause of each cell that has to be computed, by its number."""
    revisions = {model: catalog[model].revision() for model in {cell.request.model for cell in plan.distinct}}
    return {
        cell.number: causes.of_full(catalog.full(cell.request), revisions[cell.request.model]) for cell in plan.distinct
    }


def found(plan: Plan, cell_causes: dict[int, str], find: Find) -> dict[int, Result]:
    """Return what is there, by the number of the cell that is computed."""
    runs = find(cell_causes.values())
    return {
        cell.number: Result(cell, runs[cell_causes[cell.number]], cached=True)
        for cell in plan.distinct if cell_causes[cell.number] in runs
    }  # fmt: skip
