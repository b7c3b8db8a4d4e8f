"""What a page keeps beside its settings, for its owner: which results stand beside the next, which look is open.

A session reads a note once and writes each change; a reload, a new tab and the app's restart find it again.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from components import state
from models.errors import PlaygroundError

if TYPE_CHECKING:
    from components.session import Session

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Note(Generic[T]):
    """One value that JSON can hold, under a name; `default` where nothing of its type is kept."""

    session: Session
    name: str
    default: T

    def get(self) -> T:
        """Return what is kept; the store is asked once a session, and what fails there is logged."""
        if not self._slot.there:
            self._slot.set(self._read())
        return self._slot.get()

    def set(self, value: T) -> None:
        """Keep a value. Where the store fails it lasts as long as the session, and the log says so."""
        if self._slot.there and self._slot.get() == value:
            return
        self._slot.set(value)
        try:
            self.session.jobs.store.save_note(self.session.owner, self.name, value)
        except PlaygroundError as error:
            log.warning("%s was not kept: %s", self.name, error.message)

    def look_again(self) -> None:
        """Ask the store anew: another tab of the same owner may have written."""
        self._slot.set(self._read())

    @property
    def _slot(self) -> state.Slot[T]:
        return state.at(state.key("note", self.name), self.default)

    def _read(self) -> T:
        try:
            found = self.session.jobs.store.note(self.session.owner, self.name)
        except PlaygroundError:  # the list of earlier results says what is wrong with the store
            found = None
        return found if isinstance(found, type(self.default)) else copy.copy(self.default)
