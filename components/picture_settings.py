"""Drop a picture, get its settings back: ours in full, stable-diffusion-webui's as far as they are known here."""

from __future__ import annotations

import streamlit as st

from components import links, state
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.image_settings import Recovered, read_settings
from models.types import Request

_TURN = "settings-from-picture-turn"


def draw(catalog: Catalog, modality: str) -> None:
    """Draw the box that takes the picture."""
    with st.expander("Settings from a picture", icon=":material/settings_backup_restore:"):
        st.caption(
            "Drop a picture that was made here, or by stable-diffusion-webui: its prompt, settings and seed are set on "
            "this page. The picture is read on this machine and not kept."
        )
        turn = st.session_state.get(_TURN, 0)
        st.file_uploader(
            "Picture with settings", ["png", "jpg", "jpeg", "webp"], key=f"settings-from-picture-{turn}",
            on_change=_take, args=(catalog, modality),
        )  # fmt: skip


def _take(catalog: Catalog, modality: str) -> None:
    turn = st.session_state.get(_TURN, 0)
    upload = st.session_state.get(f"settings-from-picture-{turn}")
    if upload is None:
        return
    st.session_state[_TURN] = turn + 1
    state.clear_notices()
    try:
        found = read_settings(upload.getvalue())
        if found is None:
            state.notify("This picture carries no settings: it was not made here, or they were stripped.", "warning")
            return
        apply(catalog, modality, found)
    except PlaygroundError as error:
        state.notify(error.message, "warning")


def apply(catalog: Catalog, modality: str, found: Recovered) -> None:
    """Set the page to what a picture says, and say what could not be taken."""
    model = found.model if found.model in catalog else None
    if found.source == "playground" and model is None:
        name = str(found.model)[:60]
        state.notify(f"The picture was made by {name}, which is not here. The rest was taken.", "warning")
    if model is None:
        model = st.session_state.get(state.model_key(modality)) or next(
            spec.id for spec in catalog.values() if spec.modality == modality
        )
    request = Request(model=model, inputs=found.inputs, params=found.params, seed=found.seed or 0)
    links.apply(catalog, modality, request)
    source = "" if found.source == "playground" else " as far as this model has them"
    state.notify(f"The prompt, settings and seed of the picture are set{source}. Press Run.", "info")
    if found.unknown:
        state.notify(f"Not known here and left out: {'; '.join(found.unknown)}.", "warning")
