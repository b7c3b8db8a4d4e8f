"""The runs of this machine's user as a shell names them: by an id, or by its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.errors import BadInput
from models.finding import Filter
from models.whose import machine_owner

if TYPE_CHECKING:
    from models.store import Store
    from models.types import Run


def whole_id(store: Store, begins: str) -> str:
    """Return the id of the one run of the machine's user that begins so, or is it; it may be a deleted one.

    Raises `BadInput` where none does, or several do.
    """
    if (found := _begun(store, begins, Filter(deleted=True))) is None:
        raise BadInput(f"No run of yours has the id {begins[:40]!r}: python -m models runs lists them.")
    return found


def run_of(store: Store, begins: str) -> Run | None:
    """Return the run of the machine's user whose id begins so, or is it; None where there is none.

    Nobody else's is found. Raises `BadInput` where several begin so.
    """
    owner = machine_owner()
    if (run := store.run(begins, owner)) is not None:  # a look into a result has an id, but is in no list
        return run
    found = _begun(store, begins, Filter())
    return store.run(found, owner) if found is not None else None


def _begun(store: Store, begins: str, among: Filter) -> str | None:
    found = [one for one in store.found_ids(machine_owner(), among) if begins and one.startswith(begins)]
    if len(found) > 1 and begins not in found:
        raise BadInput(f"{len(found)} runs of yours have an id that begins with {begins[:40]!r}: give more of it.")
    return begins if begins in found else next(iter(found), None)
