"""What the Runs page holds for a session: what is searched, which page of it, what is marked, what was just deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import labelled, state
from models.errors import PlaygroundError
from models.finding import TEXT_MAX_CHARS, Filter, Place
from models.shelf import UNDO_S

if TYPE_CHECKING:
    from components.session import Session
    from models.shelf import Found

ROWS = 20  # on a page
MARKS_MOST = 4
OPEN, WHOLE = "run", "whole"  # in the address: the run that is shown in full, and that all of its job are
SEARCH, MARKED, BESIDE = "search", "marked", "beside"  # and what is searched, what is marked, that it is compared
ADDRESS_MARKS, CHECKED_MOST = 24, 200  # marks that an address holds, that are looked up at each draw
EMPTY = {"text": "", "rooms": [], "models": [], "tasks": [], "tags": [], "starred": False, "since": None,
         "until": None, "seed": None}  # fmt: skip

_MARKED: state.Slot[list[str]] = state.slot("library-marked", [])
_BEFORE: state.Slot[list[Place]] = state.slot("library-before", [])  # where this page and those before it begin
_OF: state.Slot[str] = state.slot("library-of", "")  # what they are pages of
_COMPARED = state.slot("library-compared", False)
_TAKEN = state.slot("library-address-taken", False)


@dataclass(frozen=True)
class Deleted:
    """Hold what was deleted last, and when, in UTC seconds since the epoch."""

    ids: tuple[str, ...] = ()
    at: float = 0.0


_DELETED: state.Slot[Deleted] = state.slot("library-deleted", Deleted())


def field(name: str) -> state.Slot[Any]:
    """Return the slot of a widget that narrows the list."""
    return state.at(state.key("library", name))


def follow_address(session: Session) -> None:
    """Take in, once a session, what the address says of the list, and let it say it from then on: a reload finds it.

    Marks of runs that are not there, or not the owner's, are dropped: another tab may have deleted them.
    """
    if not _TAKEN.get():
        _TAKEN.set(True)
        if text := str(st.query_params.get(SEARCH, ""))[:TEXT_MAX_CHARS]:
            field("text").start(text)
        if ids := [one[:64] for one in str(st.query_params.get(MARKED, "")).split(",")[:ADDRESS_MARKS] if one]:
            _MARKED.start(list(dict.fromkeys(ids)))
            _COMPARED.start(BESIDE in st.query_params)
    if 0 < len(marked()) <= CHECKED_MOST:
        there = {found.run.id for found in session.jobs.store.found(session.owner, marked())}
        if gone := [one for one in marked() if one not in there]:
            _MARKED.set([one for one in marked() if one in there])
            if _COMPARED.get():
                state.notify(f"{len(gone)} of the marked results {'is' if len(gone) == 1 else 'are'} not there any "
                             "more: deleted or cleared.", "info")  # fmt: skip
            _COMPARED.set(_COMPARED.get() and len(marked()) > 1)
    ids = marked()
    said = {
        SEARCH: str(field("text").get() or ""), MARKED: ",".join(ids) if len(ids) <= ADDRESS_MARKS else "",
        BESIDE: "yes" if is_comparing() else "",
    }  # fmt: skip
    for name, value in said.items():
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value:
            st.query_params.pop(name, None)


def wanted() -> Filter:
    """Return what the widgets ask for."""
    since, until = field("since").get(), field("until").get()
    return Filter(
        text=str(field("text").get() or "").encode("utf-8", "replace").decode()[:TEXT_MAX_CHARS],
        rooms=tuple(field("rooms").get() or ()), models=tuple(field("models").get() or ()),
        tasks=tuple(field("tasks").get() or ()), tags=tuple(field("tags").get() or ()),
        starred=bool(field("starred").get()), seed=field("seed").get(),
        since=_midnight(since) if isinstance(since, date) else None,
        until=_midnight(until + timedelta(days=1)) if isinstance(until, date) else None,
    )  # fmt: skip


def _midnight(day: date) -> float:
    return datetime.combine(day, clock(), labelled.zone()).timestamp()


def clear() -> None:
    """Ask for everything again."""
    for name, nothing in EMPTY.items():
        field(name).set(nothing)


def begins(asked: Filter) -> Place | None:
    """Return where the page at hand begins, None for the first; it is the first of whatever is newly asked for."""
    said = asked.model_dump_json()
    if _OF.get() != said:
        _OF.set(said)
        _BEFORE.set([])
    return _BEFORE.get()[-1] if _BEFORE.get() else None


def go_on(after: Place) -> None:
    """Show the page behind a row."""
    _BEFORE.set([*_BEFORE.get(), after])


def go_back() -> None:
    """Show the page before."""
    _BEFORE.set(_BEFORE.get()[:-1])


def marked() -> list[str]:
    """Return the ids of the marked runs, in the order in which they were."""
    return list(_MARKED.get())


def row(session: Session, found: Found) -> list[str]:
    """Return the ids of all runs that a row of the list stands for: of its job those that fit."""
    if found.count < 2:
        return [found.run.id]
    return session.jobs.store.found_ids(session.owner, wanted(), job=found.job)


def all_starred(session: Session, found: Found) -> bool:
    """Say whether each run that a row stands for has a star."""
    asked = wanted().model_copy(update={"starred": True})
    return len(session.jobs.store.found_ids(session.owner, asked, job=found.job)) >= found.count


def mark(ids: Sequence[str]) -> None:
    """Mark runs; where all of them are, take their marks away."""
    held = marked()
    new = [one for one in ids if one not in held]
    _MARKED.set([*held, *new] if new else [one for one in held if one not in ids])
    if len(_MARKED.get()) < 2:
        _COMPARED.set(False)


def unmark(ids: Sequence[str] | None = None) -> None:
    """Take the marks of these runs away, or all."""
    _MARKED.set([one for one in marked() if ids is not None and one not in ids])
    _COMPARED.set(False)


def compare(on: bool) -> None:
    """Show the marked runs side by side, or the list again."""
    _COMPARED.set(on)


def is_comparing() -> bool:
    """Say whether the marked runs are shown side by side."""
    return _COMPARED.get() and 2 <= len(marked()) <= MARKS_MOST


def open_run(run_id: str, whole: bool = False) -> None:
    """Show a run in full, or with `whole` all runs of its job; "" shows the list again."""
    state.clear_notices()
    compare(False)
    for name, value in ((OPEN, run_id), (WHOLE, "yes" if whole else "")):
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def opened() -> str:
    """Return the id of the run that the address names, "" for none."""
    return str(st.query_params.get(OPEN, ""))[:64]


def is_whole() -> bool:
    """Say whether the address asks for all runs of the job."""
    return WHOLE in st.query_params


def star(session: Session, ids: Sequence[str], on: bool) -> None:
    """Give runs a star, or take it away."""
    _try(lambda: session.jobs.store.star(session.owner, ids, on))


def delete(session: Session, ids: Sequence[str]) -> None:
    """Delete runs; for a while they can be taken back."""
    if _try(lambda: session.jobs.store.delete(session.owner, ids)):
        _DELETED.set(Deleted(tuple(ids), time.time()))
        unmark(ids)
        open_run("")


def undo(session: Session) -> None:
    """Take back what was deleted last."""
    gone = _DELETED.pop()
    back: list[int] = []
    if _try(lambda: back.append(session.jobs.store.restore(session.owner, gone.ids))) and back[0] < len(gone.ids):
        lost = len(gone.ids) - back[0]
        state.notify(f"{lost} of {len(gone.ids)} results are gone: too much time has passed.", "warning")


def deleted() -> int:
    """Return how many runs were deleted last and can be taken back."""
    held = _DELETED.get()
    return len(held.ids) if time.time() - held.at < UNDO_S else 0


def attempt(change: Any) -> None:
    """Make a change in the store, as a callback; what is wrong becomes a notice."""
    _try(change)


def _try(change: Any) -> bool:
    state.clear_notices()
    try:
        change()
    except PlaygroundError as error:
        state.notify(error.message)
        return False
    return True
