"""A text and its translation side by side, sentence by sentence: partners marked, confidence shaded, alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from components import frontend
from components.text import token_parts
from models.text.languages import name_of

if TYPE_CHECKING:
    from models.types import Output

_component = frontend.component("playground_translation", __file__, shared=(token_parts,))


def fits(output: Output) -> bool:
    """Say whether an output tells what became of each part of a text."""
    return output.kind == "text" and bool(output.meta.get("pairs"))


def draw(output: Output, key: str) -> None:
    """Draw the parts of a text beside what became of them; those that are not told, as one text below."""
    pairs, total = output.meta["pairs"], int(output.meta.get("parts", 0))
    _component(key=key, data={
        "pairs": [
            {"before": one["before"], "source": one["source"], "words": one["words"],
             "alternatives": one.get("alternatives", [])}
            for one in pairs
        ],
        "titles": _titles(output.meta.get("languages", [])), "after": output.meta.get("after", ""),
    })  # fmt: skip
    put = any(p is None for one in pairs for _, p in one["words"])
    if put and any(len(one.get("alternatives", [])) > 1 for one in pairs):
        st.caption(
            ":material/info: Alternatives are as the model wrote them, before words of the glossary were put in."
        )
    if total > len(pairs):
        st.caption(
            f":material/info: The first {len(pairs):,} of {total:,} parts are shown side by side; the whole text is in "
            "the download."
        )


def _titles(languages: Sequence[str]) -> list[str]:
    return [name_of(one) for one in languages] if len(languages) == 2 else ["Text", "Result"]
