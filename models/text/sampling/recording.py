"""Record a language model's logits while it generates, for the microscope."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor

from models.text.kept import Kept, pack
from models.text.sampling.guidance import Guidance, mix
from models.types import SEED_MAX, Output

KEPT_BYTES = 64_000_000  # of all texts of one run together


class LogitsRecorder(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Record each position's logits (rows × vocabulary) as float16, in full or the largest of a large vocabulary.

    A logits processor after guidance and before all stages, which returns the scores unchanged. `start` is the prompt's
    length. Speculative decoding calls it more than once for a position, the last time for the accepted token: the last
    call counts. `end_ids` and `seed` are stored with the text.
    """

    def __init__(
        self, rows: int, total: int, vocabulary: int, start: int, seed: int = 0, end_ids: Collection[int] = ()
    ) -> None:
        whole = rows * total * vocabulary * 2 <= KEPT_BYTES
        # float16 and an id (int32) for each
        self.count = None if whole else max(1, min(vocabulary, KEPT_BYTES // (rows * total * 6)))
        self._start = start
        self._seed = seed
        self._end = np.array(sorted(end_ids), np.int32)
        self._steps: dict[int, np.ndarray] = {}  # by position in the answer
        self._columns: dict[int, np.ndarray] = {}
        self._rest: dict[int, np.ndarray] = {}

    def read(self, model: Any, ids: Sequence[int], forced: Sequence[int], guidance: Guidance | None = None) -> None:
        """Record the logits of forced tokens, in one forward pass over prompt and forced tokens."""
        if not forced:
            return
        logits = _logits_of(model, ids, forced)
        if guidance is not None:
            logits = mix(logits, _logits_of(model, guidance.negative, forced), guidance.scale)
        for at, one in enumerate(logits):
            self._take(at, _as_half(one[None]))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Record the scores of the token after `input_ids` (rows × tokens); return them."""
        self._take(input_ids.shape[1] - self._start, _as_half(scores))
        return scores

    def _take(self, at: int, logits: torch.Tensor) -> None:
        if self.count is None:
            self._steps[at] = logits.numpy()
            return
        best = logits.float().topk(self.count, dim=-1)
        others = logits.float().scatter(-1, best.indices, -torch.inf)
        self._steps[at] = best.values.half().numpy()
        self._columns[at] = best.indices.int().numpy()
        self._rest[at] = others.logsumexp(-1).numpy()

    def kept(self, row: int, prompt: Sequence[int], ids: Sequence[int]) -> Kept | None:
        """Return the record of one row's tokens `ids`, or None where there is none."""
        count = min(len(ids), len(self._steps))
        if not count:
            return None
        logits = self._row(self._steps, row, count)
        drawn, before = np.array(ids[:count], np.int32), np.array(prompt, np.int32)
        seed = np.array([(self._seed + row) % (SEED_MAX + 1)], np.int64)
        if self.count is None:
            return Kept(logits, drawn, before, seed=seed, end=self._end)
        columns = self._row(self._columns, row, count)
        rest = self._row(self._rest, row, count).astype(np.float32)
        return Kept(logits, drawn, before, columns, rest, seed, self._end)

    @staticmethod
    def _row(steps: dict[int, np.ndarray], row: int, count: int) -> np.ndarray:
        # forced tokens are the same in all rows and were read once
        return np.stack([step[row if len(step) > row else 0] for step in (steps[at] for at in range(count))])


def _logits_of(model: Any, ids: Sequence[int], forced: Sequence[int]) -> torch.Tensor:
    """Return the logits of each of `forced` after `ids` (tokens × vocabulary)."""
    given = torch.tensor([[*ids, *forced[:-1]]], device=model.device)  # 1 × tokens
    logits: torch.Tensor = model(input_ids=given, use_cache=False, logits_to_keep=len(forced)).logits[0, -len(forced) :]
    return logits


def _as_half(logits: torch.Tensor) -> torch.Tensor:
    return logits.clamp(-65_000, 65_000).half().cpu()


def kept_outputs(
    recorder: LogitsRecorder,
    prompt: Sequence[int],
    drawn: Sequence[Sequence[int]],
    forced: int = 0,
    vocabulary: str = "",
) -> Iterator[Output]:
    """Yield each text's recorded logits as an output of kind "view"; the first `forced` tokens were given.

    Its `meta` says `what` ("logits"), the tokens' `ids`, `forced`, and whether the `whole` vocabulary was kept;
    `vocabulary` is its tokens' fingerprint.
    """
    for index, ids in enumerate(drawn):
        kept = recorder.kept(index, prompt, ids)
        if kept is None:
            continue
        data = pack(kept, vocabulary)
        meta = {"what": "logits", "ids": kept.ids.tolist(), "forced": forced, "whole": kept.columns is None}
        yield Output("view", index, "", data, "application/safetensors", hashlib.sha256(data).hexdigest(), meta)
