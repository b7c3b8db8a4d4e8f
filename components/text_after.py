"""Under a finished text: its tokens under the microscope, and what can be seen inside the model that wrote it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components import insides, microscope
from components.words import plain
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.jobs import Jobs
from models.types import Run

_Draw = Callable[[Jobs, str, Catalog, Run, str], None]
_CHOICES: dict[str, tuple[Callable[[Catalog, Run], bool], _Draw]] = {
    "Microscope": (microscope.fits, microscope.draw),
    "Attention": (insides.fits_attention, insides.draw_attention),
    "Layers": (insides.fits_lens, insides.draw_lens),
    "State": (insides.fits_state, insides.draw_state),
    "Tokens": (insides.fits_tokens, insides.draw_tokens),
}
_CHOSEN = "text-look-closer"  # kept from text to text: a branch is looked at as its parent was


def draw(jobs: Jobs, owner: str, catalog: Catalog, run: Run, key: str) -> None:
    """Draw the choice of what to look into, and the chosen one alone."""
    names = [name for name, (fits, _) in _CHOICES.items() if fits(catalog, run)]
    if not names:
        return
    choice, kept = f"{key}-choice", st.session_state.get(_CHOSEN)
    if choice not in st.session_state and kept in names:
        st.session_state[choice] = kept
    chosen = st.segmented_control("Look closer", names, key=choice)
    st.session_state[_CHOSEN] = chosen
    if chosen is None:
        return
    with st.container(border=True):
        try:
            _CHOICES[chosen][1](jobs, owner, catalog, run, f"{key}-{chosen.lower()}")
        except PlaygroundError as error:  # a file of the run was cleared from the store
            st.warning(plain(error.message), icon=":material/warning:")
