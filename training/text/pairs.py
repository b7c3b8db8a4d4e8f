"""Read pairs of sentences in two languages, split them without leaks, and deal them in batches of like lengths."""

from __future__ import annotations

import gzip
import hashlib
import random
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELD_OUT = 2000  # English sentences for the test, and as many for validation
POOL = 16_384  # pairs that are sorted by length together


@dataclass(frozen=True)
class Pairs:
    """Hold the split; each pair is (English, French).

    A training sentence may come several times, with other translations; a held-out English sentence comes once, with
    the first translation of the file. No sentence of `test` or `validation` is in `train`, on either side.
    """

    train: list[tuple[str, str]]
    validation: list[tuple[str, str]]
    test: list[tuple[str, str]]
    dropped: int  # training pairs left out because their French is held out


def read_pairs(file: Path) -> list[tuple[str, str]]:
    """Return the pairs of a gzipped text file, one a line: English, a tab, French (NFC, as they are written)."""
    lines = gzip.decompress(file.read_bytes()).decode("utf-8").splitlines()
    halves = [unicodedata.normalize("NFC", line).split("\t")[:2] for line in lines if "\t" in line]
    return [(english.strip(), french.strip()) for english, french in halves]


def same(sentence: str) -> str:
    """Return what two spellings of one sentence share: letters and digits, in small letters."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", sentence).casefold() if sign.isalnum())


def load_pairs(data: Path, held_out: int = HELD_OUT) -> Pairs:
    """Split translation/eng-fra.tsv.gz by English sentence: the lowest hashes are the test, the next validation.

    All pairs of one English sentence stand on one side. A training pair whose French is that of a held-out pair is
    dropped, so that a training from French to English may use the same split.
    """
    return split_pairs(read_pairs(data / "translation" / "eng-fra.tsv.gz"), held_out)


def split_pairs(pairs: Sequence[tuple[str, str]], held_out: int) -> Pairs:
    """Split pairs as `load_pairs` does."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for pair in pairs:
        groups.setdefault(same(pair[0]), []).append(pair)
    order = sorted(groups, key=lambda key: hashlib.sha256(key.encode()).digest())
    parts = [order[:held_out], order[held_out : 2 * held_out], order[2 * held_out :]]
    test, validation, rest = ([pair for key in part for pair in groups[key]] for part in parts)
    known = {same(french) for _, french in test + validation}
    train = [pair for pair in rest if same(pair[1]) not in known]
    tested = {same(french) for _, french in test}
    return Pairs(
        train,
        _firsts(pair for pair in validation if same(pair[1]) not in tested),
        _firsts(test),
        len(rest) - len(train),
    )


def _firsts(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the first pair of each English sentence."""
    found: dict[str, tuple[str, str]] = {}
    for pair in pairs:
        found.setdefault(same(pair[0]), pair)
    return list(found.values())


class Batches:
    """Deal batches of pairs of like lengths, in a new order each pass, without end.

    A batch is a pair of lists of token ids, (sources, targets), unpadded; padded, both together hold at most `tokens`.
    `spell` returns the token ids of all pairs, freshly for every pass, so that a tokenizer that samples may.
    """

    def __init__(self, spell: Any, tokens: int, choice: random.Random) -> None:
        self._spell, self._tokens, self._choice = spell, tokens, choice
        self._waiting: list[Any] = []

    def __next__(self) -> tuple[list[list[int]], list[list[int]]]:
        """Return the next batch."""
        if not self._waiting:
            self._waiting = self._draw()
        batch: tuple[list[list[int]], list[list[int]]] = self._waiting.pop()
        return batch

    def one_pass(self) -> list[tuple[list[list[int]], list[list[int]]]]:
        """Return every batch of one pass."""
        return self._draw()

    def _draw(self) -> list[Any]:
        sources, targets = self._spell()
        order = self._choice.sample(range(len(sources)), len(sources))
        batches = []
        for start in range(0, len(order), POOL):
            pool = sorted(order[start : start + POOL], key=lambda at: (len(sources[at]), len(targets[at])))
            batches += [([sources[at] for at in rows], [targets[at] for at in rows])
                        for rows in _cut(pool, sources, targets, self._tokens)]  # fmt: skip
        self._choice.shuffle(batches)
        return batches

    def state_dict(self) -> dict[str, Any]:
        """Return the batches that are left of this pass."""
        return {"waiting": self._waiting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._waiting = list(state["waiting"])


def _cut(order: Sequence[int], sources: Sequence[Any], targets: Sequence[Any], tokens: int) -> list[list[int]]:
    """Cut a sorted order of pairs into rows that hold at most `tokens` when padded (at least one pair each)."""
    batches: list[list[int]] = [[]]
    widths = (0, 0)
    for at in order:
        own = (len(sources[at]), len(targets[at]))
        wider = (max(widths[0], own[0]), max(widths[1], own[1]))
        if batches[-1] and (len(batches[-1]) + 1) * sum(wider) > tokens:
            batches.append([])
            wider = own
        batches[-1].append(at)
        widths = wider
    return batches
