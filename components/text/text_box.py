"""A box for any text that answers while one types. Unlike the page's own boxes, Ctrl+Enter in it starts no run."""

from __future__ import annotations

from components import frontend, state

_component = frontend.component(
    "playground_text_box",
    __file__,
    html='<label class="box"><span></span><textarea rows="4" spellcheck="false"></textarea></label>',
)


def draw(label: str, key: str, *, placeholder: str = "") -> str:
    """Draw the box; return what stands in it. The text comes from a browser: whoever takes it must check it."""
    held = (state.at(key).get() or {}).get("text")
    text = held if isinstance(held, str) else ""
    drawn = _component(
        key=key, data={"label": label, "placeholder": placeholder, "text": text}, on_text_change=lambda: None
    )
    return drawn.text if isinstance(drawn.text, str) else ""
