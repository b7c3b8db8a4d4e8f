"""A page's sensitivity: each setting moved by a step, alone, and ranked by how far that moves the result."""

from __future__ import annotations

import hashlib
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import state, sweep_life, sweep_measures, sweep_state
from components.escape import plain
from components.notes import Note
from components.sweep_state import Planned
from models.errors import PlaygroundError
from models.runtime.job_view import JobView
from models.settings import current
from models.sweeps import kept, sensitivity, spec
from models.sweeps.sensitivity import Moved, Trial
from models.types import Request

if TYPE_CHECKING:
    from components.desk import Desk

SECONDS_MOST = 24 * 3600
FEW = 8  # settings that are told before one asks for all
KEPT_MOST = 4
_TRIALS: state.Slot[dict[str, tuple[Trial, Planned]]] = state.slot("sensitivity-trials", {})


def _found(desk: Desk, request: Request, seeds: int) -> tuple[Trial, Planned]:
    """Return a trial and what there is of it, made once. Raises as `sensitivity.trial` does."""
    name = f"{desk.session.catalog[request.model].revision()} {seeds} {request.canonical()}"
    trials = _TRIALS.held()
    if name not in trials:
        found = sensitivity.trial(desk.session.catalog, request, seeds)
        numbers = {cell.request.canonical(): cell.number for cell in found.plan.distinct}
        causes = kept.causes_of(desk.session.catalog, found.plan)
        trials[name] = found, Planned(found.plan, causes, numbers=numbers)
        for old in list(trials)[:-KEPT_MOST]:
            del trials[old]
    return trials[name]


# -- what it costs, and the press --------------------------------------------------------------------------------------


def draw_form(desk: Desk) -> None:
    """Draw the box in which one asks what matters; what it takes stands before the button."""
    box = st.expander("Sensitivity: which settings matter here", icon=":material/bar_chart:", on_change="rerun",
                      key=state.key(desk.place, "sensitivity-box"))  # fmt: skip
    if not _is_open(box):
        return
    with box:
        st.caption("Moves each setting by one step (a tenth of its slider), alone: which changes the result most?")
        budget = st.number_input(
            "Seconds to spend", 1, SECONDS_MOST, round(sensitivity.BUDGET_S), 10, key=_seconds(desk),
            help="The more seconds, the more settings and seeds are tried; from four seeds on the order is reliable.",
        )  # fmt: skip
        good, said = _cost(desk, float(budget))
        st.caption(plain(said))
        st.button(
            "What matters here?", type="primary", icon=":material/bar_chart:", disabled=not good, on_click=run,
            args=(desk,), key=state.key(desk.place, "sensitivity-run"),
        )  # fmt: skip


def _is_open(box: Any) -> bool:
    return bool(box.open)


def _cost(desk: Desk, budget_s: float) -> tuple[bool, str]:
    try:
        found, planned = _fitting(desk, desk.request()[0], budget_s)
        planned.look(desk, older_s=sweep_life.LOOK_S)
    except PlaygroundError as error:
        return False, error.message
    left = planned.left
    return True, sensitivity.cost_words(found, len(left), sweep_life.seconds(desk, left), budget_s)


def _fitting(desk: Desk, request: Request, budget_s: float) -> tuple[Trial, Planned]:
    """Return the trial for which there is time, as `sensitivity.fitting` does."""
    found, planned = _found(desk, request, sensitivity.SEEDS_MOST)
    each = sweep_life.seconds(desk, found.plan.distinct) / len(found.plan.distinct)
    seeds = sensitivity.seeds_fitting(found, budget_s, lambda cell: each)
    return (found, planned) if seeds == sensitivity.SEEDS_MOST else _found(desk, request, seeds)


def _seconds(desk: Desk) -> str:
    return state.key(desk.place, "sensitivity-seconds")


def run(desk: Desk) -> None:
    """Try the settings of the page as it is set, behind what runs already; what is wrong becomes a notice."""
    state.clear_notices()
    try:
        budget_s = float(state.at(_seconds(desk)).get() or sensitivity.BUDGET_S)
        found, _ = _fitting(desk, desk.request()[0], budget_s)
        _start(desk, found, budget_s)
    except PlaygroundError as error:
        state.notify(error.message)


