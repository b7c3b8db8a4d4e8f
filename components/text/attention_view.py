"""A text whose tokens show where they look: shading on the words, and a map of who looks at whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from components import frontend
from components.text import token_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_component = frontend.component("playground_attention", __file__, shared=(token_parts,))


def draw(
    weights: NDArray[np.floating], before: NDArray[np.floating], pieces: Sequence[str], key: str, *,
    prompt: int, first: int, title: str,
) -> None:  # fmt: skip
    """Draw one table of attention (tokens × tokens, 0 … 1, row looks at column) over its text.

    `before` (tokens) went to what came before the text shown, which begins at token `first`; the first `prompt` of
    `pieces` were given. `title` names whose attention it is.
    """
    table = token_parts.roots(weights)
    data = {
        "pieces": list(pieces), "prompt": prompt, "first": first, "title": title,
        "rows": token_parts.encode(table[np.tril_indices(len(table))]),
        "before": token_parts.encode(token_parts.roots(before)),
    }  # fmt: skip
    _component(key=key, data=data)
