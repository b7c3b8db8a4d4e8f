"""Read the training sets. Every reader takes the folder that `--data` names; nothing here is committed as data."""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

STORY_END = "<|endoftext|>"
# the files of stories-extra/ in the same simple English as stories/
SIMPLE_EXTRA = (
    "tinystories-toy-rnn", "tinystories-decoding-gpt", "tinystories-elman", "tinystories-moe-bench",
    "tinystories-lowercase-restored", "tinyfabulist-simple-permissive",
)  # fmt: skip


@dataclass(frozen=True)
class Stories:
    """Hold the split: `train` and `validation` of stories/, and `extra` training stories of stories-extra/."""

    train: list[str]
    validation: list[str]
    extra: list[str]
    dropped: int  # training stories left out because they nearly repeat a validation story


def read_stories(file: Path) -> list[str]:
    """Return the stories of a gzipped text file in which a line holding `<|endoftext|>` closes each."""
    text = gzip.decompress(file.read_bytes()).decode("utf-8")
    stories = (story.strip() for story in text.split(f"\n{STORY_END}"))
    return [story for story in stories if story and story != STORY_END]


def load_stories(data: Path, extra: Iterable[str] = SIMPLE_EXTRA, share: float = 0.05) -> Stories:
    """Split stories/ by story: a story is held out if its hash falls in the lowest `share` of all.

    The hash decides, not the order, so that the split stays when stories are added. A training story that shares
    more than a fifth of its 8-word runs with one held-out story is dropped from training.
    """
    own = read_stories(data / "stories" / "tinystories.txt.gz")
    validation = [story for story in own if _fraction(story) < share]
    rest = [story for story in own if _fraction(story) >= share]
    more = [story for name in extra for story in read_stories(data / "stories-extra" / f"{name}.txt.gz")]
    train, kept_more = _without_near_copies(rest, validation), _without_near_copies(more, validation)
    return Stories(train, validation, kept_more, len(rest) - len(train) + len(more) - len(kept_more))


def _fraction(story: str) -> float:
    return int.from_bytes(hashlib.sha256(story.encode()).digest()[:8], "big") / 2**64


def _without_near_copies(stories: Sequence[str], held_out: Sequence[str]) -> list[str]:
    owners: dict[tuple[str, ...], set[int]] = {}
    for index, story in enumerate(held_out):
        for run in _runs(story):
            owners.setdefault(run, set()).add(index)
    kept = []
    for story in stories:
        runs = _runs(story)
        shared: dict[int, int] = {}
        for run in runs:
            for index in owners.get(run, ()):
                shared[index] = shared.get(index, 0) + 1
        if max(shared.values(), default=0) <= len(runs) / 5:
            kept.append(story)
    return kept


def _runs(story: str, length: int = 8) -> set[tuple[str, ...]]:
    words = story.lower().split()
    return {tuple(words[start : start + length]) for start in range(max(1, len(words) - length + 1))}


def encode(tokenizer: Any, stories: list[str]) -> list[list[int]]:
    """Return each story as token ids, start and end tokens included."""
    rows = tokenizer(stories, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return [[tokenizer.bos_token_id, *row, tokenizer.eos_token_id] for row in rows]


class Stream:
    """Cut batches from stories laid end to end, in a new order each pass, without end."""

    def __init__(self, encoded: Sequence[list[int]], batch_tokens: int, choice: random.Random) -> None:
        self._encoded, self._batch_tokens, self._choice = encoded, batch_tokens, choice
        self._length = 0
        self._tokens: list[int] = []  # cut off the last story
        self._order: list[int] = []  # stories still to come in this pass, the next one last

    def take(self, length: int) -> torch.Tensor:
        """Return ids, int64, rows × `length` + 1; a change of length begins a new pass."""
        if length != self._length:
            self._length, self._tokens, self._order = length, [], []
        rows = self._batch_tokens // length
        need = rows * (length + 1)
        while len(self._tokens) < need:
            if not self._order:
                self._order = self._choice.sample(range(len(self._encoded)), len(self._encoded))[::-1]
            self._tokens += self._encoded[self._order.pop()]
        batch = torch.tensor(self._tokens[:need]).view(rows, length + 1)
        self._tokens = self._tokens[need:]
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Return where in the pass the stream is."""
        return {"length": self._length, "tokens": list(self._tokens), "order": list(self._order)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._length, self._tokens, self._order = state["length"], list(state["tokens"]), list(state["order"])
