"""Under a finished result: the looks into it that its room offers, one of them open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import rooms, state
from components.escape import plain
from models.errors import PlaygroundError
from models.types import Run

if TYPE_CHECKING:
    from components.session import Session


def draw(session: Session, run: Run, key: str) -> None:
    """Draw the choice of what to look into, and the chosen one alone: the one that was open under the run before."""
    room = rooms.of(run.request.model)
    found = {look.name: look for look in room.looks if look.fits(session.catalog, run)}
    if not found:
        return
    choice, last = state.at(state.key(key, "choice")), state.at(state.key(room.id, "look-closer"))
    if not choice.there and last.get() in found:
        choice.set(last.get())
    chosen = st.segmented_control("Look closer", list(found), key=choice.key)
    last.set(chosen)
    if chosen is None:
        return
    with st.container(border=True):
        try:
            found[chosen].draw(session, run, f"{key}-{chosen.lower().replace(' ', '-')}")
        except PlaygroundError as error:  # a file of the run was cleared from the store
            st.warning(plain(error.message), icon=":material/warning:")
