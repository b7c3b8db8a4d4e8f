"""The session's pictures as a wall of thumbnails, and two of them against one another."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components import ab_slider, image_view, result
from models.jobs import Jobs
from models.types import Output, Run

WALL = 12


def draw(jobs: Jobs, runs: Sequence[Run], modality: str) -> None:
    """Draw the newest pictures of these runs; with two or more, a choice of A and B under a slider."""
    found: list[tuple[str, Output]] = []
    for run in runs:
        for output in run.outputs:
            if output.kind == "image":
                prompt = " ".join(run.request.inputs.get("prompt", "").split())[:40]
                found.append((f"seed {output.meta.get('seed', run.request.seed)} · {prompt}", output))
    if len(found) < 2:
        return
    with st.expander("Compare two", icon=":material/compare:"):
        # the newest first; a number keeps equal titles apart
        names = [f"{place}: {title}" for place, (title, _) in enumerate(found[:WALL], 1)]
        left, right = st.columns(2)
        first = left.selectbox("A", range(len(names)), format_func=names.__getitem__, key=f"{modality}-a")
        second = right.selectbox("B", range(len(names)), index=1, format_func=names.__getitem__, key=f"{modality}-b")
        pictures = [result.stored(jobs, found[place][1]) for place in (first, second)]
        if all(pictures):
            ab_slider.draw(pictures[0], pictures[1], f"{modality}-ab", labels=(names[first], names[second]))


def thumbnails(jobs: Jobs, outputs: Sequence[Output], key: str, titles: Sequence[str] = ()) -> None:
    """Draw pictures small."""
    small = [
        Output("image", output.index, "", result.stored(jobs, output), output.media_type, meta=output.meta)
        for output in outputs
    ]
    image_view.draw(small, key, run=key, titles=titles)
