"""What a shared result was made from: its texts, and the files that its owner uploaded for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import rooms, state
from components.escape import plain
from models.errors import PlaygroundError
from models.types import Request, Run

if TYPE_CHECKING:
    from components.session import Session

TEXT_CHARS = 4000


def take(session: Session, request: Request, uploads: frozenset[str]) -> str:
    """Count the files that came with a request as the reader's own, too; return why not, "" for nothing."""
    try:
        session.jobs.store.own(session.owner, *(uploads & set(request.inputs.values())))
    except PlaygroundError as error:  # the reader has too much
        return error.message
    return ""


def draw(session: Session, run: Run, uploads: frozenset[str], key: str) -> None:
    """Draw the inputs of a run; `uploads` are the references that may be read."""
    request = run.request
    desk = desks.of(session, rooms.of(request.model), request.model) if request.model in session.catalog else None
    items = {item.name: item for item in desk.family.inputs} if desk is not None else {}
    for name, value in request.inputs.items():
        item = items.get(name)
        label = (item.label if item is not None else "") or name.replace("_", " ").capitalize()
        kind = rooms.input_type(item.type, rooms.of(request.model).id) if item is not None else None
        if value in uploads:
            st.markdown(f"**{plain(label)}**")
            try:
                data = session.jobs.store.get_bytes(value)
                if desk is not None and kind is not None and kind.shown is not None:
                    kind.shown(desk, value)
            except PlaygroundError as error:
                st.caption(plain(error.message))
                continue
            st.download_button(
                f"Download the {label.lower()}", data, name, key=state.key(key, "file", name),
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        elif value.startswith("sha256:"):
            st.caption(plain(f"{label}: a file that is not here any more."))
        elif value.strip() and (item is None or item.is_text):
            st.markdown(f"**{plain(label)}**")
            if desk is not None and kind is not None and kind.shown is not None:
                kind.shown(desk, value)
            else:
                st.code(value[:TEXT_CHARS], language=None, wrap_lines=True)
