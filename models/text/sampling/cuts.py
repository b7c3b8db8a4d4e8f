"""Sampling stages that read the scores alone: they truncate the distribution, or make it steeper or flatter."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text.sampling.rows import pick, softmax, softmax_and_entropy
from models.text.settings import DYNATEMP_EXPONENT, MIROSTAT_ETA, TEMPERATURE_LEAST, XTC_THRESHOLD
from models.types import SEED_MAX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.text.sampling.rows import Floats, Rows


def top_n_sigma(rows: Rows, params: Mapping[str, Any]) -> None:
    """Keep tokens whose score is within n standard deviations of the best one (Tang et al. 2024, "Top-nσ").

    Temperature scales scores and deviation alike, so this comes first. Where the likeliest tokens alone were kept,
    their deviation is smaller than that of all, and more may be cut.
    """
    named = rows.x[:, : rows.named]
    finite = named > -np.inf
    best = named.max(axis=1, keepdims=True)
    count = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    off = named - best
    np.copyto(off, np.float32(0), where=~finite)
    mean = off.sum(axis=1, keepdims=True) / count
    square = np.einsum("ij,ij->i", off, off)[:, None] / count
    sigma = np.sqrt(np.maximum(square - mean * mean, 0))
    gone = named < best - np.float32(params["top_n_sigma"]) * sigma.astype(np.float32)
    rows.forbid_rest(gone.any(axis=1))
    np.copyto(named, -np.inf, where=gone)


def dynatemp_range(rows: Rows, params: Mapping[str, Any]) -> None:
    """Divide by a temperature that follows the entropy: T − range where it is low, T + range where it is high.

    Dynamic temperature, as in koboldcpp and llama.cpp: the entropy as a share of its maximum, to the power of the
    exponent, interpolates between the two. It replaces the temperature. Where the likeliest tokens alone were kept, the
    entropy is a lower bound.
    """
    middle, reach = float(params.get("temperature") or 1.0), float(params["dynatemp_range"])
    least = max(middle - reach, TEMPERATURE_LEAST)
    _, entropy = softmax_and_entropy(rows.x)
    count = (rows.x > -np.inf).sum(axis=1)
    share = np.where(count > 1, entropy / np.log(np.maximum(count, 2)), 0.0)
    exponent = float(params.get("dynatemp_exponent") or DYNATEMP_EXPONENT)
    own = least + (middle + reach - least) * np.clip(share, 0, 1) ** exponent
    rows.x /= own.astype(np.float32)[:, None]


def xtc_probability(rows: Rows, params: Mapping[str, Any]) -> None:
    """Forbid, with a probability, all but the least likely of the tokens above a threshold.

    XTC, "exclude top choices" (P. E. Weidmann 2024). `uniforms` decides whether it acts. As in the author's own code it
    does nothing where it would forbid the end of the text or of a line.
    """
    p = softmax(rows.x)[:, : rows.named]
    acts = uniforms(rows) < float(params["xtc_probability"])
    above = p >= np.float32(params.get("xtc_threshold") or XTC_THRESHOLD)
    above &= (acts & (above.sum(axis=1) > 1))[:, None]
    several = np.flatnonzero(above.any(axis=1))
    least = np.where(above[several], p[several], np.inf).argmin(axis=1)
    above[several, least] = False
    above[(above & rows.closing()).any(axis=1)] = False
    np.copyto(rows.x[:, : rows.named], -np.inf, where=above)


def uniforms(rows: Rows) -> NDArray[np.float64]:
    """Return one uniform random number per row, 0 … 1, from its text's seed and its position in the answer alone.

    So a text gets the same numbers alone, among variants and in the microscope.
    """
    seeds = rows.seeds if rows.seeds is not None else np.zeros(len(rows.history), np.int64)
    return np.array([_uniform(int(seed), len(rows.answer(row))) for row, seed in enumerate(seeds)])


def _uniform(seed: int, place: int) -> float:
    # a counter-based generator: a hash of seed and position, without state
    digest = blake2b(b"xtc %d %d" % (seed % (SEED_MAX + 1), place), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def mirostat_tau(rows: Rows, params: Mapping[str, Any]) -> None:
    """Forbid tokens above a bound of surprise that steers the text's mean surprise to tau bits per token.

    Mirostat 2.0 (Basu et al. 2021, algorithm 2). The bound starts at 2 tau and moves by eta times the drawn token's
    surprise less tau. That surprise is measured on the probabilities that reach this stage.
    """
    p = softmax(rows.x)
    mu = rows.mu
    if mu is None:
        assert rows.drawn is not None
        mu = bounds(surprise(p, rows.drawn), params)[:-1]
    rows.mu = mu
    gone = p < np.exp2(-mu)[:, None].astype(np.float32)
    gone[np.arange(len(p)), p.argmax(axis=1)] = False
    gone[:, rows.named :] |= gone[:, : rows.named].any(axis=1, keepdims=True)
    np.copyto(rows.x, -np.inf, where=gone)


def bounds(surprises: NDArray[np.float64], params: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return mirostat's bound before each of a text's tokens and after the last, in bits.

    A token of probability 0 (infinite surprise) moves nothing.
    """
    tau, eta = float(params["mirostat_tau"]), float(params.get("mirostat_eta") or MIROSTAT_ETA)
    off = np.where(np.isfinite(surprises), surprises - tau, 0.0)
    return np.asarray(2 * tau - eta * np.concatenate([[0.0], np.cumsum(off)]))


def surprise(p: Floats, columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return −log2 of one probability per row; infinite for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log2(pick(p, columns).astype(np.float64)))
