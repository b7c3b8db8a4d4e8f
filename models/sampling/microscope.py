"""The token microscope: a finished text seen again under other settings, from its stored logits, without the model.

Every stage does what transformers' processor of that name does, in transformers' order; a property test holds the two
side by side. All in numpy, for many positions at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.blobs import Blobs

    Floats = NDArray[np.float32]

STAGES = ("repetition_penalty", "no_repeat_ngram_size", "temperature", "top_k", "top_p", "min_p", "typical_p")
SHOWN = 14  # tokens of a position's distribution
_CACHED = 3  # finished texts that are kept open


@dataclass(frozen=True)
class Kept:
    """Hold what a run kept of one text.

    `logits` is float16, tokens × vocabulary, as the model gave them; `ids` int32, the tokens that were drawn;
    `prompt` int32. Of a larger vocabulary `columns` (tokens × N) names the likeliest tokens, whose logits `logits`
    holds in falling order, and `rest` (float32, tokens) is the logarithm of the summed exponentials of all others.
    """

    logits: NDArray[np.float16]
    ids: NDArray[np.int32]
    prompt: NDArray[np.int32]
    columns: NDArray[np.int32] | None = None
    rest: Floats | None = None


def pack(kept: Kept, vocabulary: str = "") -> bytes:
    """Return safetensors bytes; `vocabulary` is the fingerprint of the tokens' vocabulary (see `models.vocabulary`)."""
    from safetensors.numpy import save

    parts = {"logits": kept.logits, "ids": kept.ids, "prompt": kept.prompt, "columns": kept.columns, "rest": kept.rest}
    there = {name: np.ascontiguousarray(part) for name, part in parts.items() if part is not None}
    return bytes(save(there, metadata={"vocabulary": vocabulary} if vocabulary else None))


def unpack(data: bytes) -> Kept:
    """Undo `pack`."""
    from safetensors.numpy import load

    return Kept(**load(data))


@dataclass(frozen=True)
class Scored:
    """Hold a text under some settings, an entry a token.

    `p` and `rank` (from 1) are the drawn token's before any stage, `entropy` the position's, in bits; `after` its
    probability after all stages, 0 where it is forbidden; `stage` the index in `STAGES` of the one that forbids it, −1
    for none. `left` says how many tokens could be drawn.
    """

    p: Floats
    rank: NDArray[np.int32]
    entropy: Floats
    after: Floats
    stage: NDArray[np.int32]
    left: NDArray[np.int32]


def score(kept: Kept, params: Mapping[str, Any]) -> Scored:
    """Return every drawn token's numbers under settings named as `generate()` names them; None or absent: off."""
    table = _Table(kept)
    p = table.probabilities()
    drawn = table.drawn()
    before = _pick(p, drawn)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.asarray(-np.nansum(np.where(p > 0, p * np.log2(p), 0.0), axis=1), dtype=np.float32)
    rank = 1 + (table.x[:, : table.named] > _pick(table.x, drawn)[:, None]).sum(axis=1)
    stage = np.full(len(drawn), -1, np.int32)
    for number, name in enumerate(STAGES):
        if not table.apply(name, params):
            continue
        gone = ~np.isfinite(_pick(table.x, drawn)) & (stage < 0)
        stage[gone] = number
    return Scored(before, rank.astype(np.int32), entropy, _pick(table.probabilities(), drawn), stage,
                  np.isfinite(table.x[:, : table.named]).sum(axis=1).astype(np.int32))  # fmt: skip


def position(kept: Kept, params: Mapping[str, Any], at: int, shown: int = SHOWN) -> dict[str, Any]:
    """Return the likeliest tokens at position `at`, the drawn one among them, before and after each stage that acts.

    `{"tokens": [{"id", "p": [before, after each stage]}], "stages": [names], "left": n}`; probabilities 0 … 1, 0 for a
    token that a stage forbids.
    """
    table = _Table(kept, at)
    steps = [table.probabilities()[0]]
    names = []
    for name in STAGES:
        if table.apply(name, params):
            names.append(name)
            steps.append(table.probabilities()[0])
    first = np.argsort(-steps[0][: table.named], kind="stable")[:shown]
    drawn = int(table.drawn()[0])
    chosen = [*first.tolist(), *([drawn] if drawn < table.named and drawn not in first else [])]
    tokens = [{"id": table.id_of(place), "p": [float(step[place]) for step in steps]} for place in chosen]
    left = int(np.isfinite(table.x[0, : table.named]).sum())
    return {"tokens": tokens, "stages": names, "left": left, "drawn": int(kept.ids[at])}


