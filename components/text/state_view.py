"""A recurrent model's memory over a text: units by tokens as a map, and one unit's value as shading on the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from components import frontend
from components.text import token_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_component = frontend.component("playground_state", __file__, shared=(token_parts,))


def draw(
    values: NDArray[np.floating], units: Sequence[int], change: Sequence[float], pieces: Sequence[str], key: str, *,
    prompt: int, title: str,
) -> None:  # fmt: skip
    """Draw some units' values (units × tokens) with their numbers (from 0), and how much each token changed all."""
    table = values.astype(np.float32)
    most = max(float(np.abs(table).max()), 1e-6)
    quantised = np.rint(table / most * 127 + 128).astype(np.uint8)
    data = {
        "values": token_parts.encode(quantised), "most": most, "units": [unit + 1 for unit in units],
        "change": [round(float(one), 4) for one in change], "pieces": list(pieces), "prompt": prompt, "title": title,
    }  # fmt: skip
    _component(key=key, data=data)
