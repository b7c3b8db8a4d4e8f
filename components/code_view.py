"""The code that makes a result again, in a choice of styles, to copy or to download: a look that every room has."""

from __future__ import annotations

import streamlit as st

from components import state
from components.escape import plain
from components.modality import Look
from components.session import Session
from models import coding, settings
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.types import Run

NAME = "Show the code"
HEIGHT_PX = 480
_LABELS = {"libraries": "Public libraries", "models": "Playground", "cli": "Shell", "notebook": "Notebook"}
_LANGUAGES = {"libraries": "python", "models": "python", "cli": "bash", "notebook": "json"}


def _fits(catalog: Catalog, run: Run) -> bool:
    return run.request.model in catalog and not run.request.study


def _draw(session: Session, run: Run, key: str) -> None:
    """Draw the choice of style and the code in the chosen one; where one cannot be had, why not."""
    request = session.catalog.current(run.request)
    why = coding.refusals(session.catalog, request)
    offered = [style for style, reason in why.items() if not reason]
    if reason := next((one for one in why.values() if one), ""):
        st.caption(f":material/info: {plain(reason)}")
    style = st.segmented_control(
        "Style", offered, default=offered[0], required=True, key=state.key(key, "style"), wrap=True,
        format_func=lambda one: _LABELS[one],
    )  # fmt: skip
    style = style or offered[0]
    st.caption(plain(coding.STYLES[style]))
    try:
        own = settings.current()
        text = coding.write(session.catalog, own, request, style, coding.facts_of(run, session.jobs.store, own))
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    name = coding.code_name(request, style)
    st.download_button(
        "Download code", text, name, coding.MEDIA_TYPES[name.rsplit(".", 1)[1]], icon=":material/download:",
        key=state.key(key, "code"), on_click="ignore",
    )  # fmt: skip
    # what scrolls is the container: it holds the copy button, so it is reached by keyboard too
    with st.container(height="content" if style == "cli" else HEIGHT_PX):
        st.code(text, language=_LANGUAGES[style], wrap_lines=True)


LOOK = Look(NAME, _fits, _draw)
