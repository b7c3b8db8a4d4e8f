"""Passes of a classifier over a text, part by part where it is long: the probability of every label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

_TOKEN_MOST = 30  # characters that a token has at most, on the average of a text: what is longer need not be counted


class Labelling:
    """Read texts with a loaded classifier (`model`, `tokenizer`); `read` counts the tokens.

    `beside` is a second text that each part is read with, such as a hypothesis; "" for none.
    """

    def __init__(self, loaded: dict[str, Any], context: int, beside: Sequence[str] = ()) -> None:
        self._model, self._tokenizer = loaded["model"], loaded["tokenizer"]
        self._context, self._beside = context, tuple(beside)
        self.read = 0

    def fits(self, piece: str) -> bool:
        """Say whether the model can read a piece at once."""
        if len(piece) > _TOKEN_MOST * self._context:
            return False
        return max(map(len, self._encode(piece)["input_ids"])) <= self._context

    @torch.inference_mode()
    def logits(self, piece: str) -> np.ndarray:
        """Return a piece's logits, float32: texts beside it (or 1) × labels."""
        given = self._encode(piece, padding=True, truncation=True, max_length=self._context, return_tensors="pt")
        self.read += int(given["attention_mask"].sum())
        found: np.ndarray = self._model(**given).logits.float().numpy()
        return found

    @torch.inference_mode()
    def batch(self, pieces: Sequence[str]) -> np.ndarray:
        """Return the logits of several pieces that fit, read at once, float32: pieces × labels. Nothing beside them."""
        given = self._tokenizer(list(pieces), padding=True, return_tensors="pt")
        self.read += int(given["attention_mask"].sum())
        found: np.ndarray = self._model(**given).logits.float().numpy()
        return found

    def weight(self, piece: str) -> int:
        """Return how much a piece counts among others: its tokens."""
        return max(1, len(self._tokenizer(piece, add_special_tokens=False)["input_ids"]))

    def _encode(self, piece: str, **more: Any) -> Any:
        if not self._beside:
            return self._tokenizer([piece], **more)
        return self._tokenizer([piece] * len(self._beside), list(self._beside), **more)


def shares(logits: np.ndarray, temperature: float, several: bool) -> np.ndarray:
    """Return probabilities of logits (… × labels) over a temperature: softmax, or a sigmoid each for `several`."""
    scaled = logits.astype(np.float64) / temperature
    if several:
        whole: np.ndarray = 1 / (1 + np.exp(-scaled))
        return whole
    raised = np.exp(scaled - scaled.max(-1, keepdims=True))
    found: np.ndarray = raised / raised.sum(-1, keepdims=True)
    return found


def averaged(found: Sequence[np.ndarray], weights: Sequence[int]) -> np.ndarray:
    """Return the mean of the parts' probabilities, each by its weight."""
    whole: np.ndarray = np.average(np.stack(found), axis=0, weights=np.asarray(weights, float))
    return whole


def entailing(labels: dict[int, str]) -> tuple[int, int] | None:
    """Return which outputs of a model of inference mean that a sentence follows and that it is contradicted.

    None where no label is called so: such a model cannot judge labels of one's own.
    """
    by_name = {name.lower(): at for at, name in labels.items()}
    follows = next((at for name, at in by_name.items() if name.startswith("entail")), None)
    against = next((at for name, at in by_name.items() if name.startswith(("contradict", "not_entail"))), None)
    return None if follows is None or against is None else (follows, against)


def each(labelling: Labelling, pieces: Sequence[str], stopped: Callable[[], bool]) -> Any:
    """Yield each piece's logits and weight, until the end or Stop."""
    for piece in pieces:
        if stopped():
            return
        yield labelling.logits(piece), labelling.weight(piece)
