"""Choose a model, and read its card."""

from __future__ import annotations

import streamlit as st

from components import rooms, state
from components.escape import plain
from components.modality import RoomPage, Segment
from models.amounts import size
from models.catalog import Catalog
from models.spec import ModelSpec

MODEL = "model"  # the query parameter


def pick(catalog: Catalog, page: RoomPage, place: str, segment: Segment | None = None) -> ModelSpec | None:
    """Draw the choice among a page's models with a line of facts; return the chosen one, None if there is none.

    `place` is what the page's keys begin with; with a `segment` its models alone are listed.
    """
    specs = rooms.models_on(catalog, page, segment)
    draw_problems(catalog)
    if not specs and segment is not None and not catalog.problems:
        st.info(plain(segment.none), icon=":material/info:")
        return None
    if not specs:
        st.error(
            "No model for this page could be loaded. The warnings above say why."
            if catalog.problems else "There is no model for this page. Add its file to the catalogue.",
            icon=":material/error:",
        )  # fmt: skip
        return None
    ids = [spec.id for spec in specs]
    choice = state.at(state.model_key(place), ids[0])
    # a bound selectbox would write its label into the address: the id belongs there
    if not choice.there and st.query_params.get(MODEL) in ids:
        choice.set(st.query_params[MODEL])
    if choice.held() not in ids:
        choice.set(ids[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Model", ids, format_func=lambda model: catalog[model].name, key=choice.key, persist_state="session",
            width=280,
        )  # fmt: skip
        spec = catalog[chosen]
        if chosen != rooms.models_on(catalog, page)[0].id:  # what the page opens with
            st.query_params[MODEL] = chosen
        elif MODEL in st.query_params:
            del st.query_params[MODEL]
        with st.popover("Model card", icon=":material/badge:"):
            _card(spec)
    st.caption(plain(f"{spec.summary} {size(spec.weights_bytes())} · {spec.licence} · {spec.architecture}"))
    if spec.limits:
        st.caption(f":material/info: **Limits:** {plain(spec.limits)}")
    return spec


def draw_problems(catalog: Catalog) -> None:
    """Say what was left out of the catalogue: models, and families with theirs."""
    for problem in catalog.problems:
        st.warning(plain(f"Left out of the models: {problem.message}"), icon=":material/warning:")


def _location(spec: ModelSpec) -> str:
    if spec.embedded:
        return "in this repository; no download"
    if spec.weights.disk is not None:
        return "added from the disk"
    if spec.weights.package is None:
        return "on the Hugging Face Hub"
    return f"in the package {spec.weights.package} of the index; {'got' if spec.here else 'not got yet'}"


def _card(spec: ModelSpec) -> None:
    st.markdown(f"**{plain(spec.name)}** `{spec.id}`")
    st.text(spec.summary)
    rows = {
        **({"Limits": spec.limits} if spec.limits else {}),
        "Architecture": spec.architecture,
        "Parameters": f"{spec.parameters / 1e6:,.1f} million",
        "Size on disk": size(spec.weights_bytes()),
        "Trained on": spec.trained_on,
        "Licence": spec.licence,
        "Location": _location(spec),
    }
    for name, value in rows.items():
        st.markdown(f":gray[{name}]  \n{plain(value)}")
    readme = spec.folder() / "README.md" if spec.here else None
    if readme is not None and readme.exists():
        st.download_button(
            "Full card with samples", readme.read_bytes(), f"{spec.id.rsplit('/', 1)[-1]}-card.md", "text/markdown",
            icon=":material/download:", on_click="ignore", key=f"{spec.id}-card",
        )  # fmt: skip