class _Table:
    """Hold the scores of some positions (float32, positions × columns; −inf: forbidden) while stages act on them.

    Where only the likeliest tokens were kept, a last column stands for all others together.
    """

    def __init__(self, kept: Kept, at: int | None = None) -> None:
        self.kept = kept
        self.rows = np.arange(len(kept.ids)) if at is None else np.array([at])
        self.x = kept.logits[self.rows].astype(np.float32)
        self.named = self.x.shape[1]
        if kept.rest is not None:
            self.x = np.concatenate([self.x, kept.rest[self.rows, None]], axis=1)

    def id_of(self, place: int) -> int:
        """Return the token id of a column of the one position."""
        return place if self.kept.columns is None else int(self.kept.columns[self.rows[0], place])

    def drawn(self) -> NDArray[np.int64]:
        """Return the column of each position's drawn token; that of the rest where it was not kept."""
        ids = self.kept.ids[self.rows].astype(np.int64)
        if self.kept.columns is None:
            return np.asarray(ids)
        same = self.kept.columns[self.rows] == ids[:, None]
        return np.asarray(np.where(same.any(axis=1), same.argmax(axis=1), self.named), dtype=np.int64)

    def probabilities(self) -> Floats:
        """Return the softmax of each row."""
        return _softmax(self.x)

    def apply(self, name: str, params: Mapping[str, Any]) -> bool:
        """Let a stage act; say whether it did anything under these settings."""
        value = params.get(name)
        neutral = {"repetition_penalty": 1.0, "temperature": 1.0, "top_p": 1.0, "typical_p": 1.0}
        if not value or value == neutral.get(name):
            return False
        getattr(self, f"_{name}")(value)
        return True

    def _columns_of(self, row: int, ids: NDArray[Any]) -> NDArray[np.intp]:
        if self.kept.columns is None:
            return np.asarray(ids[ids < self.named], dtype=np.intp)
        found: NDArray[np.intp] = np.flatnonzero(np.isin(self.kept.columns[self.rows[row]], ids))
        return found

    def _repetition_penalty(self, penalty: float) -> None:
        """Keskar et al. 2019: what was said before, the prompt included, is made less likely."""
        before = np.unique(self.kept.prompt)
        for row, at in enumerate(self.rows):
            seen = self._columns_of(row, np.union1d(before, self.kept.ids[:at]))
            held = self.x[row, seen]
            self.x[row, seen] = np.where(held < 0, held * np.float32(penalty), held / np.float32(penalty))

    def _no_repeat_ngram_size(self, size: int) -> None:
        """Forbid what would complete a run of `size` tokens that came before."""
        said = [*self.kept.prompt.tolist(), *self.kept.ids.tolist()]
        start = len(self.kept.prompt)
        followers: dict[tuple[int, ...], list[int]] = {}
        done = 0
        for row, at in enumerate(self.rows):
            length = start + int(at)
            for end in range(max(size, done + 1), length + 1):
                run = said[end - size : end]
                followers.setdefault(tuple(run[:-1]), []).append(run[-1])
            done = max(done, length)
            if length >= size:
                banned = followers.get(tuple(said[length + 1 - size : length]), [])
                self.x[row, self._columns_of(row, np.array(banned, np.int64))] = -np.inf

    def _temperature(self, temperature: float) -> None:
        self.x /= np.float32(temperature)

    def _top_k(self, k: int) -> None:
        """Fan et al. 2018."""
        k = min(int(k), self.named)
        named = self.x[:, : self.named]
        least = np.partition(named, -k, axis=1)[:, -k][:, None]
        self.x[:, : self.named][named < least] = -np.inf
        self._rest_goes(np.full(len(self.x), k < self.named))

    def _top_p(self, mass: float) -> None:
        """Holtzman et al. 2020: from the least likely up, those that together hold at most 1 − `mass` go."""
        alone = self._alone(-np.inf)
        rising = np.sort(alone, axis=1)  # values alone: many times quicker than their places
        if self.named < self.x.shape[1]:
            rising[:, 0] = self.x[:, self.named]
        gone = (_softmax(rising).cumsum(axis=1) <= np.float32(1 - mass)).sum(axis=1)
        gone = np.minimum(gone, rising.shape[1] - 1)
        least = rising[np.arange(len(rising)), gone]
        below = alone < least[:, None]
        # of those that are alike at the edge, the ones with the lowest ids go first
        for row in np.flatnonzero(gone > below.sum(axis=1)):
            alike = np.flatnonzero(alone[row] == least[row])
            below[row, alike[: gone[row] - below[row].sum()]] = True
        self.x[below] = -np.inf

    def _min_p(self, share: float) -> None:
        """Nguyen et al. 2024."""
        p = _softmax(self.x)[:, : self.named]
        most = p.max(axis=1, keepdims=True)
        gone = p < np.float32(share) * most
        gone[np.arange(len(p)), p.argmax(axis=1)] = False
        self.x[:, : self.named][gone] = -np.inf
        self._rest_goes(gone.any(axis=1))

    def _typical_p(self, mass: float) -> None:
        """Meister et al. 2023: the tokens about as surprising as the position is, until they hold `mass`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(_softmax(self.x))
            p = np.exp(logs)
            entropy = -np.nansum(np.where(p > 0, logs * p, 0.0), axis=1, keepdims=True)
            distance = np.abs(-logs - entropy)
        distance[:, self.named :] = np.inf  # a bound: how surprising each of the others is was not kept
        order = np.argsort(distance, axis=1)
        near = np.take_along_axis(distance, order, axis=1)
        held = _softmax(np.take_along_axis(self.x, order, axis=1)).cumsum(axis=1)
        last = np.minimum((held < np.float32(mass)).sum(axis=1), self.x.shape[1] - 1)
        nearest = order[:, 0]
        gone = distance > near[np.arange(len(near)), last][:, None]
        gone[np.arange(len(gone)), nearest] = False
        self.x[gone] = -np.inf

    def _alone(self, rest: float) -> Floats:
        """Return the scores with `rest` in place of the sum of those that were not kept: each of them is small."""
        if self.named == self.x.shape[1]:
            return np.asarray(self.x)
        alone: Floats = self.x.copy()
        alone[:, self.named :] = rest
        return alone

    def _rest_goes(self, rows: NDArray[np.bool_]) -> None:
        """Forbid, in these rows, the tokens that were not kept."""
        self.x[rows, self.named :] = -np.inf


def _softmax(x: Floats) -> Floats:
    most = x.max(axis=1, keepdims=True)
    e = np.exp(x - np.where(np.isfinite(most), most, 0.0), dtype=np.float32)
    out: Floats = e / e.sum(axis=1, keepdims=True)
    return out


def _pick(table: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[Any]:
    picked: NDArray[Any] = table[np.arange(len(table)), columns]
    return picked


class Opener:
    """Open kept logits by reference; the newest few stay open."""

    def __init__(self) -> None:
        self._cached = lru_cache(maxsize=_CACHED)(self._open)
        self._blobs: Blobs | None = None

    def _open(self, ref: str) -> Kept:
        assert self._blobs is not None
        return unpack(self._blobs.get_bytes(ref))

    def open(self, ref: str, blobs: Blobs) -> Kept:
        """Return what lies under a reference. Raises what `Blobs.get_bytes` raises."""
        self._blobs = blobs
        return self._cached(ref)


def colours(scored: Scored, measure: str) -> list[float]:
    """Return one number a token, 0 … 1, for a heat map: "probability", "entropy" (of 8 bits), "rank" (logarithmic)."""
    if measure == "entropy":
        values = np.minimum(scored.entropy / 8, 1)
    elif measure == "rank":
        values = np.minimum(np.log10(scored.rank) / 3, 1)
    else:
        values = scored.p
    return [round(float(value), 4) for value in values]


def forbidden(scored: Scored) -> dict[str, int]:
    """Return how many tokens each stage forbids, those that forbid none left out."""
    counted = {name: int((scored.stage == number).sum()) for number, name in enumerate(STAGES)}
    return {name: count for name, count in counted.items() if count}


def pieces(decode: Any, ids: Sequence[int]) -> list[str]:
    """Return each token's text in its place; `decode` turns ids into text. Half a character is shown as U+FFFD."""
    found = []
    for at, token in enumerate(ids):
        before = list(ids[max(0, at - 1) : at])
        alone, both = decode(before), decode([*before, token])
        found.append(both[len(alone) :] if both.startswith(alone) else decode([token]))
    return found
