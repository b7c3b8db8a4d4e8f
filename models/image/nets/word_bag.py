"""A bag of words as one vector: the mean of the embeddings of those that the net knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import nn

_WORD = re.compile(r"[^\W_]+")


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters and digits."""
    return _WORD.findall(text.lower())


def make_vocabulary(texts: Iterable[str]) -> list[str]:
    """Return every word of the texts, sorted."""
    return sorted({word for text in texts for word in split_words(text)})


def word_ids(vocabulary: Sequence[str], text: str) -> tuple[list[int], list[str]]:
    """Return the ids of a text's known words, from 1, and the words that are not known. No known word: `[0]`."""
    places = {word: number for number, word in enumerate(vocabulary, 1)}
    words = split_words(text)
    known = [places[word] for word in words if word in places]
    return known or [0], [word for word in words if word not in places]


class WordBag(nn.Module):
    """Hold one embedding per word; id 0 stands for a text without a known word."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.embed = nn.EmbeddingBag(words + 1, width, mode="mean")

    def forward(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the mean embedding of each row of ids: float32, rows × width."""
        ids = torch.tensor([one for row in rows for one in row])
        starts = torch.tensor([0, *(len(row) for row in rows)][:-1]).cumsum(0)
        bag: torch.Tensor = self.embed(ids.to(self.embed.weight.device), starts.to(self.embed.weight.device))
        return bag
