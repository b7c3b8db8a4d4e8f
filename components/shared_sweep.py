"""A shared sweep: its grid to be read, and an audit that makes two of its cells again and compares them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import (
    inputs,
    making_again,
    opening,
    result,
    rooms,
    shared_differences,
    shared_inputs,
    state,
    sweep_axes,
    sweep_out,
    sweep_page,
)
from components.escape import plain
from components.sweep_state import Planned
from models.errors import PlaygroundError
from models.receipts import Receipt
from models.sharing import Share
from models.sweeps import cells, results, spec
from models.sweeps.results import Result
from models.sweeps.spec import Sweep
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk
    from components.session import Session

AUDITED = 2


def draw(session: Session, share: Share, shown: Sequence[Run], uploads: frozenset[str]) -> bool:
    """Draw the sweep of a link; False where its grid cannot be drawn here, which is said."""
    try:
        sweep = spec.read(share.sweep, "The shared sweep")
        plan = cells.plan(session.catalog, sweep)
        desk = replace(desks.of(session, rooms.of(sweep.request.model), sweep.request.model), away=True)
    except PlaygroundError as error:
        st.info(plain(f"Its grid cannot be drawn here, so its results are shown side by side. {error.message}"),
                icon=":material/info:")  # fmt: skip
        return False
    by_id = {run.id: run for run in shown}
    there = {
        number: Result(plan.cells[number], by_id[run_id])
        for run_id, number in zip(share.runs, share.cells, strict=True)
        if run_id in by_id and 0 <= number < len(plan.cells)
    }
    found = Planned(plan, {}, there)
    key = state.key("shared", "grid", hashlib.sha256(share.token.encode()).hexdigest()[:12])
    pressed = st.button(
        "Try it yourself", icon=":material/tune:", type="primary", key=state.key(key, "try"), on_click=_try,
        args=(desk, sweep, uploads),
        help=f"Opens the {desk.page.title} page with this sweep filled in. It starts nothing.",
    )  # fmt: skip
    if pressed:
        opening.follow()
    st.markdown(plain(sweep_page.title(desk, plan)))
    chosen = sweep_page.draw_kept(desk, found, key)
    with st.container(horizontal=True):
        sweep_out.draw(desk, plan, there, key)
    shared_differences.draw(session, shown)
    _draw_audit(desk, found, key)
    one = results.of(there, plan.cells[chosen]).run if chosen is not None else None
    if chosen is not None and one is not None:
        st.markdown(f"**{plain(sweep_page.named(desk, plan, plan.cells[chosen]))}**")
        result.draw_made(session.jobs, one, state.key(key, "full"))
        st.caption(result.facts(session.catalog, one))
    return True


def _try(desk: Desk, sweep: Sweep, uploads: frozenset[str]) -> None:
    refused = shared_inputs.take(desk.session, sweep.request, uploads)
    desk.restore(sweep.request)
    sweep_axes.set_to(desk, sweep)
    state.at(sweep_page.box_key(desk)).set(True)
    state.notify(
        "This page was opened from a shared sweep: what it varies is filled in. Press “Run the sweep”.", "info"
    )
    for said in (refused, inputs.missing(desk)):
        if said:
            state.notify(said, "warning")


# -- the audit ---------------------------------------------------------------------------------------------------------


def _draw_audit(desk: Desk, found: Planned, key: str) -> None:
    """Draw the button that makes two cells by chance again, and what came of it."""
    whole = [one for _, one in sorted(found.there.items()) if one.run is not None and making_again.fits(one.run)]
    if not whole:
        return
    picked = state.at(state.key(key, "audited"), list[int]())
    many = min(AUDITED, len(whole))
    if not picked.get():
        st.button(
            f"Audit {_count(many)}", icon=":material/fact_check:", key=state.key(key, "audit"),
            on_click=picked.set, args=([one.cell.number for one in random.sample(whole, many)],),
            help="Makes cells by chance again on this machine, and compares them with what is shared, byte by byte.",
        )  # fmt: skip
        return
    st.markdown("**Audit**")
    for number in picked.get():
        one = found.there.get(number)
        if one is None or one.run is None:
            continue
        name = sweep_page.named(desk, found.plan, one.cell)
        receipt = making_again.receipt(desk.session, one.run)
        if receipt is None:  # on its way, which is drawn: one at a time
            return
        said = "every byte of the result is the same" if receipt.identical else receipt.sentence
        st.markdown(f"{plain(name)}: **{verdict(receipt)}** · {plain(said)}")
        lines = [*receipt.differences, *receipt.made_with]
        if lines and not receipt.identical:
            st.markdown("\n".join(f"- {plain(line)}" for line in lines))
    st.button("Audit others", icon=":material/casino:", key=state.key(key, "audit-again"), on_click=picked.set,
              args=([],))  # fmt: skip


def _count(many: int) -> str:
    return "two cells" if many == AUDITED else "the cell"


def verdict(receipt: Receipt) -> str:
    """Return what came of making a cell again, in a word."""
    return "identical" if receipt.identical else "alike" if receipt.alike else "different"
