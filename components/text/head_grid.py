"""Every head of a Transformer as a small picture of its attention, to pick one from: layers down, heads across."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components import frontend
from components.text import token_parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_component = frontend.component(
    "playground_head_grid",
    __file__,
    html='<div class="heads" role="radiogroup" aria-label="Heads"></div>',
    shared=(token_parts,),
)


def draw(thumbs: NDArray[np.uint8], key: str, *, chosen: tuple[int, int] | None) -> tuple[int, int] | None:
    """Draw heads (layers × heads × side × side, 0 … 255), `chosen` marked; return the one just picked, or None."""
    layers, heads, side, _ = thumbs.shape
    data = {
        "thumbs": token_parts.encode(thumbs), "layers": layers, "heads": heads, "side": side,
        "chosen": list(chosen) if chosen is not None else None,
    }  # fmt: skip
    return read_pick(_component(key=key, data=data, on_pick_change=lambda: None).pick, layers, heads)


def read_pick(value: object, layers: int, heads: int) -> tuple[int, int] | None:
    """Return the layer and head that a browser sent, or None if they are none."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(type(one) is int for one in value):
        return None
    layer, head = value
    return (layer, head) if 0 <= layer < layers and 0 <= head < heads else None
