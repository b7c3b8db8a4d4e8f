"""Classifier-free guidance for text: away from the model's prediction without the prompt, or after a negative prompt.

Sanchez et al. 2023, "Stay on topic with classifier-free guidance", equation 7: u + scale × (c − u), c and u the
log-probabilities with and without the prompt. transformers has a processor for it,
`UnbatchedClassifierFreeGuidanceLogitsProcessor`; ours replaces it because that one does not expand the negative prompt
to a batch, keeps no recurrent state between steps (only `past_key_values`), computes logits of the whole negative
prompt, and does not support forced tokens. Where both can run they give the same; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F
from transformers import LogitsProcessor
from transformers.generation.utils import ALL_CACHE_NAMES


def mix(scores: torch.Tensor, other: torch.Tensor, scale: float) -> torch.Tensor:
    """Return guided log-probabilities from scores with the prompt and without it (… × vocabulary)."""
    with_prompt, without = F.log_softmax(scores, dim=-1), F.log_softmax(other, dim=-1)
    return scale * (with_prompt - without) + without


class Guidance(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Run the model on the answer after `negative` (ids) too, and mix both. `start` is the true prompt's length."""

    def __init__(self, model: Any, scale: float, negative: Sequence[int], start: int) -> None:
        self.negative = list(negative)
        self.scale = scale
        self._model = model
        self._start = start
        self._read = 0  # tokens of the answer that the model has read
        self._memory: dict[str, Any] = {}

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Take ids (rows × tokens) and scores (rows × vocabulary); return guided scores. Call it once per step."""
        answer = input_ids[:, self._start :]
        new = answer[:, self._read :]
        if not self._memory:
            before = torch.tensor([self.negative], device=input_ids.device).expand(len(input_ids), -1)
            new = torch.cat([before, answer], dim=1)
        keep = {"logits_to_keep": 1} if self._model._supports_logits_to_keep() else {}
        out = self._model(input_ids=new, use_cache=True, **self._memory, **keep)
        self._read = answer.shape[1]
        self._memory = {name: out[name] for name in ALL_CACHE_NAMES if name in out}
        return mix(scores, out.logits[:, -1].float(), self.scale)


def unprompted(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """Return the ids that stand for "no prompt": the start token, or the prompt's last token where there is none."""
    return [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else list(ids[-1:])
