"""The Home page: what this is, a first run with one click, and the rooms there are."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from components import example, model_picker, opening, result, rooms, shell
from components import session as sessions
from components.escape import plain
from components.modality import Modality
from components.session import Session
from models.spec import ModelSpec


def show() -> None:
    """Draw the page."""
    opening.follow()
    st.title("See what a setting does", anchor=False)
    st.markdown(
        "This is a playground for generative AI: write a beginning, move a slider, and watch what changes. "
        "Its models are small and come with the app: no download, no account. Every result keeps its settings; a link "
        "shares them."
    )
    # the worker warms up while this page is read
    session = sessions.here()
    modalities = {spec.modality for spec in session.catalog.values()}
    found = [room for room in rooms.every().values() if room.id in modalities]
    for problem in rooms.problems():
        st.warning(plain(problem), icon=":material/warning:")
    model_picker.draw_problems(session.catalog)
    if not found:
        st.error("No model could be loaded. The warnings above say why; without one, the catalogue is empty.")
        return
    first = next((room for room in found if room.welcome is not None), None)
    if first is not None and first.welcome is not None:
        first.welcome(session)
    st.header("What is here", anchor=False)
    for room in found:
        _draw_room(session, room)
    st.page_link(shell.PAGES / "models.py", label="All models: what they take, what is here, what can be got",
                 icon=":material/deployed_code:")  # fmt: skip


def _draw_room(session: Session, room: Modality) -> None:
    """Draw the pages of a room, each beside the example of its first model."""
    for page in room.pages:
        models = rooms.models_on(session.catalog, page)
        with st.container(border=True):
            st.page_link(page.script, label=f"**{plain(page.title)}**", icon=page.icon)
            if not models:
                st.markdown(page.about)
                continue
            words, tile = st.columns([3, 2], vertical_alignment="center")  # a text of a few lines fits beside
            words.markdown(page.about)
            with tile:
                _draw_tile(room, models[0], f"home-{room.place(page)}")


def _draw_tile(room: Modality, spec: ModelSpec, key: str) -> None:
    shown = example.example_run(spec)
    if shown is not None and shown.outputs:
        whole = shown.outputs[0]  # from its prompt on: nothing else here says what was asked for
        result.draw_tile(room, replace(whole, meta={**whole.meta, "prompt_chars": 0}), key)
