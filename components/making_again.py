"""Under a finished result: make it again and say whether it comes out the same, as `python -m models check` does."""

from __future__ import annotations

from functools import partial

import streamlit as st

from components import result, services, state, studies
from components.escape import plain
from components.session import Session
from models import receipts
from models.receipts import Receipt
from models.types import Run

NAME = "Make again"
_TOLD: state.Slot[dict[str, Receipt]] = state.slot("receipts-told", {})  # by run
KEPT = 12


def fits(run: Run) -> bool:
    """Say whether a run can be made again to compare: one that was stopped would end elsewhere."""
    return run.status == "done" and not run.error and bool(run.outputs) and not run.request.study


def draw(session: Session, run: Run, key: str) -> None:
    """Draw the button that makes a run again, and what came of it."""
    asked = state.at(state.key(key, "asked"), False)
    if not asked.get():
        st.caption("Runs the same request once more and compares every byte: result, versions, processor.")
        st.button("Run again and compare", icon=":material/fact_check:", key=state.key(key, "ask"),
                  on_click=partial(asked.set, True))  # fmt: skip
        return
    if (found := receipt(session, run)) is None:
        return
    icon = "check_circle" if found.alike else "difference"
    (st.success if found.alike else st.warning)(plain(found.sentence), icon=f":material/{icon}:")
    lines = [*found.differences, *found.made_with]
    if lines:
        st.markdown("\n".join(f"- {plain(line)}" for line in lines))


def receipt(session: Session, run: Run) -> Receipt | None:
    """Return what came of making a run again; None while it is on its way, or failed, which is drawn."""
    told = _TOLD.held()
    if run.id not in told:
        again = studies.made(session, run, run.request, "again", load=False)
        if again is None:
            return None
        told[run.id] = _compared(session, run, again)
        for old in list(told)[:-KEPT]:
            del told[old]
    return told[run.id]


def _compared(session: Session, run: Run, again: Run) -> Receipt:
    jobs = session.jobs
    return receipts.compare(
        session.catalog, jobs.settings, run, again, partial(result.stored, jobs), services.decoder().call
    )
