"""Keep a language model's raw logits while it writes, for the microscope."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from models.sampling.microscope import Kept, pack
from models.types import Output

KEPT_BYTES = 64_000_000  # of all texts of one run together


class Keeper:
    """Take every step's logits (rows × vocabulary) as float16, in full or the likeliest of a large vocabulary."""

    def __init__(self, rows: int, total: int, vocabulary: int) -> None:
        whole = rows * total * vocabulary * 2 <= KEPT_BYTES
        # float16 and an id each, and the rest's mass
        self.count = None if whole else max(1, min(vocabulary, KEPT_BYTES // (rows * total * 6)))
        self._steps: list[np.ndarray] = []
        self._columns: list[np.ndarray] = []
        self._rest: list[np.ndarray] = []

    def read(self, model: Any, ids: Sequence[int], forced: Sequence[int]) -> None:
        """Take the logits of the tokens that an answer has to begin with, in one forward pass over prompt and them."""
        if forced:
            given = torch.tensor([[*ids, *forced[:-1]]])  # 1 × tokens
            logits = model(input_ids=given, use_cache=False, logits_to_keep=len(forced)).logits[0, -len(forced) :]
            for one in logits:  # 1 × vocabulary a token
                self._take(_small(one[None]))

    @contextmanager
    def listening(self, model: Any) -> Iterator[None]:
        """Take what leaves the model's last layer; the model itself goes on with it as it is."""

        def hook(layer: Any, given: Any, out: torch.Tensor) -> None:
            self._take(_small(out[:, -1]))

        handle = model.get_output_embeddings().register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    def _take(self, logits: torch.Tensor) -> None:
        if self.count is None:
            self._steps.append(logits.numpy())
            return
        best = logits.float().topk(self.count, dim=-1)
        others = logits.float().scatter(-1, best.indices, -torch.inf)
        self._steps.append(best.values.half().numpy())
        self._columns.append(best.indices.int().numpy())
        self._rest.append(others.logsumexp(-1).numpy())

    def kept(self, row: int, prompt: Sequence[int], ids: Sequence[int]) -> Kept | None:
        """Return what was kept of one row's tokens `ids`, or None where there is none."""
        count = min(len(ids), len(self._steps))
        if not count:
            return None
        logits = self._row(self._steps, row, count)
        drawn, before = np.array(ids[:count], np.int32), np.array(prompt, np.int32)
        if self.count is None:
            return Kept(logits, drawn, before)
        columns = self._row(self._columns, row, count)
        rest = self._row(self._rest, row, count).astype(np.float32)
        return Kept(logits, drawn, before, columns, rest)

    @staticmethod
    def _row(steps: list[np.ndarray], row: int, count: int) -> np.ndarray:
        # what all rows begin with was read once
        return np.stack([step[row if len(step) > row else 0] for step in steps[:count]])


def _small(logits: torch.Tensor) -> torch.Tensor:
    return logits.clamp(-65_000, 65_000).half()


def kept_outputs(
    keeper: Keeper, prompt: Sequence[int], drawn: Sequence[Sequence[int]], forced: int = 0, vocabulary: str = ""
) -> Iterator[Output]:
    """Yield what was kept of each text as an output for looking into it; the first `forced` tokens were given.

    Its `meta` says `what` ("logits"), the tokens' `ids`, `forced`, and whether the `whole` vocabulary was kept;
    `vocabulary` is its tokens' fingerprint.
    """
    for index, ids in enumerate(drawn):
        kept = keeper.kept(index, prompt, ids)
        if kept is None:
            continue
        data = pack(kept, vocabulary)
        meta = {"what": "logits", "ids": kept.ids.tolist(), "forced": forced, "whole": kept.columns is None}
        yield Output("view", index, "", data, "application/safetensors", hashlib.sha256(data).hexdigest(), meta)
