"""What a classifier sees in an image: its names by probability, and the style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from components.escape import plain

if TYPE_CHECKING:
    from models.types import Output

_LEAST = 0.01  # styles below are not told


def draw(output: Output) -> None:
    """Draw the names as bars, the likeliest first, and the styles in a line."""
    seen, styles = output.meta.get("seen", []), output.meta.get("styles", [])
    st.markdown(f"#### {plain(seen[0]['label'] if seen else output.text)}")
    for one in seen:
        st.progress(min(1.0, max(0.0, one["probability"])), text=plain(said(one)))
    likely = sorted((one for one in styles if one["probability"] >= _LEAST), key=lambda one: -one["probability"])
    if likely:
        st.caption(plain(f"Style: {', '.join(map(said, likely))}."))


def said(one: dict[str, Any]) -> str:
    """Return a name with its probability: "red heart 93.0%"."""
    return f"{one['label']} {one['probability']:.1%}"


def words(output: Output) -> str:
    """Return what an image's classifier saw, in a few words; "" for what is no such output."""
    seen = output.meta.get("seen")
    return said(seen[0]) if seen else ""
