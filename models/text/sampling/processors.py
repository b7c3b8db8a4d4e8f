"""The stages as logits processors of `generate()`: transformers' own classes, and ours from numpy, in our order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from models.text.sampling import cuts, stages
from models.text.sampling.rows import Rows, softmax
from models.text.sampling.schema import Constraint
from models.text.sampling.spelling import Spelling


class TopP(TopPLogitsWarper):  # type: ignore[misc, unused-ignore]
    """Do as transformers' top-p does, to the bit, at a fraction of its time: the values are sorted, not their places.

    Only where scores at the edge are equal does their order count, and transformers' own code decides.
    """

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Take scores (rows × vocabulary); return them with the least likely ones forbidden."""
        rising = np.sort(scores.numpy(force=True), axis=-1)
        mass = torch.from_numpy(rising).softmax(dim=-1).cumsum(dim=-1).numpy()
        edge, least = np.float32(1 - self.top_p), []
        for row, held in zip(rising, mass, strict=True):
            count = min(int(np.searchsorted(held, edge, side="right")), len(row) - self.min_tokens_to_keep)
            if count and row[count - 1] == row[count]:
                return super().__call__(input_ids, scores)
            least.append(row[count])
        return scores.masked_fill(scores < scores.new_tensor(least)[:, None], self.filter_value)


_FROM_TRANSFORMERS = {
    "repetition_penalty": RepetitionPenaltyLogitsProcessor, "no_repeat_ngram_size": NoRepeatNGramLogitsProcessor,
    "temperature": TemperatureLogitsWarper, "top_k": TopKLogitsWarper, "top_p": TopP,
    "min_p": MinPLogitsWarper, "typical_p": TypicalLogitsWarper,
}  # fmt: skip


def build(
    params: Mapping[str, Any], start: int, seed: int, words: Spelling | None, constraint: Constraint | None = None,
    mu: float | None = None, ends: Sequence[int] = (),
) -> LogitsProcessorList:  # fmt: skip
    """Return the processors of all stages that act under these settings.

    `start` is the prompt's length in tokens; `seed` the request's; `mu` is mirostat's first bound where the
    answer's first tokens were given; `ends` are the ids that end a text or a line.
    """
    found = LogitsProcessorList()
    for name in stages.STAGES:
        if not stages.acts(name, params):
            continue
        if name in _FROM_TRANSFORMERS:
            found.append(_FROM_TRANSFORMERS[name](params[name]))
        elif name == "mirostat_tau":
            found.append(Mirostat(params, start, mu))
        else:
            if name in stages.WORDS and words is None:
                continue
            found.append(StageProcessor(stages.stage(name), params, start, seed, words, constraint, ends))
    return found


class StageProcessor(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Run one of our stages on a batch. It depends on the tokens so far alone, so repeated calls agree."""

    def __init__(
        self, stage: Callable[[Rows, Mapping[str, Any]], None], params: Mapping[str, Any], start: int, seed: int,
        words: Spelling | None, constraint: Constraint | None, ends: Sequence[int],
    ) -> None:  # fmt: skip
        self._stage = stage
        self._params = params
        self._start = start
        self._seed = seed
        self._words = words
        self._constraint = constraint
        self._ends = ends

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Take ids (rows × tokens) and scores (rows × vocabulary); return new scores."""
        rows = _rows(input_ids, scores, self._start)
        rows.seeds = self._seed + np.arange(len(rows.history), dtype=np.int64)
        rows.words = self._words
        rows.constraint = self._constraint
        rows.ends = self._ends
        self._stage(rows, self._params)
        return torch.from_numpy(rows.x).to(scores.device)


class Mirostat(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Remove surprising tokens, by a bound that each drawn token moves. Call it once per step, in order."""

    def __init__(self, params: Mapping[str, Any], start: int, mu: float | None) -> None:
        self._params = params
        self._start = start
        self._first = 2 * float(params["mirostat_tau"]) if mu is None else mu
        self._surprises: list[np.ndarray] = []  # of every token so far: bits, one per row
        self._last_p: np.ndarray | None = None  # the last step's probabilities
        self.bound: np.ndarray | None = None  # the last step's, one per row

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Take ids (rows × tokens) and scores (rows × vocabulary); return new scores."""
        rows = _rows(input_ids, scores, self._start)
        if self._last_p is not None:
            drawn = input_ids[:, -1].cpu().numpy()
            self._surprises.append(cuts.surprise(self._last_p, drawn))
        self._last_p = softmax(rows.x)
        moved = [
            cuts.bounds(np.array([step[row] for step in self._surprises]), self._params)[-1]
            for row in range(len(rows.history))
        ]
        rows.mu = self.bound = np.array(moved) - 2 * float(self._params["mirostat_tau"]) + self._first
        cuts.mirostat_tau(rows, self._params)
        return torch.from_numpy(rows.x).to(scores.device)


class LengthLimit(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Stop speculative decoding at max length: a model may have no positions beyond it.

    transformers calls the processors for each candidate token with constant scores, and drops candidates that they
    forbid. It does not limit candidates to `last`, the most tokens of prompt and text together.
    """

    def __init__(self, last: int) -> None:
        self._last = last

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Take ids (rows × tokens) and scores (rows × vocabulary); forbid all for a candidate beyond `last`."""
        if input_ids.shape[1] < self._last or not bool((scores == scores[:, :1]).all()):
            return scores
        return torch.full_like(scores, -torch.inf)


def _rows(input_ids: torch.Tensor, scores: torch.Tensor, start: int) -> Rows:
    x = scores.detach().to("cpu", torch.float32, copy=True).numpy()
    return Rows(x, list(input_ids.cpu().numpy()), start, x.shape[1])
