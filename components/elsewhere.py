"""A run of this owner that the page at hand does not draw: where it is, how far it is, and Stop, until it is over."""

from __future__ import annotations

import streamlit as st

from components import job_panel, rooms
from components.escape import plain
from components.modality import RoomPage
from components.session import Session
from models.runtime.job_view import JobView
from models.types import STUDY

_ONE = "One run at a time: wait for this one, or stop it, then press again."


def draw(session: Session, page: RoomPage, here: str = "") -> bool:
    """Draw the first run under way but for the job `here`, with a link to its page; say whether there is one.

    A look into a result is drawn where it is opened: it is told of only where it has kept a run from starting.
    """
    for view in session.jobs.jobs_of(session.owner):
        if not view.finished and view.id == here and job_panel.refused_for() == here:
            st.info(_ONE, icon=":material/info:")  # the run itself is drawn below
        shown = view.purpose != STUDY or job_panel.refused_for() == view.id
        if not view.finished and view.id != here and shown:
            job_panel.draw(session, view.id, lambda now: _say(session, now, page))
            return True
    return False


def _say(session: Session, view: JobView, page: RoomPage) -> None:
    there = rooms.page_of(session.catalog, view.requests[0].model)
    if job_panel.refused_for() == view.id:
        st.info(_ONE, icon=":material/info:")
    if there == page:
        st.caption("A run of yours is in progress:")
        return
    st.page_link(
        there.script, label=plain(f"A run of yours is in progress on the {there.title} page. Open it"),
        icon=there.icon,
    )  # fmt: skip
