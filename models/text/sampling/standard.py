"""transformers' own processors in numpy, for the microscope; `generate()` runs the originals.

A property test compares the two. Where the likeliest tokens alone were kept, typical-p gives a bound for the others;
top-p takes each of those for less likely than any that was kept, which holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text.sampling.rows import pick, softmax, softmax_and_entropy

if TYPE_CHECKING:
    from models.text.sampling.rows import Floats, Rows


def repetition_penalty(rows: Rows, params: Mapping[str, Any]) -> None:
    """Make tokens that occurred before, the prompt's included, less likely (Keskar et al. 2019)."""
    penalty = np.float32(params["repetition_penalty"])
    seen = rows.seen(answer=False)
    held = rows.x[seen]
    rows.x[seen] = np.where(held < 0, held * penalty, held / penalty)


def no_repeat_ngram_size(rows: Rows, params: Mapping[str, Any]) -> None:
    """Forbid tokens that would complete an n-gram of this size that occurred before."""
    before = int(params["no_repeat_ngram_size"]) - 1
    for row, said in enumerate(rows.history):
        if len(said) <= before:
            continue
        follow = np.ones(len(said) - before, dtype=bool)  # a place behind each run of `before` tokens
        for back in range(1, before + 1):
            follow &= said[before - back : len(said) - back] == said[-back]
        gone = said[before:][follow]
        rows.x[row, rows.places(row, gone)[0]] = -np.inf


def temperature(rows: Rows, params: Mapping[str, Any]) -> None:
    """Make the distribution steeper (below 1) or flatter (above)."""
    rows.x /= np.float32(params["temperature"])


def top_k(rows: Rows, params: Mapping[str, Any]) -> None:
    """Keep the k likeliest tokens (Fan et al. 2018)."""
    k = min(int(params["top_k"]), rows.named)
    named = rows.x[:, : rows.named]
    # of the negatives: many equal values at the lower end slow the partition down
    least = -np.partition(-named, k - 1, axis=1)[:, k - 1][:, None]
    np.copyto(named, -np.inf, where=named < least)
    rows.forbid_rest(np.full(len(rows.x), k < rows.named))


def top_p(rows: Rows, params: Mapping[str, Any]) -> None:
    """Forbid the least likely tokens that together hold at most 1 − p (Holtzman et al. 2020)."""
    alone = _alone(rows, -np.inf)
    rising = np.sort(alone, axis=1)  # sorting values is many times faster than argsort
    if not rows.whole:
        rising[:, 0] = rows.x[:, rows.named]
    gone = (softmax(rising).cumsum(axis=1) <= np.float32(1 - float(params["top_p"]))).sum(axis=1)
    gone = np.minimum(gone, rising.shape[1] - 1)
    least = rising[np.arange(len(rising)), gone]
    below = alone < least[:, None]
    # of equal scores at the edge, the lowest ids go first
    for row in np.flatnonzero(gone > below.sum(axis=1)):
        alike = np.flatnonzero(alone[row] == least[row])
        below[row, alike[: gone[row] - below[row].sum()]] = True
    np.copyto(rows.x, -np.inf, where=below)


def min_p(rows: Rows, params: Mapping[str, Any]) -> None:
    """Forbid tokens below a share of the likeliest one's probability (Nguyen et al. 2024)."""
    p = softmax(rows.x)[:, : rows.named]
    most = p.max(axis=1, keepdims=True)
    gone = p < np.float32(params["min_p"]) * most
    gone[np.arange(len(p)), p.argmax(axis=1)] = False
    np.copyto(rows.x[:, : rows.named], -np.inf, where=gone)
    rows.forbid_rest(gone.any(axis=1))


def typical_p(rows: Rows, params: Mapping[str, Any]) -> None:
    """Keep the tokens whose surprise is nearest to the entropy, until they hold the mass (Meister et al. 2023)."""
    p, entropy = softmax_and_entropy(rows.x)
    with np.errstate(divide="ignore"):
        distance = np.abs(-np.log(p) - entropy.astype(np.float32)[:, None])
    distance[:, rows.named :] = np.inf  # a bound: how surprising each of the others is was not kept
    order = np.argsort(distance, axis=1)
    held = np.take_along_axis(p, order, axis=1).cumsum(axis=1)
    last = np.minimum((held < np.float32(params["typical_p"])).sum(axis=1), rows.x.shape[1] - 1)
    nearest, farthest = order[:, 0], order[np.arange(len(order)), last]
    gone = distance > pick(distance, farthest)[:, None]
    gone[np.arange(len(gone)), nearest] = False
    np.copyto(rows.x, -np.inf, where=gone)


def _alone(rows: Rows, rest: float) -> Floats:
    """Return the scores with `rest` in the column that sums the tokens that were not kept: each of them is small."""
    if rows.whole:
        return rows.x
    alone: Floats = rows.x.copy()
    alone[:, rows.named :] = rest
    return alone
