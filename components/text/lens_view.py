"""A table of what each layer would predict at every token: layers down, the text across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from components import frontend
from components.text import token_parts


class Cell(TypedDict):
    """Describe one layer at one token.

    `top` are its likeliest tokens with their probabilities, `strength` (0 … 1) how strongly the cell is coloured,
    `came` the probability of the actual token, `rank` its rank from 1.
    """

    top: list[tuple[str, float]]
    strength: float
    came: float
    rank: int


_component = frontend.component("playground_lens", __file__, shared=(token_parts,))


def draw(names: Sequence[str], rows: Sequence[Sequence[Cell]], pieces: Sequence[str], key: str, *, prompt: int) -> None:
    """Draw a row of cells for each of `names`, a cell for each of `pieces`, of which the first `prompt` were given."""
    _component(
        key=key, data={"names": list(names), "rows": [list(row) for row in rows], "pieces": list(pieces),
                       "prompt": prompt},
    )  # fmt: skip
