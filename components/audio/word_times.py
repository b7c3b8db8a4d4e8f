"""The words of a recording under its player: a press on one plays from there, and the one that is heard is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components import frontend

_component = frontend.component("playground_word_times", __file__)


def draw(words: Sequence[Mapping[str, Any]], key: str) -> None:
    """Draw words, each a label with `start_s` and `end_s`; they belong to the player above."""
    told = [[str(one["label"]), float(one["start_s"]), float(one["end_s"])] for one in words]
    _component(key=key, data={"words": told})
