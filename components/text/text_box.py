"""A box for any text that answers while one types. Unlike the page's own boxes, Ctrl+Enter in it starts no run."""

from __future__ import annotations

import streamlit as st

from components import frontend

_component = frontend.component(
    "playground_text_box",
    __file__,
    html='<label class="box"><span></span><textarea rows="4" spellcheck="false"></textarea></label>',
)


def draw(label: str, key: str, *, placeholder: str = "") -> str:
    """Draw the box; return what stands in it. The text comes from a browser: whoever takes it must check it."""
    held = (st.session_state.get(key) or {}).get("text")
    text = held if isinstance(held, str) else ""
    state = _component(
        key=key, data={"label": label, "placeholder": placeholder, "text": text}, on_text_change=lambda: None
    )
    return state.text if isinstance(state.text, str) else ""
