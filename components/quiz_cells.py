"""Cells side by side under letters, without their values: what a quiz shows. Values stand there once they are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components import frontend
from components.modality import Tile
from components.sweep_cell import url_of

_component = frontend.component("playground_quiz_cells", __file__, html='<div class="cells"></div>')


@dataclass(frozen=True)
class Card:
    """Hold one cell: its `letter`, what is seen of it, and what is `told` below it, "" while it is asked for."""

    letter: str
    tile: Tile
    told: str = ""


def draw(key: str, cards: Sequence[Card]) -> None:
    """Draw cards beside one another; on a narrow page they wrap."""
    cells = [
        {"letter": card.letter, "told": card.told, "kind": card.tile.kind, "text": card.tile.text,
         "note": card.tile.note, "small": card.tile.small, "url": url_of(card.tile.media_type, card.tile.data),
         "cover": url_of("image/png", card.tile.cover)}
        for card in cards
    ]  # fmt: skip
    _component(key=key, data={"cells": cells})
