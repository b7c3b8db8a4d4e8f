"""Measures of many results, made while a page is drawn: in a thread that hands files to a process of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from models import measuring
from models.errors import PlaygroundError
from models.measuring import Read, Values, Wanted
from models.store import Store
from models.sweeps import measured
from models.sweeps.noise import Effect

log = logging.getLogger(__name__)
UNSEEN_S = 30.0  # whoever asks no more has gone
CHEAP_S = 0.3  # for cheap ones, while a page waits
INLINE_MOST = 150  # cells × measures whose effects a page waits for; more take above a tenth of a second
_KEPT_MOST = 50_000  # values held in memory


class Measurer:
    """Hold what is known of a session's results, and find out the rest.

    `values` are by `Wanted.key`. Nothing here takes above half a second: what is not known yet is asked for again.
    `call` is a decoder's.
    """

    def __init__(self, store: Store, read: Read, call: Callable[..., Any]) -> None:
        self.values: Values = {}
        self._store, self._read, self._call = store, read, call
        self._looked: set[str] = set()  # runs of which the store was asked
        self._effects: tuple[str, list[Effect] | None] = ("", None)
        self._wanted: list[Wanted] = []
        self._asked: tuple[str, dict[str, Any]] | None = None
        self._lock, self._thread, self._seen = threading.Lock(), threading.Thread(), 0.0

    def measure(self, wanted: Sequence[Wanted], size: Callable[[Any], int]) -> bool:
        """Say whether all of these values are known; the others are being found out."""
        self._look_up({one.run.id for one in wanted if one.offer.measure.heavy})
        until = time.monotonic() + CHEAP_S
        left = [one for one in wanted if one.key not in self.values]
        for one in [one for one in left if not one.offer.measure.heavy]:
            if time.monotonic() > until:
                break
            self.values[one.key] = measuring.cheap(one, size)
        left = [one for one in left if one.key not in self.values]
        with self._lock:
            self._seen, self._wanted = time.monotonic(), [one for one in left if one.offer.measure.heavy]
        self._work()
        return not left

    def effects(self, name: str, count: int, asked: Callable[[], dict[str, Any]]) -> list[Effect] | None:
        """Return the effects in what is `asked` (see `measured.effects_apart`), known by `name`; None: not known yet.

        `count` is how many values it has; those of a small sweep are found at once.
        """
        if self._effects[0] == name:
            return self._effects[1]
        if count <= INLINE_MOST:
            self._effects = (name, measured.effects_from(measured.effects_apart(None, **asked())))
            return self._effects[1]
        with self._lock:
            if self._asked is None or self._asked[0] != name:
                self._asked = (name, asked())
            self._seen = time.monotonic()
        self._work()
        return None

    def _look_up(self, runs: Collection[str]) -> None:
        new = set(runs) - self._looked
        if not new:
            return
        if len(self.values) > _KEPT_MOST:
            self.values, self._looked, new = {}, set(), set(runs)
        self._looked |= new
        try:
            self.values |= self._store.measured(new)
        except PlaygroundError as error:
            log.warning("what was measured before cannot be read: %s", error.message)

    def _work(self) -> None:
        with self._lock:
            if not self._thread.is_alive() and (self._asked or self._wanted):
                self._thread = threading.Thread(target=self._run, name="measuring", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while time.monotonic() - self._seen < UNSEEN_S:
            with self._lock:
                asked, wanted = self._asked, self._wanted
                self._wanted = []
            if asked is not None:
                self._find_effects(*asked)
            elif wanted:
                self._find_values(wanted)
            else:
                return

    def _find_effects(self, name: str, options: dict[str, Any]) -> None:
        try:
            found = measured.effects_from(self._call(measured.effects_apart, said="sweep", **options))
        except PlaygroundError as error:
            log.warning("the effects of a sweep could not be found: %s", error.message)
            found = []
        with self._lock:
            self._effects = (name, found)
            if self._asked is not None and self._asked[0] == name:
                self._asked = None

    def _find_values(self, wanted: Iterable[Wanted]) -> None:
        left = [one for one in wanted if one.key not in self.values]
        for values in measuring.heavy(left, self._read, self._call):
            self.values |= values
            try:
                self._store.save_measured(values)
            except PlaygroundError as error:  # measured again another time
                log.warning("measures were not kept: %s", error.message)
            with self._lock:
                if self._asked is not None or time.monotonic() - self._seen > UNSEEN_S:
                    return  # the page asks again for what is left
