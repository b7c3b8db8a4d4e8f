"""How fast something that is counted in bytes goes on, and how long the rest takes: measured, over the last seconds."""

from __future__ import annotations

from collections import deque

WINDOW_S = 8.0  # what is older says little of a line whose speed changes
LEAST_S = 3.0  # before that a rate would jump


class Pace:
    """Follow a count of bytes: `note` it as it grows. Not thread-safe.

    What comes before the first `start` bytes is no part of the rate: a connection is made, and nothing moves.
    """

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._noted: deque[tuple[float, int]] = deque()

    def note(self, at_s: float, done: int) -> float:
        """Take the count at a time of a monotonic clock; return bytes per second, 0 until `LEAST_S` were measured."""
        if self._noted and done < self._noted[-1][1]:  # it began again
            self._noted.clear()
        if done < self._start:
            return 0.0
        self._noted.append((at_s, done))
        while len(self._noted) > 2 and at_s - self._noted[1][0] >= WINDOW_S:
            self._noted.popleft()
        first_s, first = self._noted[0]
        return (done - first) / (at_s - first_s) if at_s - first_s >= LEAST_S else 0.0
