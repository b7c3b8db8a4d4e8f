"""Stages that read the tokens so far, or words that were named: they raise, lower or forbid single tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text.settings import DRY_ALLOWED_LENGTH, DRY_BASE, read_bias, unescaped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.text.sampling.rows import Ids, Rows

DRY_BREAKERS = '\n:"*'  # no repetition runs over these: lines, speakers, quotations
_DRY_LONGEST = 50  # tokens of a repetition that are counted: the penalty is prohibitive by then


def bias(rows: Rows, params: Mapping[str, Any]) -> None:
    """Add to the scores of named words, as `logit_bias` of OpenAI's API does for token ids.

    A raised word is raised token by token, as the tokenizer splits it: its first token where a word may begin, and once
    it is begun the next one alone, so that it is finished before it is begun again. A lowered word is lowered at the
    token that completes it, however it is split, so that other words with the same beginning are not touched.
    """
    assert rows.words is not None
    for text, amount in read_bias(params["bias"]):
        for row, said in enumerate(rows.history):
            rows.add(row, rows.words.leading(text, said) if amount > 0 else _completing(rows, row, text), amount)


def frequency_penalty(rows: Rows, params: Mapping[str, Any]) -> None:
    """Lower a token's score for each time that the answer holds it (OpenAI's API); below 0 it is raised."""
    np.subtract.at(rows.x, rows.seen(answer=True), np.float32(params["frequency_penalty"]))


def presence_penalty(rows: Rows, params: Mapping[str, Any]) -> None:
    """Lower a token's score once if the answer holds it, however often (OpenAI's API)."""
    seen = rows.seen(answer=True)
    rows.x[seen] = rows.x[seen] - np.float32(params["presence_penalty"])


def dry_multiplier(rows: Rows, params: Mapping[str, Any]) -> None:
    """Lower tokens that would continue a repetition, the longer the more. The prompt counts too.

    DRY, "don't repeat yourself" (P. E. Weidmann 2024): a token that would extend a repeated run of n tokens loses
    multiplier × base^(n − allowed length), from that length on. No run reaches over a breaker (`DRY_BREAKERS`).
    """
    multiplier = float(params["dry_multiplier"])
    base = float(params.get("dry_base") or DRY_BASE)
    allowed = int(params.get("dry_allowed_length") or DRY_ALLOWED_LENGTH)
    breaks = rows.words.breakers(DRY_BREAKERS) if rows.words is not None else np.zeros(0, dtype=bool)
    for row, said in enumerate(rows.history):
        tokens, lengths = _repetitions(said, breaks)
        long = lengths >= allowed
        if long.any():
            amounts = multiplier * base ** (lengths[long] - allowed).astype(np.float64)
            rows.add(row, tokens[long], -np.minimum(amounts, 1e9).astype(np.float32))


def banned(rows: Rows, params: Mapping[str, Any]) -> None:
    """Forbid every token that would complete one of the texts, however it is split into tokens."""
    for text in map(unescaped, params["banned"]):
        for row in range(len(rows.history)):
            rows.forbid_ids(row, _completing(rows, row, text))


def json_schema(rows: Rows, params: Mapping[str, Any]) -> None:
    """Forbid tokens that would break the schema. It overrides bans: if those leave nothing, all that fit are equal."""
    if rows.constraint is None:
        return
    lanes = rows.lanes or range(len(rows.history))
    for row, lane in enumerate(lanes):
        fits = rows.constraint.allowed(rows.answer(row), lane)  # bool, one per token; None: it is broken already
        if fits is None:
            continue
        allowed = np.zeros(rows.x.shape[1], dtype=bool)
        if rows.columns is None:
            allowed[: min(len(fits), rows.named)] = fits[: rows.named]
        else:
            known = rows.columns[row] < len(fits)
            allowed[: rows.named][known] = fits[rows.columns[row][known]]
            allowed[rows.named :] = True  # a bound: some of those that were not kept may fit
        rows.x[row, ~allowed] = -np.inf
        if not np.isfinite(rows.x[row]).any():
            rows.x[row, allowed] = 0.0


def _completing(rows: Rows, row: int, text: str) -> NDArray[np.int64]:
    assert rows.words is not None
    spelt = text.encode()
    return rows.words.completing(spelt, rows.words.tail(rows.history[row], len(spelt) - 1))


def _repetitions(said: Ids, breaks: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each token that would extend a repetition of the end, and the length of its longest run."""
    none = np.zeros(0, dtype=np.int64)
    count = len(said)
    ends = np.flatnonzero(said[:-1] == said[-1:])  # earlier positions of the last token
    if not len(ends) or _breaks(breaks, said[-1:])[0]:
        return none, none
    ends = ends[~_breaks(breaks, said[ends + 1])]
    lengths = np.ones(len(ends), dtype=np.int64)
    alive = np.arange(len(ends))
    for back in range(1, min(_DRY_LONGEST, count)):
        token = said[count - 1 - back]
        if not len(alive) or _breaks(breaks, np.array([token]))[0]:
            break
        alive = alive[ends[alive] >= back]
        alive = alive[said[ends[alive] - back] == token]
        lengths[alive] += 1
    if len(ends) == 1:
        return said[ends + 1].astype(np.int64), lengths
    tokens, places = np.unique(said[ends + 1], return_inverse=True)
    longest = np.zeros(len(tokens), dtype=np.int64)
    np.maximum.at(longest, places, lengths)
    return tokens.astype(np.int64), longest


def _breaks(breaks: NDArray[np.bool_], ids: Ids) -> NDArray[np.bool_]:
    known = ids < len(breaks)
    found = np.zeros(len(ids), dtype=bool)
    found[known] = breaks[ids[known]]
    return found
