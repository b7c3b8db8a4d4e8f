"""Text from people and models, made safe for widgets that read markdown."""

from __future__ import annotations

import re

_MEANING = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&^=])")


def plain(text: str) -> str:
    """Return `text` so that markdown shows it as it is: every character that could mean something is escaped."""
    return _MEANING.sub(r"\\\1", text)
