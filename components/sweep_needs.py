"""What a sweep asks of the machine: memory for its largest cell, room on the disk for what it makes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from components import sweep_out
from models.amounts import size
from models.params import counted
from models.runtime.forecasts import work_of
from models.runtime.tidying import THIN_KEEP_S
from models.sweeps.cells import Cell
from models.types import ASIDE, Output, Request, Run

if TYPE_CHECKING:
    from components.desk import Desk
    from components.sweep_state import Planned

LOOK_MOST = 200  # earlier runs that are looked at
ALIKE_MOST = 20  # of them for one kind of cell
NOTED = 1.5  # times what stays: so much is there for a while only
ALIKE = 0.5  # binary orders of magnitude between two lengths that are about the same
Kind = tuple[str, float, int]  # of a cell: its model, its amount of work, how many outputs it has


def words(desk: Desk, found: Planned, seconds: float) -> list[str]:
    """Say how much memory the largest cell asks for, and how much room what is left to make takes on the disk.

    `seconds` is what that takes. Of the disk nothing is said where nothing like it was made yet.
    """
    jobs, plan = desk.session.jobs, found.plan
    if found.needs < 0:
        found.needs = max((_needed(desk, cell.request) for cell in plan.distinct), default=0)
    most = found.needs
    budget = jobs.engine.state().budget_bytes or jobs.settings.memory_bytes or 0  # before a worker has said it
    said = [f"up to {size(most)} of memory"] if most else []
    if most and budget and most > budget:
        said = [f"needs up to {size(most)} of memory; at most {size(budget)} is free for it: the cells above that fail"]
    if room := disk_bytes(desk, found.left, seconds):
        in_all, stay = (size(round(one, 1 - len(str(one)))) for one in room)
        said.append(f"about {in_all} on the disk" + (f", of which {stay} stay" if room[0] > NOTED * room[1] else ""))
    return said


def _needed(desk: Desk, request: Request) -> int:
    spec, family = desk.session.catalog[request.model], desk.session.catalog.family(request.model)
    params = desk.session.catalog.validate(request)
    # the libraries that a first run imports too: the page does not know whether there was one
    return int(family.needed_bytes(spec) + family.run_bytes(spec, request, params) + family.libraries_bytes)


def disk_bytes(desk: Desk, left: Sequence[Cell], seconds: float) -> tuple[int, int] | None:
    """Forecast what some cells take on the disk at most, and what stays, by the owner's runs of about as much work.

    None where there are none. A file that several runs share is there once. Of what can be computed again (`ASIDE`) the
    newest `Settings.keep_logits` stay, and for some minutes what was made within them; all takes `seconds`.
    """
    if not left:
        return None
    jobs, catalog = desk.session.jobs, desk.session.catalog
    runs = [
        run
        for run in jobs.store.runs(desk.session.owner, limit=LOOK_MOST)
        if run.status == "done" and run.outputs and not run.request.study and run.request.model in catalog
    ]
    known = [(_kind(desk, run.request), run) for run in runs]
    stay, made_again, many = 0.0, 0.0, 0
    for kind, cells in _counted(_kind(desk, cell.request) for cell in left).items():
        alike = [run for other, run in known if _is_alike(kind, other)][:ALIKE_MOST]
        if not alike:
            return None
        stay += cells * _mean(desk, alike, aside=False)
        made_again += cells * _mean(desk, alike, aside=True)
        many += cells
    kept = min(many, jobs.settings.keep_logits)
    for_now = many * min(1.0, (THIN_KEEP_S + jobs.settings.prune_every_s) / max(seconds, 1.0))
    return round(stay + made_again / many * max(kept, for_now)), round(stay + made_again / many * kept)


def _kind(desk: Desk, request: Request) -> Kind:
    catalog = desk.session.catalog
    fields = catalog.family(request.model).fields(catalog[request.model])
    return request.model, work_of(catalog, request).amount, counted(fields, request.params)


def _counted(kinds: Iterable[Kind]) -> dict[Kind, int]:
    found: dict[Kind, int] = {}
    for kind in kinds:
        found[kind] = found.get(kind, 0) + 1
    return found


def _is_alike(kind: Kind, other: Kind) -> bool:
    return kind[0] == other[0] and kind[2] == other[2] and abs(math.log2(kind[1] / other[1])) <= ALIKE


def _mean(desk: Desk, runs: Sequence[Run], *, aside: bool) -> float:
    """Return the bytes that a run's results take, or what is kept `aside`, on an average; a shared file counts once."""
    files: dict[str, Output] = {}
    having = 0
    for run in runs:
        mine = [one for one in run.outputs if (one.kind in ASIDE) == aside]
        there = [one for one in mine if sweep_out.stored_bytes(desk, one)]  # the others were cleared
        having += bool(there) or not aside
        files |= {one.sha256 or f"{run.id} {one.index}": one for one in there}
    total = sum(sweep_out.stored_bytes(desk, one) for one in files.values())
    # the index holds a record of each
    records = (
        0
        if aside
        else sum(
            len(json.dumps([one.to_header() for one in run.outputs]))
            + len(run.request.canonical())
            + len(json.dumps(run.stats))
            for run in runs
        )
    )
    return (total + records) / max(1, having)
