"""Under a finished text: what can be seen inside the model that wrote it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components import insides
from components.words import plain
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.jobs import Jobs
from models.types import Run

_Draw = Callable[[Jobs, str, Catalog, Run, str], None]
_CHOICES: dict[str, tuple[Callable[[Catalog, Run], bool], _Draw]] = {
    "Attention": (insides.fits_attention, insides.draw_attention),
    "Layers": (insides.fits_lens, insides.draw_lens),
    "State": (insides.fits_state, insides.draw_state),
    "Tokens": (insides.fits_tokens, insides.draw_tokens),
}


def draw(jobs: Jobs, owner: str, catalog: Catalog, run: Run, key: str) -> None:
    """Draw the choice of what to look into, and the chosen one alone."""
    names = [name for name, (fits, _) in _CHOICES.items() if fits(catalog, run)]
    chosen = st.segmented_control("Look closer", names, key=f"{key}-choice") if names else None
    if chosen is None:
        return
    with st.container(border=True):
        try:
            _CHOICES[chosen][1](jobs, owner, catalog, run, f"{key}-{chosen.lower()}")
        except PlaygroundError as error:  # a file of the run was cleared from the store
            st.warning(plain(error.message), icon=":material/warning:")
