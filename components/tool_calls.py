"""Answers of tools on a page: the quick ones at once; while a long one runs, how long it has, and Stop."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from components import presence
from components.escape import plain
from models.runtime.calls import Call
from models.runtime.jobs import Jobs

QUICK_S = 0.7  # until something is drawn
POLL_S = 0.5


def answer(jobs: Jobs, key: str, model: str, tool: str, data: dict[str, Any], words: str) -> dict[str, Any] | None:
    """Return what a tool says, asked once for the same `data`; `key` names the place on the page.

    None while it is on its way: `words` ("Changing the sound"), the seconds and Stop are drawn, and the whole page once
    it ends. None, too, where it was stopped, which is said. Raises the tool's `PlaygroundError`.
    """
    place = f"{presence.session_id()}-{key}"
    call = jobs.calls.ask(place, model, tool, data)
    if not call.wait(QUICK_S):
        st.fragment(_look, run_every=POLL_S)(call, key, words)
        return None
    if call.error is None:
        return call.answer
    if call.error.code != "stopped":
        jobs.calls.forget(place)  # what failed is tried again at the next draw
        raise call.error
    st.info(plain(call.error.message), icon=":material/stop_circle:")
    st.button("Try again", key=f"{key}-again", on_click=jobs.calls.forget, args=(place,))
    return None


def _look(call: Call, key: str, words: str) -> None:
    if call.wait(0):
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/hourglass_top: {words} … {time.monotonic() - call.begun:.0f} s")
        st.button(
            "Stopping…" if call.stopping else "Stop", icon=":material/stop_circle:", key=f"{key}-stop",
            disabled=call.stopping, on_click=call.stop,
        )  # fmt: skip
