"""Under a finished result: the looks into it that its room offers, and that every result has, one of them open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import code_view, making_again, rooms, state
from components.escape import plain
from components.modality import Look
from components.notes import Note
from models.errors import PlaygroundError
from models.types import Run

if TYPE_CHECKING:
    from components.session import Session


_AGAIN = Look(making_again.NAME, lambda catalog, run: making_again.fits(run), making_again.draw)


def fitting(session: Session, run: Run) -> dict[str, Look]:
    """Return the looks that a run offers, by name; none into one that failed."""
    if run.error or not run.outputs:
        return {}
    every = (*rooms.of(run.request.model).looks, code_view.LOOK)
    own = {look.name: look for look in every if look.fits(session.catalog, run)}
    return {**own, making_again.NAME: _AGAIN} if making_again.fits(run) else own


def draw(session: Session, run: Run, key: str, *, remember: bool = True, before: bool = False) -> None:
    """Draw the choice of what to look into, and the chosen one alone: the one that was open under the run before.

    `remember` false: it begins closed, and leaves what is open elsewhere. `before`: a newer result is on its way, and
    this one's look stands in its place until then.
    """
    found = fitting(session, run)
    if not found:
        return
    room = rooms.of(run.request.model)
    # what is opened, or closed, is kept; a run that does not offer it leaves it kept for the next
    choice, last = state.at(state.key(key, "choice")), Note(session, f"{room.id}-look-closer", "")
    if remember and not choice.there and last.get() in found:
        choice.set(last.get())
    chosen = st.segmented_control(
        "Look closer", list(found), key=choice.key, wrap=True, on_change=_note if remember else "rerun",
        args=(last, choice) if remember else None,
    )  # fmt: skip
    if chosen is None:
        return
    with st.container(border=True):
        if before:
            st.caption(":material/hourglass_top: Of the result before; the new one takes its place when it is done.")
        try:
            found[chosen].draw(session, run, f"{key}-{chosen.lower().replace(' ', '-')}")
        except PlaygroundError as error:  # a file of the run was cleared from the store
            st.warning(plain(error.message), icon=":material/warning:")


def _note(last: Note[str], choice: state.Slot[str | None]) -> None:
    last.set(choice.get() or "")
