"""The owner's pictures as a wall of thumbnails, one run opened below it, and two pictures against one another."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import groupby

import streamlit as st

from components import job_drawing, labelled, look_closer, result, run_list, state
from components.desk import Desk
from components.escape import plain
from components.image import ab_slider, caption_view, picture_wall, seen_view
from components.image.picture_wall import Cell
from models import labels
from models.errors import PlaygroundError
from models.image import files
from models.runtime import job_view
from models.runtime.jobs import Jobs
from models.types import Output, Run

GROUPS = 20
COMPARED = 40
SIDE = 128


def draw(desk: Desk, runs: Sequence[Run], shown: str) -> None:
    """Draw the newest jobs of these runs as thumbnails; the one that was pressed opens below.

    The job `shown` above takes part in the comparison alone.
    """
    jobs, place = desk.session.jobs, desk.place
    groups = [list(group) for _, group in groupby(runs, key=lambda run: run.job)]
    earlier = [sorted(group, key=lambda run: run.created_at) for group in groups if group[0].job != shown][:GROUPS]
    _draw_comparison(desk, runs)
    if not earlier:
        return
    opened = state.at(open_key(place), "")
    found: list[tuple[Run, Output | None]] = [
        (run, output) for group in earlier for run in group for output in (_pictures(run) or (None,))
    ]
    names = dict(zip(
        [(run.id, output.index if output is not None else -1) for run, output in found],
        labelled.of_outputs(desk.session.catalog, found, page_model=desk.spec.id), strict=True,
    ))  # fmt: skip
    cells = [
        [cell for run in group for cell in _cells(jobs, run, names, _short(desk, group, names))] for group in earlier
    ]
    pressed = picture_wall.draw(cells, f"{place}-wall", opened.get())
    if pressed is not None:
        opened.set("" if pressed == opened.get() else pressed)
        st.rerun()  # the wall marks what is open
    for group in earlier:
        for run in group:
            if run.id == opened.get():
                name = names.get((run.id, 0)) or names.get((run.id, -1), "")
                _draw_open(desk, run, group, name, opened)


def open_key(place: str) -> str:
    """Return the key under which the id of the opened run is kept."""
    return state.key(place, "open")


def _draw_open(desk: Desk, run: Run, group: Sequence[Run], name: str, opened: state.Slot[str]) -> None:
    """Draw the opened run; of a walk or another comparison the whole of it, as it was when it was made."""
    whole = len(group) > 1 and job_drawing.drawer(desk.room, run.purpose) is not None
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(name)}**")
            st.button(
                "Close", icon=":material/close:", type="tertiary", key=f"{opened.key}-close", on_click=opened.set,
                args=("",),
            )  # fmt: skip
        if whole:
            job_drawing.draw(desk, job_view.of_runs(list(group)))
            return
        run_list.draw_run(desk, run)
        look_closer.draw(desk.session, run, f"open-after-{run.id}", remember=False)


def _pictures(run: Run) -> tuple[Output, ...]:
    return tuple(output for output in run.outputs if output.kind == "image")


def _short(desk: Desk, group: Sequence[Run], names: Mapping[tuple[str, int], str]) -> dict[str, str]:
    """Return what is written below a run's first picture, by its id: of several made together what differs there."""
    if len(group) == 1:
        return {run.id: names.get((run.id, 0)) or names.get((run.id, -1), "") for run in group}
    firsts = [(run, next(iter(_pictures(run)), None)) for run in group]
    told = labelled.of_outputs(desk.session.catalog, firsts, page_model=desk.spec.id, of_whole_runs=True, says=False)
    return dict(zip((run.id for run in group), told, strict=True))


def _cells(jobs: Jobs, run: Run, names: Mapping[tuple[str, int], str], short: Mapping[str, str]) -> list[Cell]:
    """Return one cell for each picture of a run, or one that says how it ended without any."""
    if not (pictures := _pictures(run)):
        title = f"{run.status}: {names[run.id, -1]}"
        seen = next((said for one in run.outputs if (said := seen_view.words(one) or caption_view.words(one))), "")
        png = next((png for one in run.outputs if (png := caption_view.picture(one))), b"")
        return [{"id": run.id, "png": png, "title": seen or title, "label": seen or run.status}]
    return [
        {"id": run.id, "png": _small(jobs, output), "title": names[run.id, output.index],
         "label": f"seed {labels.seed_of(run.request, output)}" if place else short[run.id]}
        for place, output in enumerate(pictures)
    ]  # fmt: skip


@st.cache_data(max_entries=200, show_spinner=False)
def _thumbnail(ref: str, _data: bytes) -> bytes:
    """Return a picture that was made here as a PNG of at most `SIDE` px a side. `ref` names the bytes."""
    picture = files.decode_upload(_data)
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _small(jobs: Jobs, output: Output) -> bytes:
    """Return a thumbnail, or nothing where the file was cleared."""
    data = result.stored(jobs, output)
    try:
        return _thumbnail(output.sha256, data) if output.sha256 else data
    except PlaygroundError:
        return b""


def _draw_comparison(desk: Desk, runs: Sequence[Run]) -> None:
    """Draw a choice of two among the newest pictures, under one slider."""
    jobs, place = desk.session.jobs, desk.place
    found = [(run, output) for run in runs for output in _pictures(run)][:COMPARED]
    if len(found) < 2:
        return
    own = f"{place}-compare"
    with st.expander("Compare two images", icon=":material/compare:", key=own, on_change="rerun") as fold:
        if not fold.open:
            return
        names = labelled.of_outputs(desk.session.catalog, found)  # the newest first
        left, right = st.columns(2)
        first = left.selectbox("A", range(len(names)), format_func=names.__getitem__, key=f"{place}-a")
        second = right.selectbox("B", range(len(names)), index=1, format_func=names.__getitem__, key=f"{place}-b")
        pictures = [result.stored(jobs, found[at][1]) for at in (first, second)]
        if all(pictures):
            pair = labelled.of_outputs(desk.session.catalog, [found[first], found[second]])
            ab_slider.draw(pictures[0], pictures[1], f"{place}-ab", labels=(pair[0], pair[1]))
        else:
            st.caption("One of the two images has been deleted.")
