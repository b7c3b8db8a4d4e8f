"""Words of a text beside those of its translation: choose one, and those that it attends to are shaded."""

from __future__ import annotations

from collections.abc import Sequence

from components import frontend
from components.text import token_parts

_component = frontend.component("playground_word_links", __file__, shared=(token_parts,))


def draw(source: Sequence[str], target: Sequence[str], weights: Sequence[Sequence[float]], key: str) -> None:
    """Draw two rows of words; `weights` (written × source) are percent of attention."""
    _component(
        key=key, data={"source": list(source), "target": list(target), "weights": [list(row) for row in weights]}
    )
