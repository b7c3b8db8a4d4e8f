"""A quiet timer that keeps the store within its limits while the app runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from models.errors import PlaygroundError
from models.pruning import Pruned
from models.retention import Limits
from models.settings import Settings
from models.store import Store

log = logging.getLogger(__name__)
THIN_KEEP_S = 600.0  # what was just made, or computed again, is looked at
SWEEP_EVERY_S = 600.0


class Tidying:
    """Prune a store every `Settings.prune_every_s` in a thread of its own, so that no page waits for it.

    `open_now` returns the ids of runs that someone looks at: they go last. `clock` returns UTC seconds since the epoch.
    """

    def __init__(
        self, store: Store, settings: Settings, open_now: Callable[[], Collection[str]] = tuple,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._store, self._settings, self._open_now, self._clock = store, settings, open_now, clock
        self._ended, self._swept_at = threading.Event(), 0.0
        self._thread = threading.Thread(target=self._run, name="tidying", daemon=True)

    def start(self) -> None:
        """Begin; the first look is after one interval."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a look under way is finished."""
        self._ended.set()

    def once(self) -> Pruned:
        """Look once: first what was deleted goes, then what can be computed again, now and then the files that are left
        over from processes that were killed, then runs beyond the limits. The store's `kept` tells what there is then.

        Raises `PlaygroundError`.
        """
        settings, now, last = self._settings, self._clock(), tuple(self._open_now())
        limits = Limits.of(settings)
        gone = self._store.drop_deleted(now)
        gone += self._store.thin(settings.keep_logits, keep_s=THIN_KEEP_S, last=last, now=now)
        if now - self._swept_at >= SWEEP_EVERY_S:
            gone += self._store.sweep(now=now)
            self._swept_at = now
        gone += self._store.prune(
            limits.max_bytes, limits.max_runs, owner_bytes=limits.owner_bytes, max_age_s=limits.max_age_s, last=last,
            now=now,
        )  # fmt: skip
        self._store.kept = self._store.kept_at(limits, settings.prune_every_s, last=last, now=now)
        return gone

    def _run(self) -> None:
        while not self._ended.wait(self._settings.prune_every_s):
            try:
                gone = self.once()
            except PlaygroundError as error:
                log.warning("the store could not be pruned: %s", error.message)
            except Exception:
                log.exception("the store could not be pruned")
            else:
                if gone != Pruned():
                    log.info("pruned %s runs, %s files, %s bytes", gone.runs, gone.artifacts, gone.bytes)
