"""Calls of tools that a page waits for without holding its script: begun once, asked for at every draw.

A call that no page asks for any more, because it was closed or wants something else, is stopped.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from models.errors import PlaygroundError
from models.runtime.engine import Engine, StopSignal

UNASKED_S = 5.0  # a page that waits asks several times a second
KEPT = 100  # finished calls


class Call:
    """Hold one call: `finished`, then `answer` or `error`. `stop()` ends it."""

    def __init__(self, engine: Engine, model: str, tool: str, data: dict[str, Any]) -> None:
        self.given = json.dumps([model, tool, data], sort_keys=True)
        self.begun = self.asked = time.monotonic()
        self.answer: dict[str, Any] | None = None
        self.error: PlaygroundError | None = None
        self._signal = StopSignal()
        self._done = threading.Event()
        self._work: Callable[[], dict[str, Any]] = lambda: engine.call(model, tool, data, self._signal)

    def start(self, unasked_s: float) -> None:
        """Begin, and watch that somebody waits."""
        threading.Thread(target=self._run, name="tool-call", daemon=True).start()
        threading.Thread(target=self._watch, args=(unasked_s,), name="tool-call-watch", daemon=True).start()

    def stop(self) -> None:
        """End the call; it then fails as `Stopped`, unless it has finished."""
        self._signal.request()

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long, and say whether it has come."""
        self.asked = time.monotonic()
        return self._done.wait(seconds)

    @property
    def stopping(self) -> bool:
        """Say whether Stop was pressed."""
        return self._signal.asked

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except PlaygroundError as error:
            self.error = error
        except Exception as error:
            self.error = PlaygroundError(f"This failed with an internal error ({type(error).__name__}). Try again.")
        self._done.set()

    def _watch(self, unasked_s: float) -> None:
        while not self._done.wait(unasked_s / 10):
            if time.monotonic() - self.asked > unasked_s:
                self.stop()
                return


class Calls:
    """Hold the newest call of each place on a page. Thread-safe."""

    def __init__(self, engine: Engine, unasked_s: float = UNASKED_S) -> None:
        self._engine, self._unasked_s = engine, unasked_s
        self._guard = threading.Lock()
        self._calls: dict[str, Call] = {}

    def ask(self, place: str, model: str, tool: str, data: dict[str, Any]) -> Call:
        """Return the call of a place, begun if it is not the one there; another one there is stopped."""
        new = Call(self._engine, model, tool, data)
        with self._guard:
            old = self._calls.get(place)
            if old is not None and old.given == new.given:
                old.asked = time.monotonic()
                return old
            self._calls.pop(place, None)
            self._calls[place] = new
            for one in list(self._calls)[:-KEPT]:
                self._calls.pop(one).stop()
        if old is not None:
            old.stop()
        new.start(self._unasked_s)
        return new

    def forget(self, place: str) -> None:
        """Stop and drop the call of a place, so that it is begun again when it is next asked for."""
        with self._guard:
            call = self._calls.pop(place, None)
        if call is not None:
            call.stop()
