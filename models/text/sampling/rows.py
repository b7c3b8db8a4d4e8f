"""Scores while stages act on them, in numpy: a row is a text's next token in `generate()`, or a position of one text.

Each stage is written once, on `Rows`: the processors of `generate()` and the microscope both run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.text.sampling.schema import Constraint
    from models.text.sampling.spelling import Spelling

    Floats = NDArray[np.float32]
    Ids = NDArray[np.integer[Any]]


@dataclass
class Rows:
    """Hold scores (float32, rows × columns; −inf: forbidden) and the tokens before each row.

    `history` holds each row's ids so far, the first `start` of them the prompt's. The first `named` columns stand for
    one token each: for the id of that number, or for those in `columns` (rows × named); one more column stands for all
    other tokens together. `seeds` are the texts' own (int64, one per row; None: 0). `drawn` is the column that each row
    drew, where the rows are the positions of one text from its first on. `mu` is mirostat's bound where it is known.
    `lanes` tell which text a row belongs to. `ends` are the ids that end a text or a line. `noise` goes along with the
    columns: what a draw divides their probabilities by.
    """

    x: Floats
    history: Sequence[Ids]
    start: int
    named: int
    columns: Ids | None = None
    seeds: NDArray[np.int64] | None = None
    drawn: NDArray[np.int64] | None = None
    mu: NDArray[np.float64] | None = None
    lanes: Sequence[int] | None = None
    noise: Floats | None = None
    words: Spelling | None = None
    ends: Sequence[int] = ()
    constraint: Constraint | None = None
    _closing: NDArray[np.bool_] | None = None

    @property
    def whole(self) -> bool:
        """Say whether every token has a column of its own."""
        return bool(self.named == self.x.shape[1])

    def answer(self, row: int) -> Ids:
        """Return a row's ids after the prompt."""
        return self.history[row][self.start :]

    def places(self, row: int, ids: Ids) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the columns of those of `ids` that have one, and their places in `ids`."""
        if self.columns is None:
            which = np.flatnonzero(ids < self.named)
            return np.asarray(ids[which], dtype=np.intp), which
        columns = self.columns[row]
        order = np.argsort(columns, kind="stable")
        at = np.minimum(np.searchsorted(columns, ids, sorter=order), len(order) - 1)
        found = order[at]
        which = np.flatnonzero(columns[found] == ids)
        return found[which], which

    def seen(self, answer: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return row and column of every token so far, as often as it occurs, with or without the prompt."""
        said = [self.answer(row) if answer else self.history[row] for row in range(len(self.history))]
        if self.columns is None:
            rows = np.repeat(np.arange(len(said)), [len(one) for one in said])
            columns = np.concatenate(said).astype(np.intp) if said else rows
            known = columns < self.named
            return (rows, columns) if known.all() else (rows[known], columns[known])
        found = [self.places(row, one)[0] for row, one in enumerate(said)]
        return np.repeat(np.arange(len(found)), [len(one) for one in found]), np.concatenate(found)

    def closing(self) -> NDArray[np.bool_]:
        """Return which of the named columns end a text or a line (bool, rows × named)."""
        if self._closing is None:
            found = np.zeros((len(self.x), self.named), dtype=bool)
            for row in range(len(found)):
                found[row, self.places(row, np.array(self.ends, dtype=np.int64))[0]] = True
            self._closing = found
        return self._closing

    def narrow(self) -> None:
        """Drop forbidden columns once most are forbidden, so that later stages, which read scores alone, are faster.

        The order stays; a forbidden drawn token gets a forbidden column. Afterwards columns no longer name tokens.
        """
        if not self.whole:
            return
        left = self.x > -np.inf
        counts = np.count_nonzero(left, axis=1)
        width = int(counts.max(initial=0)) + 1
        if width > self.named // 4:
            return
        rows, columns = np.divmod(np.flatnonzero(left), self.named)  # many times faster than of two dimensions
        places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        x = np.full((len(self.x), width), -np.inf, np.float32)
        x[rows, places] = self.x[rows, columns]
        if self.drawn is not None:
            drawn = np.full(len(x), width - 1, np.int64)
            mine = columns == self.drawn[rows]
            drawn[rows[mine]] = places[mine]
            self.drawn = drawn
        if self.noise is not None:
            noise = np.full((len(x), width), np.inf, np.float32)
            noise[rows, places] = self.noise[rows, columns]
            self.noise = noise
        held = np.zeros((len(x), width), dtype=bool)
        held[rows, places] = self.closing()[rows, columns]
        self._closing = held
        self.x, self.named, self.columns = x, width, None

    def forbid(self, gone: NDArray[np.bool_]) -> None:
        """Forbid columns (bool, rows × columns); a row of which nothing would be left stays as it is."""
        left: NDArray[np.bool_] = np.any(np.isfinite(self.x) & ~gone, axis=1, keepdims=True)
        self.x[gone & left] = -np.inf

    def forbid_ids(self, row: int, ids: Ids) -> None:
        """Forbid tokens of one row, unless nothing would be left."""
        if not len(ids):
            return
        gone = np.zeros(self.x.shape[1], dtype=bool)
        gone[self.places(row, ids)[0]] = True
        if (np.isfinite(self.x[row]) & ~gone).any():
            self.x[row, gone] = -np.inf

    def add(self, row: int, ids: Ids, amounts: Floats | float) -> None:
        """Add to the scores of tokens of one row, each named once."""
        columns, which = self.places(row, ids)
        self.x[row, columns] += amounts if np.isscalar(amounts) else np.asarray(amounts, np.float32)[which]

    def forbid_rest(self, rows: NDArray[np.bool_]) -> None:
        """Forbid, in these rows, the tokens that have no column of their own."""
        self.x[rows, self.named :] = -np.inf


def softmax(x: Floats) -> Floats:
    """Return the softmax of each row; −inf becomes 0."""
    return _softmax(x)[0]


def softmax_and_entropy(x: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """Return the softmax of each row and its entropy in nats."""
    p, below, total = _softmax(x)
    np.maximum(below, np.float32(-1e30), out=below)  # p is 0 there
    inner = np.einsum("ij,ij->i", p, below)
    return p, np.asarray(np.log(total[:, 0].astype(np.float64)) - inner)


def _softmax(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return each row's softmax, how far each score lies below the best, and the sum of their exponentials."""
    most = x.max(axis=1, keepdims=True)
    most[most == -np.inf] = 0
    below = x - most
    e = np.exp(below)
    total = e.sum(axis=1, keepdims=True)
    e /= total
    return e, below, total


def pick(table: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return one entry per row."""
    picked: NDArray[Any] = table[np.arange(len(table)), columns]
    return picked
