"""The runs of a sweep whose file is not known any more: side by side as they come, one of them in full."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from components import job_panel, labelled, look_closer, result, rooms, state
from components.escape import plain
from models.runtime.job_view import JobView
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk

ACROSS = 4  # tiles in a row


def draw_job(desk: Desk, view: JobView, key: str) -> None:
    """Draw a sweep, living or finished; the chosen value's result stands below in full."""
    catalog = desk.session.catalog
    names = labelled.of_requests(catalog, view.requests)
    title = f"{len(names)} values: {', '.join(names)}. All else is alike."
    st.markdown(plain(title))
    if not view.finished:
        job_panel.draw(desk.session, view.id, partial(_draw_tiles, desk, names, key))
        return
    job_panel.draw_end(view)
    _draw_tiles(desk, names, key, view)
    for run in view.runs:
        if run.error:
            st.error(plain(run.error["message"]), icon=":material/error:")
    runs = [(names[place], run) for place, run in enumerate(view.runs) if run.outputs and not run.error]
    if not runs:
        return
    chosen = st.segmented_control(
        "In full", range(len(runs)), default=0, required=True, format_func=lambda at: plain(runs[at][0]), wrap=True,
        key=state.key(key, "full"),
    )  # fmt: skip
    run = runs[chosen or 0][1]
    result.draw(desk, run, f"{key}-{run.id}")
    st.button(
        "Use these settings", icon=":material/tune:", key=f"sweep-use-{run.id}", on_click=desk.restore,
        args=(run.request,), help="Set prompt, settings and seed to those of this run.",
    )  # fmt: skip
    look_closer.draw(desk.session, run, f"after-{run.id}")


def _draw_tiles(desk: Desk, names: list[str], key: str, view: JobView) -> None:
    for start in range(0, len(names), ACROSS):
        for column, place in zip(st.columns(min(ACROSS, len(names))), range(start, len(names)), strict=False):
            with column:
                st.markdown(f"**{plain(names[place])}**")
                _draw_tile(desk, view, place, f"{key}-tile-{place}")


def _draw_tile(desk: Desk, view: JobView, place: int, key: str) -> None:
    run: Run | None = view.runs[place] if place < len(view.runs) else None
    room = rooms.of(view.requests[place].model)
    if run is not None:
        output = labelled.first(run)
        if output is not None:
            result.draw_tile(room, output, key, desk.session.jobs)
        else:
            st.caption("Failed." if run.error else "Stopped.")
    elif place == view.index and view.preview is not None and (made := labelled.shown(view.preview.outputs)):
        result.draw_tile(room, made[0], f"{key}-live")
    else:
        st.caption("Not run: the job was stopped." if view.finished else "Waiting …")
