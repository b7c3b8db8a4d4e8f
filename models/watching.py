"""Follow a model that computes in a thread of its own: tell when it has news, and end it when Stop is pressed.

Every room's watches are a `Watch` and add what they see: tokens, denoising steps, layers, codes. No torch here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

INTERVAL_S = 0.2  # a page asks three times per second; each wake-up costs the computing thread time


class Interrupted(Exception):
    """Leave a computation in the middle: `reason` is "stopped" or "skipped"."""

    def __init__(self, reason: str = "stopped") -> None:
        super().__init__(reason)
        self.reason = reason


class Watch:
    """Count the steps of one computation and say whether it should end.

    The computing thread raises `step` and sets `changed` at every step; `total` is the number of steps, 0 while it is
    unknown. `stopped()` tells whether the user pressed Stop; `cancelled` is set when nobody waits for the result.
    """

    def __init__(self, stopped: Callable[[], bool], total: int = 0) -> None:
        self.step = 0
        self.total = total
        self.changed = threading.Event()
        self.cancelled = False
        self._stopped = stopped

    def cancel(self) -> None:
        """End the computation at its next step."""
        self.cancelled = True

    def ending(self) -> bool:
        """Say whether the computation should end now: it was cancelled, or Stop was pressed."""
        return self.cancelled or self._stopped()

    def check(self) -> None:
        """Raise `Interrupted` if the computation should end now."""
        if self.ending():
            raise Interrupted


def follow(run: Callable[[], Any], watch: Watch, interval_s: float = INTERVAL_S) -> Iterator[None]:
    """Run `run` in a thread and yield when `watch` has news: at once after the first, then every `interval_s` s.

    What `run` raises is raised here. Closing the iterator cancels the watch and waits for the thread to end.
    """
    finished = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run()
        except BaseException as error:
            failures.append(error)
        finally:
            finished.set()
            watch.changed.set()

    thread = threading.Thread(target=work, name="generate", daemon=True)
    thread.start()
    try:
        while True:
            watch.changed.wait()
            watch.changed.clear()
            if finished.is_set():
                break
            yield
            finished.wait(interval_s)
    finally:
        watch.cancel()
        thread.join()
    if failures:
        raise failures.pop()
