"""A box for any text that answers while one types. Unlike the page's own boxes, Ctrl+Enter in it starts no run."""

from __future__ import annotations

from collections.abc import Mapping

from components import frontend, state
from models.plain_text import TEXT_MAX_BYTES
from models.types import is_text

_component = frontend.component(
    "playground_text_box",
    __file__,
    html='<label class="box"><span></span><textarea rows="4" spellcheck="false"></textarea></label>',
)


def draw(label: str, key: str, *, placeholder: str = "") -> str:
    """Draw the box; return what stands in it. The text comes from a browser: whoever takes it must check it."""
    held = state.at(key).get()
    text = read_text(held.get("text") if isinstance(held, Mapping) else None)
    drawn = _component(
        key=key, data={"label": label, "placeholder": placeholder, "text": text}, on_text_change=lambda: None
    )
    return read_text(drawn.text)


def read_text(value: object) -> str:
    """Return the text that a browser sent, "" for what cannot be shown: no text, half of a character, too long."""
    return value if isinstance(value, str) and is_text(value) and len(value) <= TEXT_MAX_BYTES else ""
