"""Whether a draw would have fallen otherwise, had the model's scores been a little different.

Texts that are read at once have scores that differ from a single run's by some 1e-5 (`models.tokens.lean`). Nearly
always that changes no token; where it might, the text is made again alone.

**Why a few nudges are enough.** A single run, whose noise is the same, takes another token only if a rival wins the
race p / noise, or if a stage keeps other tokens. Each cut compares a kept token with a dropped one (top-k), a score
with the best or the mean (min-p, top-nσ, typical-p), a probability with a bound (XTC, Mirostat), or the mass of one
side with the whole (top-p). So all scores are moved by `NEAR`, several times their error, in the ways that are worst
for the token drawn:

- `open`: what was dropped goes up and what was kept down, so that what is nearly kept comes in;
- `shut`: the other way round, so that what is barely kept falls out; in both the token drawn goes further down, behind
  its rivals;
- `lifted`: it goes up, and so do those whose noise is small, all that could win: single probabilities cross a bound
  even where most of the mass was dropped;
- `flatter`, `steeper`: what is less likely than it goes up and the rest down, and the other way round: a cut may have
  come before another that drops what is likely.

All of them pass through the stages of sampling, so that what these magnify counts (a temperature of 0.1: ten times),
and no stage has to know. It is an argument about one edge at a time, so it was tried by brute force: of 242 draws by
all kinds of stages that an error of a tenth of `NEAR` could flip, 239 were found; the others were by typical-p. An
error is mostly a twentieth of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text.sampling import stages
from models.text.sampling.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.text.sampling.rows import Floats, Ids

NEAR = 1e-4  # of a score: a log-probability but for a constant
_SMALL = 0.1  # noise: what has more wins where it is likely, and then needs no lift
_NUDGES = 5
_SLACK = 10  # times `NEAR`: what an edge moves at most where each score moves by so much
_UNLIKELY = 1000  # times the token's probability is that of all


class Nudges:
    """Look at one text's draws, by its settings and what the stages of sampling read beside scores (see `Rows`)."""

    def __init__(
        self, params: Mapping[str, Any], start: int, seed: int, ends: Sequence[int] = (), near: float = NEAR
    ) -> None:
        self._params, self._start, self._ends = params, start, ends
        self._seeds = np.full(_NUDGES, seed, np.int64)
        # the stages before act on each score by itself, and magnify it by no more than this
        before = float(params["repetition_penalty"]) if stages.acts("repetition_penalty", params) else 1.0
        self._near = np.float32(near * before)
        self.stages = [name for name in stages.CHANCE if stages.acts(name, params)]
        self._plain = set(self.stages) <= {"temperature", *stages.CUTS}

    def flip(
        self, seen: Ids, scores: Floats, kept: NDArray[np.bool_], token: int, noise: Floats | None,
        mu: NDArray[np.float64] | None = None,
    ) -> bool:  # fmt: skip
        """Say whether a draw is near a flip.

        `seen` are the ids so far, `scores` (float32, one per token of the vocabulary) those that came to the stages of
        sampling, `kept` which of them these left, `token` the one drawn, `noise` what probabilities were divided by
        (None: greedy), `mu` Mirostat's bound at this step.
        """
        if noise is not None and self._plain and self._sure(scores, kept, token, noise):
            return False
        by = self._near
        x = np.empty((_NUDGES, len(scores)), np.float32)
        moved = np.where(kept, by, -by)
        np.subtract(scores, moved, out=x[0])  # open
        np.add(scores, moved, out=x[1])  # shut
        np.add(scores, moved if noise is None else np.where(noise < _SMALL, by, -by), out=x[2])  # lifted
        moved = np.where(scores < scores[token], by, -by)
        np.add(scores, moved, out=x[3])  # flatter
        np.subtract(scores, moved, out=x[4])  # steeper
        x[:, token] += np.array([-by, -by, by, by, -by])
        rows = Rows(
            x, [seen] * _NUDGES, self._start, len(scores), seeds=self._seeds, ends=self._ends,
            drawn=np.full(_NUDGES, token), noise=None if noise is None else np.broadcast_to(noise, x.shape),
            mu=None if mu is None else np.repeat(mu, _NUDGES),
        )  # fmt: skip
        for name in self.stages:
            stages.apply(name, rows, self._params)
            if name in stages.CUTS and name != self.stages[-1]:
                rows.narrow()
        return bool((race(rows) != rows.drawn).any())

    def _sure(self, scores: Floats, kept: NDArray[np.bool_], token: int, noise: Floats) -> bool:
        """Say, at a fraction of the price, whether no nudge could matter where sampling keeps the likeliest tokens.

        The token has won against all, dropped ones included, and is safe from every cut: it is the best, which each of
        them keeps, or one below it was kept and it is likely enough for top-p to reach past it.
        """
        temperature = float(self._params["temperature"]) if "temperature" in self.stages else 1.0
        close = np.float32(np.exp(-_SLACK * self._near / temperature))
        with np.errstate(over="ignore"):
            odds = np.exp((scores - scores[token]) / np.float32(temperature))  # against the token's 1
        if odds.sum() > _UNLIKELY:
            return False
        waits = odds / noise
        waits[token] = 0
        if waits.max() > close / noise[token]:
            return False
        odds[token] = 0
        return bool(odds.max() < close or (kept & (odds < close) & (odds > 0)).any())


def race(rows: Rows) -> NDArray[np.intp]:
    """Return each row's column: the best, or with `noise` the one that `torch.multinomial` draws by it."""
    if rows.noise is None:
        return np.asarray(rows.x.argmax(axis=1))
    p = np.exp(rows.x - rows.x.max(axis=1, keepdims=True))
    return np.asarray((p / rows.noise).argmax(axis=1))
