"""A kept sweep as its grid: shared, exported and gone on with as on the page that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from components import result, state, sweep_axes, sweep_out, sweep_page, sweep_state
from components.escape import plain
from models.errors import PlaygroundError
from models.runtime import job_view
from models.sweeps import results, spec
from models.sweeps.spec import Sweep
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk


def draw(desk: Desk, run: Run, shown: Sequence[Run]) -> bool:
    """Draw the sweep that a run is a cell of; False where it is not known, or cannot be drawn here any more.

    `shown` are runs of it, those that failed among them: what there is besides is found by what made it.
    """
    content = desk.session.jobs.store.sweep_of(desk.session.owner, run.id)
    if not content:
        return False
    try:
        sweep = spec.read(content, "The sweep")
        found = sweep_state.planned(desk, sweep)
    except PlaygroundError as error:
        st.info(plain(f"Its grid cannot be drawn here, so its results are shown one by one. {error.message}"),
                icon=":material/info:")  # fmt: skip
        return False
    found.look(desk)
    found.take(job_view.of_runs(shown))
    key = state.key("library", "grid", run.id)
    st.markdown(plain(sweep_page.title(desk, found.plan)))
    if left := len(found.left):
        st.caption(f"{left:,} of {len(found.plan.distinct):,} cells {'is' if left == 1 else 'are'} not made.")
    chosen = sweep_page.draw_kept(desk, found, key)
    with st.container(horizontal=True):
        st.button(
            "Use this sweep", icon=":material/tune:", key=state.key(key, "use"), on_click=_use, args=(desk, sweep),
            help=f"Opens the {desk.page.title} page with its grid and what it varies; there it can be gone on with.",
        )  # fmt: skip
        sweep_out.draw(desk, found.plan, found.there, key)
        sweep_page.draw_share(desk, found, key)
    one = results.of(found.there, found.plan.cells[chosen]).run if chosen is not None else None
    if chosen is not None and one is not None:
        st.markdown(f"**{plain(sweep_page.named(desk, found.plan, found.plan.cells[chosen]))}**")
        result.draw_made(desk.session.jobs, one, state.key(key, "full"))
        st.caption(result.facts(desk.session.catalog, one))
    return True


def _use(desk: Desk, sweep: Sweep) -> None:
    desk.restore(sweep.request)
    sweep_axes.set_to(desk, sweep)
    state.at(sweep_page.box_key(desk)).set(True)
    sweep_state.show(desk, sweep)
