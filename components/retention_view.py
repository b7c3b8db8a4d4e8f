"""What is kept of results, the limits, and what goes next and when, as the Runs page and its readers see it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from components.escape import plain
from models import labels, retention

if TYPE_CHECKING:
    from components.session import Session

NAME_CHARS = 60


def draw(session: Session) -> None:
    """Draw a menu that says it once it is open: what there is of an owner is counted then."""
    menu = st.popover(
        "What is kept", icon=":material/inventory_2:", type="tertiary", key="library-kept", on_change="rerun"
    )
    if not menu.open:
        return
    store, owner = session.jobs.store, session.owner
    limits = retention.Limits.of(session.jobs.settings)
    mine = store.mine(owner)
    with menu:
        for said in retention.words(retention.for_owner(store.kept, owner), mine, limits):
            st.markdown(plain(said))
        if not store.alone:
            st.caption("Files without a result stay: another run index has used this data folder, too.")
        if limits == retention.Limits() or not mine.first:
            return
        st.caption("Yours that go first, unless they get a star:")
        for found in store.found(owner, [run_id for run_id, _ in mine.first]):
            name = found.title or labels.prompt_of(session.catalog, found.run.request) or found.run.request.model
            made = time.strftime("%-d %B %Y", time.gmtime(found.run.created_at))
            st.markdown(f"- {plain(labels.shorten(name, NAME_CHARS))} ({made})")
