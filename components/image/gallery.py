"""The owner's pictures as a wall of thumbnails, one run opened below it, and two pictures against one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from components import result, run_list, state
from components.desk import Desk
from components.escape import plain
from components.image import ab_slider, picture_input, picture_wall
from components.image.picture_wall import Cell
from models.errors import PlaygroundError
from models.runtime.jobs import Jobs
from models.types import Output, Run

GROUPS = 20
COMPARED = 40
SIDE = 128


def draw(desk: Desk, runs: Sequence[Run], shown: str) -> None:
    """Draw the newest jobs of these runs as thumbnails; the one that was pressed opens below.

    The job `shown` above takes part in the comparison alone.
    """
    jobs, room = desk.session.jobs, desk.room.id
    groups = [list(group) for _, group in groupby(runs, key=lambda run: run.job)]
    earlier = [sorted(group, key=lambda run: run.created_at) for group in groups if group[0].job != shown][:GROUPS]
    _draw_comparison(jobs, runs, room)
    if not earlier:
        return
    opened = state.at(open_key(room), "")
    cells = [[cell for run in group for cell in _cells(jobs, run)] for group in earlier]
    pressed = picture_wall.draw(cells, f"{room}-wall", opened.get())
    if pressed is not None:
        opened.set("" if pressed == opened.get() else pressed)
        st.rerun()  # the wall marks what is open
    run = next((run for group in earlier for run in group if run.id == opened.get()), None)
    if run is not None:
        _draw_open(desk, run, opened)


def open_key(room: str) -> str:
    """Return the key under which the id of the opened run is kept."""
    return state.key(room, "open")


def _draw_open(desk: Desk, run: Run, opened: state.Slot[str]) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(_prompt(run) or str(run.request.params.get('task', '')))}**")
            st.button(
                "Close", icon=":material/close:", type="tertiary", key=f"{opened.key}-close", on_click=opened.set,
                args=("",),
            )  # fmt: skip
        run_list.draw_run(desk, run)


def _cells(jobs: Jobs, run: Run) -> list[Cell]:
    """Return one cell for each picture of a run, or one that says how it ended without any."""
    pictures = [output for output in run.outputs if output.kind == "image"]
    if not pictures:
        title = f"{run.status}: {_title(run, None)}"
        return [{"id": run.id, "png": b"", "title": title, "label": run.status}]
    return [
        {"id": run.id, "png": _small(jobs, output), "title": _title(run, output),
         "label": _seed(run, output) if place else _prompt(run) or _seed(run, output)}
        for place, output in enumerate(pictures)
    ]  # fmt: skip


def _small(jobs: Jobs, output: Output) -> bytes:
    """Return a thumbnail, or nothing where the file was cleared."""
    data = result.stored(jobs, output)
    try:
        return picture_input.thumbnail(output.sha256, SIDE, data) if output.sha256 else data
    except PlaygroundError:
        return b""


def _draw_comparison(jobs: Jobs, runs: Sequence[Run], room: str) -> None:
    """Draw a choice of two among the newest pictures, under one slider."""
    found = [(run, output) for run in runs for output in run.outputs if output.kind == "image"][:COMPARED]
    if len(found) < 2:
        return
    with st.expander("Compare two images", icon=":material/compare:", key=f"{room}-compare", on_change="rerun") as fold:
        if not fold.open:
            return
        # the newest first; a number keeps equal titles apart
        names = [f"{place}: {_title(run, output)}" for place, (run, output) in enumerate(found, 1)]
        left, right = st.columns(2)
        first = left.selectbox("A", range(len(names)), format_func=names.__getitem__, key=f"{room}-a")
        second = right.selectbox("B", range(len(names)), index=1, format_func=names.__getitem__, key=f"{room}-b")
        pictures = [result.stored(jobs, found[place][1]) for place in (first, second)]
        if all(pictures):
            ab_slider.draw(pictures[0], pictures[1], f"{room}-ab", labels=(names[first], names[second]))
        else:
            st.caption("One of the two images has been deleted.")


def _title(run: Run, output: Output | None) -> str:
    return " · ".join(part for part in (_prompt(run), _seed(run, output)) if part)


def _seed(run: Run, output: Output | None) -> str:
    return f"seed {output.meta.get('seed', run.request.seed) if output is not None else run.request.seed}"


def _prompt(run: Run) -> str:
    return " ".join(run.request.inputs.get("prompt", "").split())[:60]
