"""Read the training sets. Every reader takes the folder that `--data` names; nothing here is committed as data."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
