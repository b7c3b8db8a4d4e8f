"""Keys that Streamlit does not know: Tab goes from a popover's button into what it shows, Ctrl+Enter runs a sweep."""

from __future__ import annotations

from components import frontend

_component = frontend.component("playground_keyboard", __file__, html="<span></span>")


def draw() -> None:
    """Listen for them on this page; nothing is seen of it."""
    _component(key="keyboard", data={})
