"""What is around every page: set-up, navigation, look."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from components import keyboard, owners, rooms, state, theme
from components import session as sessions
from components.escape import plain
from models.errors import BadSetting, PlaygroundError

log = logging.getLogger(__name__)
ICON = Path(__file__).with_name("icon.png")  # an icon by name would be fetched from another host
PAGES = Path(__file__).resolve().parents[1] / "pages"


def run() -> None:
    """Set the app up and run the page that the address names."""
    st.set_page_config(page_title="Generative playground", page_icon=str(ICON), layout="wide")
    try:
        _draw()
    except BadSetting as error:
        log.exception("the app's settings are wrong")
        st.error(plain(error.message), icon=":material/error:")


def _draw() -> None:
    state.finish_callbacks()
    # the rooms say which pages there are
    groups = {"": [st.Page(PAGES / "start.py", title="Home", icon=":material/home:", default=True)]}
    found = [page for room in rooms.every().values() for page in room.pages]
    for one in sorted(found, key=lambda page: page.order):
        groups.setdefault(one.group, []).append(st.Page(one.script, title=one.title, icon=one.icon))
    groups.setdefault("Library", []).append(st.Page(PAGES / "runs.py", title="Runs", icon=":material/history:"))
    groups["Library"].append(st.Page(PAGES / "models.py", title="Models", icon=":material/deployed_code:"))
    # who has a link opens it; the navigation does not lead there
    groups[""].append(st.Page(PAGES / "shared.py", title="Shared", icon=":material/share:", visibility="hidden"))
    page = st.navigation(groups)
    theme.apply()
    try:
        page.run()
    except PlaygroundError as error:  # what a page could not handle itself: the store or the catalogue is out of reach
        log.exception("a page could not be drawn")
        st.error(plain(error.message), icon=":material/error:")
    except Exception as error:  # a fault of ours: what this session was given must not bring it back for ever
        log.exception("a page failed")
        _draw_way_out(type(error).__name__)
    with st.sidebar:
        keyboard.draw()
        _draw_owner()
    state.let_go_of_widgets()


def _draw_way_out(fault: str) -> None:
    """Say that the page failed, with the button that leaves behind what the address and this session set."""
    st.error(
        f"This page could not be drawn ({fault}). The log has the details. “Start afresh” clears the address and the "
        "settings of this tab; your results stay.", icon=":material/error:",
    )  # fmt: skip
    st.button("Start afresh", icon=":material/refresh:", key=state.key("shell", "afresh"), on_click=_start_afresh)


def _start_afresh() -> None:
    st.query_params.clear()
    state.clear(but=owners.SLOTS)
    with suppress(PlaygroundError):  # what a page holds for a reload may be what failed
        session = sessions.here()
        session.jobs.store.forget_desks(session.owner)


def _draw_owner() -> None:
    try:
        session = sessions.here()
    except PlaygroundError:  # the page has said so
        return
    try:
        owners.draw(session.jobs, session.known)
    except PlaygroundError as error:
        log.exception("whose results these are could not be kept")
        st.error(plain(error.message), icon=":material/error:")


def enter() -> None:
    """Go through Home.py's set-up if this page was started without it.

    Until `st.navigation` is called for the first time in a process, Streamlit takes a folder named pages/ for pages of
    the old kind: the first reader of a fresh app who opens /text would get that script alone, without navigation.
    """
    if PagesManager.uses_pages_directory:
        run()
        st.stop()
