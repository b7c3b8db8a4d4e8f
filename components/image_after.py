"""Under a finished picture: its steps, its words, walks from it, and the same name by other architectures."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components import compare, result, theatre, walk_view, word_lens
from components.words import plain
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.jobs import Jobs, JobView
from models.types import Run

_Draw = Callable[[Jobs, str, Catalog, Run, str], None]
_CHOICES: dict[str, tuple[Callable[[Catalog, Run], bool], _Draw]] = {
    "Steps": (theatre.fits, theatre.draw),
    "Words": (word_lens.fits, word_lens.draw),
    "Walk": (walk_view.fits, walk_view.draw),
    "Three architectures": (compare.fits, compare.draw),
}


def draw(jobs: Jobs, owner: str, catalog: Catalog, run: Run, key: str) -> None:
    """Draw the choice of what to look into, and the chosen one alone."""
    names = [name for name, (fits, _) in _CHOICES.items() if fits(catalog, run)]
    chosen = st.segmented_control("Look closer", names, key=f"{key}-choice") if names else None
    if chosen is None:
        return
    with st.container(border=True):
        try:
            _CHOICES[chosen][1](jobs, owner, catalog, run, key)
        except PlaygroundError as error:  # a file of the run was cleared from the store
            st.warning(plain(error.message), icon=":material/warning:")


def draw_job(jobs: Jobs, owner: str, catalog: Catalog, view: JobView, key: str, use: result.Use) -> None:
    """Draw a walk or a comparison, living or finished; `use` is what the page does with one of its pictures."""
    draw_it = {"walk": walk_view.draw_job, "compare": compare.draw_job}[view.purpose]
    try:
        draw_it(jobs, owner, catalog, view, key, use)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
