"""Two pictures over one another, with a line between them to drag."""

from __future__ import annotations

from components import frontend
from components.widgets import picture_parts

_component = frontend.component("playground_ab_slider", __file__, shared=(picture_parts,))


def draw(left_png: bytes, right_png: bytes, key: str, *, labels: tuple[str, str]) -> None:
    """Draw two pictures of one size over one another; the left one shows up to the divider."""
    urls = [picture_parts.png_url(png) for png in (left_png, right_png)]
    _component(key=key, data={"urls": urls, "labels": list(labels)})
