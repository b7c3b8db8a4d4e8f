"""What a job made, by its purpose: as its room draws it, as any room's is drawn, else its runs one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from components import job_panel, labelled, look_closer, result, state, sweep_view
from components.escape import plain
from components.modality import Modality
from models.errors import PlaygroundError
from models.runtime.job_view import JobView
from models.sweeps.spec import PURPOSE as SWEEP
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk

Drawer = Callable[["Desk", JobView, str], None]
_ANY: dict[str, Drawer] = {SWEEP: sweep_view.draw_job}  # purposes that every room has


def drawer(room: Modality, purpose: str) -> Drawer | None:
    """Return what draws the jobs of a purpose; None for one that nobody knows, and for none."""
    return room.jobs.get(purpose) or _ANY.get(purpose)


def draw(desk: Desk, view: JobView, *, closer: bool = False) -> None:
    """Draw a job with a purpose, living or finished; of one that nobody knows, its runs alone.

    `closer`: what can be looked into of one of its runs stands below.
    """
    known = drawer(desk.room, view.purpose)
    try:
        if known is not None:
            known(desk, view, view.id)
            if closer and view.purpose not in _ANY:
                _draw_closer(desk, view)
            return
    except PlaygroundError as error:  # a file of a run was cleared from the store
        st.warning(plain(error.message), icon=":material/warning:")
        return
    st.info(
        plain(f"This job has the purpose “{view.purpose}”, which the {desk.page.title} page has no view for. Its "
              "results are shown one by one."),
        icon=":material/info:",
    )  # fmt: skip
    if not view.finished:
        job_panel.draw(desk.session, view.id)
        return
    draw_runs(desk, view)


def draw_runs(desk: Desk, view: JobView) -> None:
    """Draw the runs of a finished job one below the other, each with what can be looked into and done further."""
    if view.runs and desk.room.end_line:
        job_panel.draw_end(view)
    for run in view.runs:
        result.draw(desk, run, key=view.id)
        draw_further(desk, run)
    if not view.runs:
        st.info("Stopped before it began. Press Run to start again.", icon=":material/info:")


def draw_further(desk: Desk, run: Run) -> None:
    """Draw what can be looked into of a run, and what can be done further with it."""
    if run.outputs and not run.error:
        look_closer.draw(desk.session, run, f"after-{run.id}")
        if desk.room.after is not None:
            desk.room.after(desk, run, f"after-{run.id}")


def _draw_closer(desk: Desk, view: JobView) -> None:
    """Draw the looks into one run of several, the chosen one."""
    runs = [run for run in view.runs if look_closer.fitting(desk.session, run)] if view.finished else []
    if not runs:
        return
    chosen = 0
    if len(runs) > 1:
        names = labelled.of_runs(desk.session.catalog, runs)
        chosen = int(st.selectbox(
            "Look into", range(len(runs)), format_func=names.__getitem__, key=state.key(view.id, "look-into"),
        ))  # fmt: skip
    look_closer.draw(desk.session, runs[chosen], f"after-{runs[chosen].id}")
