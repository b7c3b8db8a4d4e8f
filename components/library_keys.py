"""Go through the list of the Runs page by keys: J and K or the arrows, S for a star, X for a mark, Enter to open."""

from __future__ import annotations

from components import frontend

_component = frontend.component("playground_library_keys", __file__, html="<span hidden></span>")


def draw() -> None:
    """Listen for the keys while the list is on show; nothing is seen of it."""
    _component(key="library-keys", data={})
