"""Let one of several begun runs compute at a time. No torch.

A run that is let ahead goes on top of the one that computes, which rests at its next step until it is on top again. A
run that was stopped goes before all, so that it can end with what it has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Gate:
    """Hold the runs that have begun, by id, and who of them computes. Thread-safe.

    `stopping` says whether a run was asked to stop. `_turn` protects every field and is held for moments only.
    """

    def __init__(self, stopping: Callable[[str], bool] = lambda run: False) -> None:
        self._stopping = stopping
        self._turn = threading.Condition()
        self._open: list[str] = []  # the one that was let ahead last is at the end, the one let ahead by none at 0
        self._holder = ""
        self._rested: dict[str, float] = {}  # run -> seconds set aside
        self._since: dict[str, float] = {}  # run -> since when it is set aside

    def enter(self, run: str, *, ahead: bool = False) -> None:
        """Begin a run: `ahead` of those that have begun, once the one that computes rests or ends; else after them."""
        with self._turn:
            self._open.insert(len(self._open) if ahead else 0, run)
            self._rested[run] = 0.0
            if not self._holder:
                self._holder = run
            self._turn.wait_for(lambda: self._holder == run)

    def leave(self, run: str) -> None:
        """End a run: the next one goes on."""
        with self._turn:
            self._open.remove(run)
            self._rested.pop(run)
            self._since.pop(run, None)
            if self._holder == run:
                self._holder = ""
                self._hand_over()

    def called(self, run: str) -> bool:
        """Say whether a run should rest now, because another goes before it."""
        with self._turn:
            return self._first() != run or self._holder != run

    def rest(self, run: str, aside: Callable[[], None] = lambda: None) -> None:
        """Set a run aside until it is its turn again; `aside` is called once, when it begins to rest."""
        with self._turn:
            if self._first() == run == self._holder:
                return
            if self._holder == run:
                self._since[run] = time.monotonic()
                aside()
                self._hand_over()
            self._turn.wait_for(lambda: self._holder == run)

    def aside_s(self, run: str) -> float:
        """Return for how many seconds a run has been set aside so far."""
        with self._turn:
            since = self._since.get(run)
            return self._rested.get(run, 0.0) + (0.0 if since is None else time.monotonic() - since)

    def others(self, run: str) -> list[str]:
        """Return the other runs that have begun."""
        with self._turn:
            return [one for one in self._open if one != run]

    def _first(self) -> str:
        return next((run for run in self._open if self._stopping(run)), self._open[-1])

    def _hand_over(self) -> None:
        if not self._open:
            return
        self._holder = self._first()
        since = self._since.pop(self._holder, None)
        if since is not None:
            self._rested[self._holder] += time.monotonic() - since
        self._turn.notify_all()
