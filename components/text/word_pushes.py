"""A text whose words are shaded by how far they pushed a label up or down."""

from __future__ import annotations

from collections.abc import Sequence

from components import frontend
from components.text import token_parts

_component = frontend.component("playground_word_pushes", __file__, shared=(token_parts,))


def draw(words: Sequence[str], pushes: Sequence[float], label: str, key: str) -> None:
    """Draw words with their pushes in logits; `label` is what they push."""
    _component(key=key, data={"words": list(words), "pushes": list(pushes), "label": label})
