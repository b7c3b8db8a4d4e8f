"""Passes of an encoder over texts: a vector for each, and how near they are to one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

BATCH = 16  # texts that are read at once
_TOKEN_MOST = 30  # characters that a token has at most, on the average of a text: what is longer need not be read


class Embedding:
    """Read texts with a loaded encoder (`model`, `tokenizer`); `read` counts the tokens, `cut` the texts cut off."""

    def __init__(self, loaded: dict[str, Any], context: int, pooling: str) -> None:
        self._model, self._tokenizer = loaded["model"], loaded["tokenizer"]
        self._context, self._pooling = context, pooling
        self.read = self.cut = 0

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of a few texts, float32: texts × width. What is beyond the context is not read."""
        begun = [text[: _TOKEN_MOST * self._context] for text in texts]
        whole = [len(ids) <= self._context for ids in self._tokenizer(begun)["input_ids"]]
        self.cut += sum(not (fits and one == text) for fits, one, text in zip(whole, begun, texts, strict=True))
        given = self._tokenizer(begun, padding=True, truncation=True, max_length=self._context, return_tensors="pt")
        self.read += int(given["attention_mask"].sum())
        found: np.ndarray = pooled(
            self._model(**given).last_hidden_state.float(), given["attention_mask"], self._pooling
        ).numpy()  # fmt: skip
        return found


def pooled(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """Return one vector for each text of those of its tokens (texts × tokens × width): mean, CLS or maximum.

    As in Reimers and Gurevych 2019, Sentence-BERT, section 3. `mask` (texts × tokens) is 0 for padding, which may
    stand before a text or behind it.
    """
    if pooling == "cls":
        return hidden[torch.arange(len(hidden)), mask.argmax(dim=1)]
    inside = mask.bool()[..., None]
    if pooling == "max":
        return hidden.masked_fill(~inside, -torch.inf).amax(dim=1)
    return (hidden * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)


def compared(vectors: np.ndarray, others: np.ndarray, normalise: bool) -> np.ndarray:
    """Return how near vectors are to others, float64: the cosine of each pair, or its dot product."""
    a, b = (one.astype(np.float64) for one in (vectors, others))
    if normalise:
        a, b = (one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12) for one in (a, b))
    found: np.ndarray = (a @ b.T).round(4) + 0.0  # no −0
    return found
