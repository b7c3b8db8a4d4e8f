"""Is it real? Effects of a sweep's axes against the spread between seeds, by a permutation test.

Seeds pair the cells: a difference between two values of an axis is taken within each seed, and within each combination
of the other axes, a block. Where the axis does nothing, its values can be exchanged within such a block; how large the
largest step of any measure gets when they are says how large it gets by chance (max-T: Westfall and Young,
Resampling-Based Multiple Testing, 1993, section 2.6). Over the axes, Bonferroni. A step's size is counted in units of
what is left of a measure's spread when blocks and values are taken away (the residual of the randomised block design).
That is one number for all steps of a measure along an axis, so that the larger of two steps is never the less sure one.
An axis that changes the spread alone has an effect as well, and may show as a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SEEDS_LEAST = 4
ALPHA = 0.05  # of all sweeps without any effect, at most this share raises an alarm
DRAWS = 1999
_CHUNK = 100  # draws at a time

Values = NDArray[np.float64]
Verdict = Literal["real", "noise", "few"]


@dataclass(frozen=True)
class Effect:
    """Hold what a step along an axis does to a measure.

    `axis` is the axis's number, `start` and `end` the indices of its values. `difference` is the mean over seeds and
    the other axes, `noise` the spread (standard deviation) between seeds, both in the measure's unit. `p` is corrected
    over the whole sweep; NaN where there are too few seeds to tell ("few"). So many `values` of the axis are compared.
    """

    axis: int
    measure: str
    start: int
    end: int
    difference: float
    noise: float
    p: float
    verdict: Verdict
    values: int = 0

    @property
    def ratio(self) -> float:
        """Return the size of the difference in units of seed noise; infinite where the seeds agree."""
        if self.difference == 0:
            return 0.0
        return abs(self.difference) / self.noise if self.noise > 0 else math.inf


def effects(
    measures: Mapping[str, Values], seeds: int | None, *, seed: int = 0, draws: int = DRAWS
) -> list[Effect]:  # fmt: skip
    """Return the effect of each step of each axis but the seeds', on each measure: neighbours, and first to last.

    `measures` maps a measure's name to its values over all cells, one array dimension for each axis, NaN where there is
    none. Values of an axis at which a measure has none in any cell, such as its reference, are left out of its steps.
    `p` is corrected over all that is given: hand in whatever may be looked at, or another choice changes it. `seeds` is
    the dimension of the seeds, None where only one was used. `seed` fixes the `draws` of permutations.
    """
    shape = next(iter(measures.values())).shape if measures else ()
    axes = [at for at in range(len(shape)) if at != seeds and shape[at] > 1]
    found: list[Effect] = []
    for axis in axes:
        found += _along(measures, axis, seeds, len(axes), np.random.default_rng((seed, axis)), draws)
    return found


def seed_noise(values: Values, seeds: int | None) -> float:
    """Return the spread between seeds: the standard deviation within each cell, pooled; NaN with one seed."""
    if seeds is None or values.shape[seeds] < 2:
        return math.nan
    apart = np.moveaxis(values, seeds, 0).reshape(values.shape[seeds], -1)
    whole = apart[:, np.isfinite(apart).all(axis=0)]
    return float(np.sqrt(whole.var(axis=0, ddof=1).mean())) if whole.size else math.nan


@dataclass(frozen=True)
class _Blocks:
    """Hold a measure along an axis: `values` (blocks × places), where all are known; `places` are indices of values."""

    values: Values
    places: NDArray[np.intp]
    noise: float

    @property
    def steps(self) -> list[tuple[int, int]]:
        """Return the pairs of columns that are compared."""
        many = len(self.places)
        return [(at, at + 1) for at in range(many - 1)] + ([(0, many - 1)] if many > 2 else [])

    @property
    def scaled(self) -> Values:
        """Return the values in units of seed noise."""
        return self.values / self.noise


def _along(
    measures: Mapping[str, Values], axis: int, seeds: int | None, axes: int, random: np.random.Generator, draws: int
) -> list[Effect]:
    """Return the effects of one axis; `axes` is how many are tried in all."""
    blocks = {name: _blocks(values, axis, seed_noise(values, seeds)) for name, values in measures.items()}
    usable = [name for name in measures if _can_tell(measures[name], blocks[name], seeds, axes, draws)]
    largest = _largest_by_chance([blocks[name] for name in usable], random, draws)
    found = []
    for name, block in blocks.items():
        whole = len(block.values) > 0
        means = block.values.mean(axis=0) if whole else np.full(len(block.places), np.nan)
        sizes = _sizes(block.scaled, block.steps) if name in usable else np.empty(0)
        for at, (start, end) in enumerate(block.steps):
            difference = float(means[end] - means[start])
            p = math.nan
            verdict: Verdict = "few"
            if name in usable:
                # the values as they are count as one of the draws
                p = min(1.0, axes * (1 + int((largest >= sizes[at] * (1 - 1e-9)).sum())) / (1 + len(largest)))
                verdict = "real" if p <= ALPHA else "noise"
            elif whole and _is_constant(measures[name], seeds):
                verdict = "real" if difference else "noise"  # no seed ever gives another value
            places = int(block.places[start]), int(block.places[end])
            found.append(Effect(axis, name, *places, difference, block.noise, p, verdict, len(block.places)))
    return found


def _blocks(values: Values, axis: int, noise: float) -> _Blocks:
    """Return the blocks in which all values of the axis are known, those left out that are known nowhere."""
    flat = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    known = np.isfinite(flat)
    places = np.flatnonzero(known.any(axis=0)) if known.any() else np.arange(values.shape[axis])
    return _Blocks(flat[known[:, places].all(axis=1)][:, places], places, noise)


def _can_tell(values: Values, block: _Blocks, seeds: int | None, axes: int, draws: int) -> bool:
    """Say whether the smallest p that a step can have is small enough, and there are seeds enough."""
    many, width = block.values.shape
    if seeds is None or values.shape[seeds] < SEEDS_LEAST or not block.noise > 0 or not many or width < 2:
        return False
    return axes * max(_least(many, width), 1 / (1 + draws)) <= ALPHA


def _least(blocks: float, values: int) -> float:
    """Return the smallest p that the largest step can have.

    Exchanging the values of all blocks in the same way, so that neighbours stay neighbours (the first and the last are
    compared, too), gives the same sizes: so many arrangements at least are as extreme as the most extreme one.
    """
    alike = 2 * values if values > 2 else 2
    return alike / math.exp(min(blocks * math.lgamma(values + 1), 50.0))  # lgamma(n + 1): the logarithm of n!


def _is_constant(values: Values, seeds: int | None) -> bool:
    return seeds is not None and values.shape[seeds] >= SEEDS_LEAST and seed_noise(values, seeds) == 0


def _sizes(blocks: Values, steps: Sequence[tuple[int, int]]) -> Values:
    """Return the size of each step in units of the residual: … × blocks × values, in seed noise, to … × steps."""
    many, width = blocks.shape[-2:]
    apart = blocks - blocks.mean(axis=-1, keepdims=True)
    means = apart.mean(axis=-2)
    left = (apart**2).sum(axis=(-1, -2)) - many * (means**2).sum(axis=-1)
    spread = np.sqrt(np.maximum(left, 0) / max(1, (many - 1) * (width - 1)))
    ends = np.array(steps)
    # blocks that are all alike have no residual
    found: Values = np.abs(means[..., ends[:, 1]] - means[..., ends[:, 0]]) / (spread[..., None] + 1e-6)
    return found


def _largest_by_chance(blocks: Sequence[_Blocks], random: np.random.Generator, draws: int) -> Values:
    """Return, for each draw, the largest size of any measure when the values of each block are exchanged.

    All measures are exchanged alike: they are of the same outputs.
    """
    if not blocks:
        return np.empty(0)
    found = []
    many, width = max(len(block.values) for block in blocks), max(int(block.places.max()) for block in blocks) + 1
    for begin in range(0, draws, _CHUNK):
        keys = random.random((min(_CHUNK, draws - begin), many, width))
        sizes = []
        for block in blocks:
            order = keys[:, : len(block.values), block.places].argsort(axis=-1)
            sizes.append(_sizes(np.take_along_axis(block.scaled[None], order, axis=-1), block.steps).max(axis=-1))
        found.append(np.max(sizes, axis=0))
    return np.concatenate(found)


def words(effect: Effect) -> str:
    """Say how large an effect is beside the seeds: "1.8 × seed noise", "within seed noise", "too few seeds to tell".

    One that is larger than the noise but not told from chance says both.
    """
    if effect.verdict == "few":
        return "too few seeds to tell"
    if effect.verdict == "noise":
        return f"{effect.ratio:.1f} × seed noise, but may be chance" if effect.ratio > 1 else "within seed noise"
    return f"{effect.ratio:.1f} × seed noise" if math.isfinite(effect.ratio) else "the same for every seed"


def seeds_needed(values: int, axes: int, others: int = 1) -> int:
    """Return how many seeds could tell an effect of an axis of `values` values, of `axes` tried, `others` combinations
    of the other axes beside each.
    """
    seeds = SEEDS_LEAST
    while axes * _least(seeds * others, values) > ALPHA:
        seeds += 1
    return seeds
