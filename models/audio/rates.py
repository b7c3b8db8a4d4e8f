"""Sound at another sampling rate: whole, or block by block with the same samples as of the whole.

Each output sample is a sum over few input samples (polyphase filtering; P. P. Vaidyanathan, "Multirate Systems and
Filter Banks", 1993, 4.3). So a block with enough of its neighbours at both ends gives what the whole gives.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

BLOCK = 65_536  # frames that are filtered at once
RATIO_MAX = 100_000  # a filter has 20 times as many taps; rates without a shorter ratio come within a millionth


def resample(samples: Samples, before: int, after: int) -> Samples:
    """Return samples (frames, float32) at another rate in Hz, through a filter that keeps out what it cannot hold."""
    from scipy.signal import resample_poly  # 70 MB: never in the process that draws the pages

    up, down = ratio(before, after)
    out: Samples = resample_poly(samples, up, down).astype(np.float32)
    return out


def ratio(before: int, after: int) -> tuple[int, int]:
    """Return by what a rate is multiplied, then divided, to become another: as whole numbers, at most `RATIO_MAX`."""
    exact = Fraction(after, before)
    exact = 1 / (1 / exact).limit_denominator(RATIO_MAX) if exact > 1 else exact.limit_denominator(RATIO_MAX)
    return exact.numerator, exact.denominator


class Resampler:
    """Bring sound to another rate block by block; what is held is a block. Bit for bit what `resample` returns."""

    def __init__(self, before: int, after: int) -> None:
        self._up, self._down = ratio(before, after)
        # the filter reaches 10 × max(up, down) / up frames to each side; whole periods, for outputs on the same grid
        reach = 10 * max(self._up, self._down) // self._up + 2
        self._reach = -(-reach // self._down) * self._down
        self._step = -(-BLOCK // self._down) * self._down
        self._held = np.empty(0, np.float32)  # at most: what lies before, a step, what lies behind
        self._before = 0  # frames of `held` that were given out and are kept as neighbours

    def take(self, block: Samples) -> list[Samples]:
        """Add a block of frames; return the blocks at the new rate that are certain now."""
        self._held = np.concatenate([self._held, block])
        found = []
        while len(self._held) >= self._before + self._step + self._reach:
            found.append(self._filtered(self._held[: self._before + self._step + self._reach], self._step))
            keep = self._before + self._step - self._reach
            self._held = self._held[max(0, keep) :].copy()
            self._before = min(self._reach, self._before + self._step)
        return found

    def end(self) -> Samples:
        """Return what is left, at the new rate."""
        return self._filtered(self._held, len(self._held) - self._before)

    def _filtered(self, held: Samples, count: int) -> Samples:
        from scipy.signal import resample_poly

        if not count:
            return np.empty(0, np.float32)
        first = self._before * self._up // self._down
        out: Samples = resample_poly(held, self._up, self._down).astype(np.float32)
        last = len(out) if len(held) == self._before + count else (self._before + count) * self._up // self._down
        return out[first:last]
