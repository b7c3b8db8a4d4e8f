"""Let the reader choose one of a run's texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import streamlit as st


class _Indexed(Protocol):
    @property
    def index(self) -> int: ...


_Text = TypeVar("_Text", bound=_Indexed)


def choose(texts: Sequence[_Text], key: str) -> _Text:
    """Return the text that was chosen, the first at first; the only one where there is no choice."""
    if len(texts) == 1:
        return texts[0]
    place = st.segmented_control(
        "Variant", range(len(texts)), default=0, required=True, key=f"{key}-variant",
        format_func=lambda at: f"{texts[at].index + 1}",
    )  # fmt: skip
    return texts[place or 0]
