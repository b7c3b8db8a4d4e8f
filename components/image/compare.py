"""Three architectures, one seed: the same name drawn by every model that learnt from the same pictures."""

from __future__ import annotations

import streamlit as st

from components import job_panel, result, state
from components.desk import Desk
from components.escape import plain
from components.image import image_view
from components.session import Session
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.family import main_text
from models.runtime.job_view import JobView
from models.spec import ModelSpec
from models.types import Output, Request, Run


def fits(catalog: Catalog, run: Run) -> bool:
    """Say whether other models learnt from the same pictures and there is a prompt to give them."""
    return len(_members(catalog, run.request.model)) > 1 and bool(run.request.inputs.get("prompt", "").strip())


def build(catalog: Catalog, request: Request) -> list[Request]:
    """Return one request for each model of the collection: the same prompt and seed, its own settings."""
    prompt = {"prompt": request.inputs["prompt"]}
    return [Request(model=spec.id, inputs=prompt, seed=request.seed) for spec in _members(catalog, request.model)]


def draw(session: Session, run: Run, key: str) -> None:
    """Draw the one button."""
    names = ", ".join(spec.name for spec in _members(session.catalog, run.request.model))
    st.caption(f"Draws this prompt with {plain(names)}, same seed, each model's own defaults, side by side.")
    if st.button("Draw with all", icon=":material/view_column:", type="primary", key=f"{key}-compare"):
        state.clear_notices()
        try:
            session.submit(build(session.catalog, run.request), "compare")
        except PlaygroundError as error:
            st.warning(plain(error.message), icon=":material/warning:")
            return
        st.rerun()


def draw_job(desk: Desk, view: JobView, key: str) -> None:
    """Draw the pictures side by side as they come, with times and how each model was trained."""
    st.markdown(f"**One prompt, one seed ({view.requests[0].seed})**")
    st.text(f"“{view.requests[0].inputs.get('prompt', '')}”")
    if not view.finished:
        job_panel.draw(desk.session, view.id)
        st.fragment(_draw_living, run_every=job_panel.every_s(view))(desk, view.id, key)
        return
    _draw_all(desk, view, key)


def _draw_living(desk: Desk, job_id: str, key: str) -> None:
    view = desk.session.jobs.view(desk.session.owner, job_id)
    if view is not None and not view.finished:  # else the panel draws the page anew
        _draw_all(desk, view, key)


def _draw_all(desk: Desk, view: JobView, key: str) -> None:
    for column, (place, request) in zip(st.columns(len(view.requests)), enumerate(view.requests), strict=True):
        run = view.runs[place] if place < len(view.runs) else None
        with column:
            _draw_one(desk.session, request, run, f"{key}-{place}", view)
            if view.finished and run is not None and run.outputs:
                result.draw_actions(desk, run, f"{key}-{place}", brief=True)


def _draw_one(session: Session, request: Request, run: Run | None, key: str, view: JobView) -> None:
    spec = session.catalog.get(request.model)
    st.markdown(f"**{plain(spec.name if spec else request.model)}**")
    if run is not None and run.error:
        st.error(plain(run.error["message"]), icon=":material/error:")
    elif run is not None and run.outputs:
        picture = next(one for one in run.outputs if one.kind == "image")
        shown = Output("image", 0, "", result.stored(session.jobs, picture), picture.media_type, meta=picture.meta)
        image_view.draw([shown], f"compare-{key}", run=view.id, alt=request.inputs.get("prompt", ""))
        st.caption(f"{run.stats.get('seconds', 0):.2f} s")
    else:
        st.caption("Not drawn: the job was stopped." if view.finished else "Waiting …")
    if spec is not None:
        how = session.catalog.family(spec.id).in_short or f"{spec.architecture}."
        st.caption(plain(f"{spec.parameters / 1e6:.1f} million parameters. {how} Learnt from {spec.trained_on}."))


def _members(catalog: Catalog, model: str) -> list[ModelSpec]:
    spec = catalog.get(model)
    if spec is None or not spec.collection:
        return []
    return [
        one
        for one in catalog.values()
        if one.collection == spec.collection and one.embedded and main_text(catalog.family(one.id).inputs) is not None
    ]