def _start(desk: Desk, found: Trial, budget_s: float) -> None:
    planned = _found(desk, found.request, len(found.seeds))[1]
    planned.look(desk)
    left = {cell.number for cell in planned.left}
    requests = [cell.request for cell in found.ordered() if cell.number in left]
    job = desk.session.submit(requests, spec.PURPOSE, budget_s) if requests else ""
    _note(desk).set({"request": found.request.model_dump(), "seeds": len(found.seeds), "at": time.time(), "job": job})


def _go_on(desk: Desk, found: Trial) -> None:
    state.clear_notices()
    if desk.busy():
        return
    try:
        _start(desk, found, float(SECONDS_MOST))
    except PlaygroundError as error:
        state.notify(error.message)


# -- what stands on the page -------------------------------------------------------------------------------------------


def _note(desk: Desk) -> Note[dict[str, Any]]:
    """Return the note of a page's last trial: {"request", "seeds": how many, "at": seconds since 1970, "job"}."""
    return Note(desk.session, f"{desk.bench}-sensitivity", {})


def shown(desk: Desk, view: JobView | None, since: float = 0.0) -> tuple[Request, int] | None:
    """Return the request that was tried last and how many seeds, if nothing else was run or opened since; else None."""
    if view is not None and view.purpose == spec.PURPOSE and view.id != _note(desk).get().get("job"):
        _note(desk).look_again()
    note = _note(desk).get()
    at = note.get("at")
    if not isinstance(at, int | float):
        return None
    if view is not None and view.id != note.get("job"):
        since = max(since, view.submitted_at)
    if at < max(since, sweep_state.noted_at(desk)):
        return None
    try:
        return Request.model_validate(note.get("request")), max(1, int(note.get("seeds") or 1))
    except ValueError:  # noted by another version
        return None


def draw(desk: Desk, asked: tuple[Request, int], view: JobView | None) -> None:
    """Draw the ranking of a trial, living or finished."""
    try:
        found, planned = _found(desk, *asked)
    except PlaygroundError as error:  # of a model that is gone, or has other settings now
        st.warning(plain(f"What was tried cannot be shown: {error.message}"), icon=":material/warning:")
        return
    planned.look(desk, older_s=sweep_life.LOOK_S)
    st.markdown(plain(f"What matters here: {len(found.nudges)} settings, each moved by one step, alone."))
    key = state.key(
        desk.place, "sensitivity", hashlib.sha256(json.dumps(asked[0].canonical()).encode()).hexdigest()[:12]
    )
    if sweep_life.draw(desk, view, key, partial(_draw_ranking, desk, found, planned, key), planned, "run"):
        sweep_life.draw_left(desk, planned, "run", "sensitivity-go-on", partial(_go_on, desk, found))


def _draw_ranking(
    desk: Desk, found: Trial, planned: Planned, key: str, view: JobView | None, every_s: float | None
) -> None:
    planned.take(view)
    pending = False
    offer = sensitivity.distance(desk.session.catalog, current(), found, planned.there)
    if offer is not None:
        asked = sensitivity.pairs(found, planned.there, offer)
        pending = not sweep_measures.known(desk, list(asked.every))
        moved = sensitivity.ranked(found, asked, offer, sweep_measures.values(desk))
        _draw_bars(moved)
        if pending:
            st.caption("Comparing results …")
        for sentence in sensitivity.told(found, moved) if moved else ():
            st.caption(plain(sentence))
    failed = next((one.error for one in planned.there.values() if one.error), "")
    if failed:
        st.caption(plain(f"Some runs failed: {failed}"))
    sweep_measures.note_pending(key, pending)
    if (view is None or view.finished) and sweep_measures.every_s(key) != every_s:
        st.rerun()


def _draw_bars(moved: list[Moved]) -> None:
    """Draw the settings as bars with their words, those that move the result most first."""
    most = max((one.distance for one in moved), default=0.0)
    for one in moved[:FEW]:
        st.progress(one.distance / most if most else 0.0, text=plain(one.words))
    if len(moved) > FEW:
        with st.expander(f"All {len(moved)} settings"):
            for one in moved[FEW:]:
                st.progress(one.distance / most if most else 0.0, text=plain(one.words))
