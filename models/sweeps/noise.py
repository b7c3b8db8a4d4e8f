"""Is it real? Effects of a sweep's axes against the spread between seeds, by a permutation test.

Seeds pair the cells: a difference between two values of an axis is taken within each seed, and within each combination
of the other axes. Where the axis does nothing, its values can be exchanged within such a block; how large the largest
t statistic gets when they are, over all neighbours and measures of an axis, says how large it gets by chance (max-T:
Westfall and Young, Resampling-Based Multiple Testing, 1993, section 2.6). Over the axes, Bonferroni.
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
    over the whole sweep; NaN where there are too few seeds to tell ("few").
    """

    axis: int
    measure: str
    start: int
    end: int
    difference: float
    noise: float
    p: float
    verdict: Verdict

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
    none. `seeds` is the dimension of the seeds, None where only one was used. `seed` fixes the `draws` of permutations.
    """
    shape = next(iter(measures.values())).shape if measures else ()
    axes = [at for at in range(len(shape)) if at != seeds and shape[at] > 1]
    random = np.random.default_rng(seed)
    found: list[Effect] = []
    for axis in axes:
        found += _along(measures, axis, seeds, len(axes), random, draws)
    return found


def seed_noise(values: Values, seeds: int | None) -> float:
    """Return the spread between seeds: the standard deviation within each cell, pooled; NaN with one seed."""
    if seeds is None or values.shape[seeds] < 2:
        return math.nan
    apart = np.moveaxis(values, seeds, 0).reshape(values.shape[seeds], -1)
    whole = apart[:, np.isfinite(apart).all(axis=0)]
    return float(np.sqrt(whole.var(axis=0, ddof=1).mean())) if whole.size else math.nan


def _along(
    measures: Mapping[str, Values], axis: int, seeds: int | None, axes: int, random: np.random.Generator, draws: int
) -> list[Effect]:
    """Return the effects of one axis; `axes` is how many are tried in all."""
    steps = _steps(next(iter(measures.values())).shape[axis])
    blocks = {name: _blocks(values, axis) for name, values in measures.items()}
    noises = {name: seed_noise(values, seeds) for name, values in measures.items()}
    differences = {name: _apart(block.mean(axis=0)) if len(block) else np.full(len(steps), np.nan)
                   for name, block in blocks.items()}  # fmt: skip
    usable = [name for name in measures
              if _can_tell(measures[name], blocks[name], noises[name], seeds, axes, draws)]  # fmt: skip
    scaled = {name: blocks[name] / noises[name] for name in usable}
    largest = _largest_by_chance(list(scaled.values()), random, draws)
    found = []
    for name in measures:
        for at, ((start, end), difference) in enumerate(zip(steps, differences[name], strict=True)):
            p = math.nan
            verdict: Verdict = "few"
            if name in usable:
                size = _sizes(scaled[name][None])[0, at]
                # the values as they are count as one of the draws
                p = min(1.0, axes * (1 + int((largest >= size * (1 - 1e-9)).sum())) / (1 + len(largest)))
                verdict = "real" if p <= ALPHA else "noise"
            elif _is_constant(measures[name], seeds):
                verdict = "real" if difference else "noise"  # no seed ever gives another value
            found.append(Effect(axis, name, start, end, float(difference), noises[name], p, verdict))
    return found


def _blocks(values: Values, axis: int) -> Values:
    """Return the values as blocks × the axis's values, those blocks in which all of them are known."""
    flat = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    return flat[np.isfinite(flat).all(axis=1)]


def _can_tell(values: Values, blocks: Values, noise: float, seeds: int | None, axes: int, draws: int) -> bool:
    """Say whether the smallest p that a difference can have is small enough, and there are seeds enough."""
    if seeds is None or values.shape[seeds] < SEEDS_LEAST or not noise > 0 or not len(blocks):
        return False
    # turning all blocks round gives the same size: two arrangements at least are as extreme as the most extreme one
    arrangements = len(blocks) * math.lgamma(blocks.shape[1] + 1)  # natural logarithm
    least = 2 / math.exp(min(arrangements, 50.0))
    return axes * max(least, 1 / (1 + draws)) <= ALPHA


def _is_constant(values: Values, seeds: int | None) -> bool:
    return seeds is not None and values.shape[seeds] >= SEEDS_LEAST and seed_noise(values, seeds) == 0


def _steps(values: int) -> list[tuple[int, int]]:
    """Return the pairs of an axis's values that are compared."""
    return [(at, at + 1) for at in range(values - 1)] + ([(0, values - 1)] if values > 2 else [])


def _apart(values: Values) -> Values:
    """Return the differences of these pairs, over the last dimension."""
    ends = np.array(_steps(values.shape[-1]))
    return values[..., ends[:, 1]] - values[..., ends[:, 0]]


def _sizes(blocks: Values) -> Values:
    """Return the size of the t statistic of each step: … × blocks × values, in units of seed noise, to … × steps."""
    steps = _apart(blocks)
    many = steps.shape[-2]
    apart = steps.std(axis=-2, ddof=1) / math.sqrt(many) if many > 1 else np.zeros(steps.shape[:-2] + steps.shape[-1:])
    found: Values = np.abs(steps.mean(axis=-2)) / (apart + 1e-6)  # differences that are all alike have no spread
    return found


def _largest_by_chance(blocks: Sequence[Values], random: np.random.Generator, draws: int) -> Values:
    """Return, for each draw, the largest statistic of any measure when the values of each block are exchanged.

    All measures are exchanged alike: they are of the same outputs.
    """
    if not blocks:
        return np.empty(0)
    found = []
    many, width = max(len(block) for block in blocks), blocks[0].shape[1]
    for begin in range(0, draws, _CHUNK):
        order = random.random((min(_CHUNK, draws - begin), many, width)).argsort(axis=-1)
        sizes = [_sizes(np.take_along_axis(block[None], order[:, : len(block)], axis=-1)) for block in blocks]
        found.append(np.max([size.max(axis=-1) for size in sizes], axis=0))
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
    needed = math.log(2 * axes / ALPHA) / (math.lgamma(values + 1) * others)
    return max(SEEDS_LEAST, math.ceil(needed - 1e-9))
