"""What a page's address brings: a whole request, settings, the token of a job that is looked for again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import inputs, links, params_form, state
from models.errors import PlaygroundError

if TYPE_CHECKING:
    from components.modality import Modality
    from components.session import Session

ADOPT_S = 5.0  # a reload may arrive before the old page's connection is seen to be gone
_ADOPTING = state.slot("adopting-until", 0.0)  # by the monotonic clock
_READ: state.Slot[set[str]] = state.slot("links-read", set())


def read(session: Session, room: Modality) -> None:
    """Take the page's address in, once per session and page, before the first widget: apply a whole request, and
    name every setting that Streamlit is about to drop, and set the others.
    """
    done = _READ.held()
    packed = st.query_params.get(links.REQUEST)
    if packed is not None:
        del st.query_params[links.REQUEST]
        try:
            request = links.read_request(packed)
            desks.apply(session, room, request)
            act = "Press Enter in the box below." if request.inputs.get("messages") else "Press Run."
            state.notify(f"This page was opened from a link: its prompt and settings are below. {act}", "info")
            if said := inputs.missing(desks.of(session, room, request.model)):
                state.notify(said, "warning")
        except PlaygroundError as error:
            state.notify(error.message, "warning")
    if room.id in done:
        return
    done.add(room.id)
    given = st.query_params.to_dict()
    for sentence in links.problems(session.catalog, room.id, given):
        state.notify(sentence, "warning")
    for model, new in links.settings(session.catalog, given).items():
        there = desks.of(session, room, model)
        params_form.start(there.spec, there.fields, new)


def adopt(session: Session) -> None:
    """Find a job again after a reload: its token is in the address and its old session is gone."""
    token = st.query_params.get(links.JOB)
    if token is None or any(view.token == token for view in session.jobs.jobs_of(session.owner)):
        return
    if session.jobs.adopt(token, session.owner):
        _ADOPTING.pop()
        return
    until = _ADOPTING.start(time.monotonic() + ADOPT_S)
    if time.monotonic() > until:
        _ADOPTING.pop()
        del st.query_params[links.JOB]
        return
    st.fragment(_wait_for_adoption, run_every=0.5)(session, token, until)


def _wait_for_adoption(session: Session, token: str, until: float) -> None:
    if session.jobs.adopt(token, session.owner) or time.monotonic() > until:
        st.rerun()
    st.caption(":material/search: Reconnecting to this page's run …")
