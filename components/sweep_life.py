"""The life of what a sweep's job makes: drawn while it runs and after it, with what is left of it and Go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from components import job_panel, state, sweep_measures
from components.sweep_state import Planned
from models.runtime import sweeping
from models.runtime.job_view import JobView
from models.sweeps import spec
from models.sweeps.cells import Cell

if TYPE_CHECKING:
    from components.desk import Desk

Show = Callable[[JobView | None, float | None], None]
LOOK_S = 3.0  # seconds after which a page looks again at what the store holds


def draw(desk: Desk, view: JobView | None, key: str, show: Show, found: Planned, what: str) -> bool:
    """Draw by `show(view, every_s)`, in a living job's panel or by itself; say whether no job of it lives.

    `every_s` is how often it draws itself again, in seconds, None where nothing is awaited. `what` is one of what is
    made ("cell"): how many there are is said above, whatever became of the jobs that made them.
    """
    own = view is not None and view.purpose == spec.PURPOSE and bool(found.takes(view))
    if own and view is not None and not view.finished:
        job_panel.draw(desk.session, view.id, partial(_shown, show), first=True)
        return False
    found.take(view if own else None)
    _draw_made(found, view if own else None, what)
    every_s = sweep_measures.every_s(key)
    st.fragment(_alone, run_every=every_s)(show, view, every_s)
    return True


def _draw_made(found: Planned, view: JobView | None, what: str) -> None:
    """Say how much of it there is: of the job that was the last to make some, how it ended and how long it took."""
    total, failed = len(found.plan.distinct), len(found.failed)
    made = total - len(found.left)
    said = f"All {total:,} {what}s are there" if made == total else f"{made:,} of {total:,} {what}s are there"
    said += f", {failed:,} failed" if failed else ""
    ended = view is not None and view.state == "stopped" and made < total
    icon = "check_circle" if made == total else "error" if failed else "stop_circle" if ended else "incomplete_circle"
    whole = view is not None and len(view.runs) == total and view.started_at and view.finished_at
    seconds = f" · made in {view.finished_at - view.started_at:.1f} s" if whole and view is not None else ""  # type: ignore[operator]
    with st.container(height=job_panel.ROW_PX, border=False, vertical_alignment="center"):
        st.caption(f":material/{icon}: {said}{seconds}")


def _shown(show: Show, view: JobView) -> None:
    show(view, None)  # the panel draws it again


def _alone(show: Show, view: JobView | None, every_s: float | None) -> None:
    show(view, every_s)


def seconds(desk: Desk, left: Iterable[Cell]) -> float:
    """Return how many seconds cells take, by this machine's own timings."""
    return sweeping.seconds(desk.session.catalog, [cell.request for cell in left], desk.session.jobs.rates)


def draw_left(desk: Desk, found: Planned, what: str, name: str, go_on: Callable[[], None]) -> None:
    """Offer to make what is missing, if anything is: `what` is one of it ("cell"), `name` the button's."""
    left, failed = found.left, len(found.failed)
    if not left:
        return
    again = failed == len(left)  # with the same settings they may fail again: the reason stands in them
    words = f"{len(left):,} {what}{'s' * (len(left) != 1)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Try {words} again" if again else f"Go on: {words} left", icon=":material/resume:", on_click=go_on,
            key=state.key(desk.place, name), help="Makes what is missing; what is there is kept."
            + (f" {failed:,} failed before: why stands in their place." if failed else ""),
        )  # fmt: skip
        st.caption(f"about {max(1.0, seconds(desk, left)):,.0f} s")
