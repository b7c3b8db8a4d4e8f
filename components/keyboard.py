"""Have Tab go from a popover's button into what it shows, and back: everything is reached by keyboard alone."""

from __future__ import annotations

from components import frontend

_component = frontend.component("playground_keyboard", __file__, html="<span></span>")


def draw() -> None:
    """Listen for Tab on this page; nothing is seen of it."""
    _component(key="keyboard", data={})
