"""Uploads on their way into the store: checked where nothing else runs, and counted as their owner's."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from components import services
from models.errors import BadInput

if TYPE_CHECKING:
    from components.modality import InputType
    from components.session import Session
    from models.family import InputField


def keep(
    session: Session, kind: InputType, item: InputField, data: bytes, said: str = "", needed: Collection[str] = ()
) -> str:
    """Store an upload for the input `item`, with what its type keeps beside it, and return its reference.

    It is read in a process of its own; `said` is what a sentence calls it. References in `needed` are not given up for
    it. Raises `BadInput` for what is too large or cannot be read.
    """
    if too_large := item.problem(data):
        raise BadInput(too_large)
    name, store = said or item.label.lower() or item.name, session.jobs.store
    if kind.check is None:
        return store.take(session.owner, data, keep=needed)
    with services.decoder().calling(kind.check, data, said=name, name=name) as (_, beside):
        return store.take(session.owner, data, beside, needed)
