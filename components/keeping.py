"""Which results are kept beside the next ones. Their names are noted for the owner; the runs stay in the store."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from components.notes import Note
from models.errors import PlaygroundError
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk

MOST = 3  # beside the present one; the oldest goes then
Kept = dict[str, str]  # the job of each run, by the run's id, the oldest first


def _kept(desk: Desk) -> Note[Kept]:
    return Note(desk.session, f"{desk.bench}-kept", Kept())


def is_kept(desk: Desk, run: Run) -> bool:
    """Say whether a run is kept beside the next ones."""
    return run.id in _kept(desk).get()


def keep(desk: Desk, run: Run) -> None:
    """Keep a run beside the next ones of its page."""
    found = {**_kept(desk).get(), run.id: run.job}
    _kept(desk).set(dict(list(found.items())[-MOST:]))


def let_go(desk: Desk, run: Run) -> None:
    """Keep a run no longer; it stays among the earlier results."""
    _kept(desk).set({name: job for name, job in _kept(desk).get().items() if name != run.id})


def runs(desk: Desk) -> list[Run]:
    """Return the runs that are kept, the oldest first; one that was deleted meanwhile is left out."""
    found, session = [], desk.session
    for name, job in _kept(desk).get().items():
        view = session.jobs.view(session.owner, job)  # what could not be stored is there alone
        known = list(view.runs) if view is not None else []
        if not known:
            with suppress(PlaygroundError):  # the list of earlier results says what is wrong with the store
                known = session.jobs.store.runs(session.owner, job)
        found += [run for run in known if run.id == name]
    return found
