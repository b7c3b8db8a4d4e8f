"""What this owner made before: one row a run, each can be looked at, run again and downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from components import job_drawing, labelled, look_closer, result, rooms
from components.escape import plain
from models.errors import PlaygroundError
from models.finding import Filter
from models.runtime import job_view
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk

SHOWN = 20
JOBS = 60  # the newest of a page, single runs or more at once
WHOLE = 24  # a job of more runs is read when it is opened; a walk has up to 16
MARKS = {"stopped": "stopped · ", "failed": "failed · "}


def draw(desk: Desk, shown: str) -> None:
    """Draw the owner's runs of a page, the newest first, but for those of the job `shown` above."""
    try:
        runs = newest(desk)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    if said := desk.session.jobs.store.lost():
        st.warning(plain(said), icon=":material/warning:")
    if not runs:
        st.caption("Your results gather here, newest first. Nothing is lost when you run again.")
    elif all(run.job == shown for run in runs):
        st.caption("None before what is shown above. Nothing is lost when you run again.")
    (desk.room.earlier or draw_rows)(desk, runs, shown)


def newest(desk: Desk, jobs: int = JOBS) -> list[Run]:
    """Return the runs of the page's newest jobs, the newest first; of a large job its newest run alone.

    What other pages made, and how much of it, has no part in it. Raises `PlaygroundError` where the store fails.
    """
    store, owner = desk.session.jobs.store, desk.session.owner
    here = [one for one in store.kinds(owner).models if rooms.page_of(desk.session.catalog, one) == desk.page]
    if not here:
        return []
    runs: list[Run] = []
    for row in store.find(owner, Filter(models=tuple(here)), limit=jobs).rows:
        few = 1 < row.count <= WHOLE
        ids = store.found_ids(owner, Filter(), job=row.job) if few else []
        runs += _read(desk, ids) if few else [row.run]
    return runs


def _many(desk: Desk, row: Sequence[Run]) -> int:
    """Return of how many runs a row is, those of a large job that were not read among them."""
    if len(row) > 1 or job_drawing.drawer(desk.room, row[0].purpose) is None:
        return len(row)
    return len(_together(desk, row[0]))


def _together(desk: Desk, run: Run) -> list[str]:
    """Return the ids of all runs that are one row with a run, the newest first."""
    store, owner = desk.session.jobs.store, desk.session.owner
    return [one for found in store.found(owner, [run.id]) for one in store.found_ids(owner, Filter(), job=found.job)]


def draw_rows(desk: Desk, runs: Sequence[Run], shown: str) -> None:
    """Draw one row a run, to be opened; the runs of a comparison are one row that opens the whole of it."""
    rows = rows_of(desk, [run for run in runs if run.job != shown])[:SHOWN]
    named = labelled.of_runs(desk.session.catalog, [row[0] for row in rows], page_model=desk.spec.id)
    for row, name in zip(rows, named, strict=True):
        first = row[0]
        many = _many(desk, row)
        title = name if many == 1 else f"{many} results · {name}"
        fold = st.expander(plain(MARKS.get(first.status, "") + title), key=f"row-{first.id}", on_change="rerun")
        if not fold.open:  # twenty results that nobody sees are most of what a page costs
            continue
        with fold:
            if many > 1:
                whole = row if len(row) == many else _read(desk, _together(desk, first)[::-1])
                job_drawing.draw(desk, job_view.of_runs(whole))
            else:
                draw_run(desk, first)
                look_closer.draw(desk.session, first, f"row-after-{first.id}", remember=False)


def _read(desk: Desk, ids: Sequence[str]) -> list[Run]:
    return [found.run for found in desk.session.jobs.store.found(desk.session.owner, ids)]


def rows_of(desk: Desk, runs: Sequence[Run]) -> list[list[Run]]:
    """Return runs (the newest first) in rows: those of a job with a purpose that can be drawn together, else one."""
    rows: list[list[Run]] = []
    for _, some in groupby(runs, key=lambda run: run.job):
        group = sorted(some, key=lambda run: run.created_at)
        if len(group) > 1 and job_drawing.drawer(desk.room, group[0].purpose) is not None:
            rows.append(group)
        else:
            rows += [[run] for run in reversed(group)]
    return rows


def draw_run(desk: Desk, run: Run) -> None:
    """Draw an earlier run, and the button that sets the page to it."""
    result.draw(desk, run, key=f"run-{run.id}")
    st.button(
        "Use these settings", icon=":material/tune:", key=f"restore-{run.id}", on_click=desk.restore,
        args=(run.request,), help="Set prompt, settings and seed to those of this run.",
    )  # fmt: skip
