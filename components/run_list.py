"""What this owner made before: one row a run, each can be looked at, run again and downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from components import job_drawing, labelled, look_closer, result, rooms
from components.escape import plain
from models.errors import PlaygroundError
from models.runtime import job_view
from models.runtime.job_view import STUDY
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk

SHOWN = 20
READ = 200  # a walk alone has up to 16 runs
MARKS = {"stopped": "stopped · ", "failed": "failed · "}


def draw(desk: Desk, shown: str) -> None:
    """Draw the owner's runs of a page, the newest first, but for those of the job `shown` above."""
    try:
        found = desk.session.jobs.store.runs(desk.session.owner, limit=READ)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    if said := desk.session.jobs.store.lost():
        st.warning(plain(said), icon=":material/warning:")
    models = {run.request.model for run in found}
    here = {model for model in models if rooms.page_of(desk.session.catalog, model) == desk.page}
    runs = [run for run in found if run.request.model in here and not run.request.study and run.purpose != STUDY]
    if all(run.job == shown for run in runs):
        st.caption("Your results gather here, newest first. Nothing is lost when you run again.")
    (desk.room.earlier or draw_rows)(desk, runs, shown)


def draw_rows(desk: Desk, runs: Sequence[Run], shown: str) -> None:
    """Draw one row a run, to be opened; the runs of a comparison are one row that opens the whole of it."""
    rows = rows_of(desk, [run for run in runs if run.job != shown])[:SHOWN]
    named = labelled.of_runs(desk.session.catalog, [row[0] for row in rows], page_model=desk.spec.id)
    for row, name in zip(rows, named, strict=True):
        first = row[0]
        title = name if len(row) == 1 else f"{len(row)} results · {name}"
        fold = st.expander(plain(MARKS.get(first.status, "") + title), key=f"row-{first.id}", on_change="rerun")
        if not fold.open:  # twenty results that nobody sees are most of what a page costs
            continue
        with fold:
            if len(row) > 1:
                job_drawing.draw(desk, job_view.of_runs(row))
            else:
                draw_run(desk, first)
                look_closer.draw(desk.session, first, f"row-after-{first.id}", remember=False)


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
