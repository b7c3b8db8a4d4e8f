"""A wall of thumbnails to choose from, in groups: one press opens what lies behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from components import frontend
from components.widgets import picture_parts


class Cell(TypedDict):
    """Describe one thumbnail: `id` names what it opens, `png` may be empty, `title` says in words what it is."""

    id: str
    png: bytes
    title: str
    label: str


_component = frontend.component(
    "playground_picture_wall", __file__, html='<div class="wall"></div>', shared=(picture_parts,)
)


def draw(groups: Sequence[Sequence[Cell]], key: str, chosen: str) -> str | None:
    """Draw groups of thumbnails, `chosen` marked; return the id of the one that was just pressed, or None."""
    data = [
        [{"id": cell["id"], "url": picture_parts.png_url(cell["png"]) if cell["png"] else "", "title": cell["title"],
          "label": cell["label"]} for cell in group]
        for group in groups
    ]  # fmt: skip
    pressed = _component(key=key, data={"groups": data, "chosen": chosen}, on_pick_change=lambda: None).pick
    return pressed if isinstance(pressed, str) else None
