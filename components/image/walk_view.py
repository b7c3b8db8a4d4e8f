"""Walks: from one seed, prompt or guidance to another, as frames under a slider, a strip and a film."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from components import job_panel, params_form, result, state
from components.desk import Desk
from components.escape import plain
from components.image import image_view
from components.session import Session
from components.widgets import frame_player
from models import labels
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.image import sheets, walks
from models.runtime.job_view import JobView
from models.stamps import file_name
from models.types import Output, Request, Run, drawn_seed

PURPOSE = "walk"
READ = 200  # runs that are looked through for a walk
_TITLES = {"seed": "to another seed", "prompt": "to another prompt", "guidance": "to another guidance"}


def fits(catalog: Catalog, run: Run) -> bool:
    """Say whether anything about the run can be walked."""
    if run.request.model not in catalog:
        return False
    spec = catalog[run.request.model]
    return bool(walks.kinds(catalog.family(spec.id).fields(spec), run.request))


def draw(session: Session, run: Run, key: str) -> None:
    """Draw what a walk needs to know, and its button."""
    spec = session.catalog[run.request.model]
    fields = session.catalog.family(spec.id).fields(spec)
    kind = st.segmented_control(
        "Walk", list(walks.kinds(fields, run.request)), format_func=_TITLES.__getitem__, key=f"{key}-kind",
        default=walks.kinds(fields, run.request)[0], required=True,
    )  # fmt: skip
    proposed = walks.start_target(fields, run.request, kind)
    target: Any
    if kind == "seed":
        place = state.key(key, "seed")
        state.at(place, proposed).held()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            target = int(st.number_input("Target seed", 0, 2**32 - 1, step=1, key=place, width=180))
            st.button("New", icon=":material/casino:", key=f"{place}-dice", on_click=_throw, args=(place,))
    elif kind == "prompt":
        target = st.text_input("Target prompt", value=proposed, key=f"{key}-prompt", placeholder="such as blue heart")
    else:
        item = next(item for item in fields if item.name == "guidance_scale")
        target = params_form.draw_apart(
            replace(item, label="Target guidance", optional=False), proposed, f"{key}-target"
        )
    many = int(str(run.request.params.get("num_images") or 1))
    first = 0
    if many > 1:
        first = int(st.segmented_control("From image", range(many), format_func=lambda place: f"{place + 1}",
                                         default=0, required=True, key=f"{key}-first"))  # fmt: skip
    _draw_last(session, run, first, key)
    frames = st.slider("Frames", walks.FRAMES_MIN, walks.FRAMES_MAX, 8, key=f"{key}-frames")
    if st.button("Walk", icon=":material/directions_walk:", type="primary", key=f"{key}-walk"):
        state.clear_notices()
        try:
            start = walks.single(fields, run.request, first)
            session.submit(walks.build_walk(fields, start, kind, target, int(frames)), PURPOSE)
        except PlaygroundError as error:
            st.warning(plain(error.message), icon=":material/warning:")
            return
        st.rerun()


def _draw_last(session: Session, run: Run, first: int, key: str) -> None:
    """Draw the newest walk that began at this run's picture of index `first`, so that its strip stays with it."""
    spec = session.catalog[run.request.model]
    fields = session.catalog.family(spec.id).fields(spec)
    start = walks.single(fields, run.request, first)

    def begins(other: Request) -> bool:
        same = other.model == start.model and other.inputs.get("prompt") == start.inputs.get("prompt")
        return same and labels.acting(fields, other) == labels.acting(fields, start)

    runs = [one for one in session.jobs.store.runs(session.owner, limit=READ) if one.purpose == PURPOSE]
    found = next((one.job for one in runs if begins(one.request) and one.job != run.job), None)
    walk = [one for one in reversed(runs) if one.job == found]
    pngs = [result.stored(session.jobs, picture) for one in walk if (picture := _picture(one)) is not None]
    if len(pngs) < 2:
        return
    st.caption("Your last walk from this image:")
    sheet, tile = sheets.tiles(pngs)
    captions = walks.captions([one.request for one in walk if _picture(one) is not None])
    frame_player.draw(sheet, len(pngs), tile, f"{key}-last", captions=captions)


def _throw(key: str) -> None:
    state.at(key).set(drawn_seed())


def draw_job(desk: Desk, view: JobView, key: str) -> None:
    """Draw a walk: while it lives its progress, then its frames under a slider, to take along as strip and film."""
    if not view.finished:
        st.caption("A walk")
        job_panel.draw(desk.session, view.id)
        st.fragment(_draw_so_far, run_every=job_panel.every_s(view))(desk.session, view.id, key)
        return
    pictures = [(place, _picture(run)) for place, run in enumerate(view.runs)]
    frames = [(place, picture) for place, picture in pictures if picture is not None]
    for run in view.runs:
        if run.error:
            st.error(plain(run.error["message"]), icon=":material/error:")
    if not frames:
        st.info("The walk was stopped before its first frame.", icon=":material/info:")
        return
    if len(frames) < len(view.requests):
        st.info(f"{len(frames)} of {len(view.requests)} frames were drawn.", icon=":material/info:")
    captions = walks.captions(view.requests)
    pngs = [result.stored(desk.session.jobs, picture) for _, picture in frames]
    sheet, tile = sheets.tiles(pngs)
    frame_player.draw(sheet, len(frames), tile, f"{key}-walk", captions=[captions[place] for place, _ in frames])
    first = view.requests[0]
    with st.container(horizontal=True):
        st.download_button(
            "Download GIF", lambda: sheets.gif(pngs), file_name(f"{first.model}-walk", first.seed, 0, "image/gif"),
            "image/gif", icon=":material/movie:", key=f"{key}-gif", on_click="ignore",
            help="A GIF that plays forwards, then backwards.",
        )  # fmt: skip
        st.download_button(
            "Download strip", lambda: sheets.strip(pngs), file_name(f"{first.model}-walk", first.seed, 0, "image/png"),
            "image/png", icon=":material/download:", key=f"{key}-strip", on_click="ignore",
            help="All frames side by side.",
        )  # fmt: skip
    with st.expander("Use one frame", icon=":material/crop_original:"):
        chosen = st.selectbox("Frame", [place for place, _ in frames], format_func=captions.__getitem__,
                              key=f"{key}-frame")  # fmt: skip
        st.caption(result.facts(desk.session.catalog, view.runs[chosen]))
        result.draw_actions(desk, view.runs[chosen], f"{key}-{chosen}")


def _draw_so_far(session: Session, job_id: str, key: str) -> None:
    """Draw the finished frames of a living walk; its panel draws the page anew when it ends."""
    view = session.jobs.view(session.owner, job_id)
    if view is None or view.finished:
        return
    st.caption(f"Frame {view.index + 1} of {len(view.requests)}")
    every, frames, titles = walks.captions(view.requests), list[Output](), list[str]()
    for place, run in enumerate(view.runs):
        picture = _picture(run)
        data = result.stored(session.jobs, picture) if picture is not None else b""
        if picture is not None and data:
            frames.append(Output("image", place, "", sheets.thumbnail(data, 256), "image/png", meta=picture.meta))
            titles.append(every[place])
    if frames:
        image_view.draw(frames, f"{key}-frames", run=job_id, live=True, titles=titles)


def _picture(run: Run) -> Output | None:
    """Return the frame of a run: a whole picture, not one that Stop or a failure cut short."""
    if run.status != "done":
        return None
    return next((output for output in run.outputs if output.kind == "image"), None)
