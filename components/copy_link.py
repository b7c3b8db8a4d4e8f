"""A button that copies a link at one press, by mouse, touch or keyboard, and says so.

The browser writes to the clipboard only within the press itself: the link is there before it. Where it may not write at
all (no HTTPS, or forbidden), the link is shown, selected, to be copied by hand.
"""

from __future__ import annotations

from components import frontend

_component = frontend.component(
    "playground_copy_link", __file__,
    html='<button type="button"></button><p role="status"></p><input readonly hidden aria-label="Link">',
)  # fmt: skip


def draw(link: str | None, key: str, *, hint: str, said: str, too_long: str, label: str = "Copy link") -> None:
    """Draw the button. `hint` is told before the press, `said` after it; `too_long` where there is no link."""
    data = {"link": link or "", "label": label, "hint": hint, "said": said, "too_long": too_long}
    _component(key=key, data=data, width="content")
