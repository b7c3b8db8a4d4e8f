"""Several texts through one language model at once, each with the numbers that it has alone, or nearly.

A small model of a known build is read by a lean step (`models.tokens.lean`), whose scores are near those of a single
run (`CLOSE`). For all others a matrix product of many rows, which rounds otherwise than that of one row, is avoided:
every linear layer multiplies row by row (a batched product over one shared matrix: the kernel of a single row, which
finds the matrix in the processor's cache), attention runs over texts of one length at a time, and what else a layer
does it does to each row by itself. The rest of a step, Python and the reading of the weights, is shared. Their numbers
are those of a single run, bit by bit. Whether this machine's kernels keep to either is looked at while the texts are
made; where the lean step does not, rows are multiplied one by one from then on, and where they do not, not at all.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, DynamicCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.pytorch_utils import Conv1D

from models.tokens import lean
from models.tokens.memory import Keys, State

ATTENTION = "row_by_row"
CLOSE = 1e-4  # how far scores that are not exact may lie from a single run's, but for a constant
_COPY, _UNLIKE, _ROUGH = "rows", "rows_unlike", "rows_rough"
_AT_ONCE_BYTES = 1_000_000  # of a matrix that all rows are multiplied with in turn: it stays in the cache


class _Linear(nn.Linear):
    """Multiply each row (batch × 1 × features) by itself."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override, unused-ignore]
        return _by_row(x, self.weight.t(), self.bias, super().forward)


class _Conv1D(Conv1D):  # type: ignore[misc, unused-ignore]
    """Do the same for GPT-2's linear layer, whose matrix is turned."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _by_row(x, self.weight, self.bias, super().forward)


_OURS: dict[type, type] = {nn.Linear: _Linear, Conv1D: _Conv1D}


def _by_row(x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor | None, usual: Any) -> torch.Tensor:
    """Return x × matrix + bias for x (batch × 1 × in) and a matrix (in × out)."""
    if x.dim() != 3 or x.shape[1] != 1 or len(x) == 1:
        out: torch.Tensor = usual(x)
        return out
    rows, (width, many) = len(x), matrix.shape
    step = max(64, _AT_ONCE_BYTES // (matrix.element_size() * width) // 64 * 64)
    parts = []
    for at in range(0, many, step):
        part = matrix[:, at : at + step].expand(rows, -1, -1)
        if bias is None:
            parts.append(torch.bmm(x, part))
        else:
            parts.append(torch.baddbmm(bias[at : at + step].expand(rows, 1, -1), x, part))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _attend(
    module: Any, query: torch.Tensor, key: Any, value: Any, attention_mask: Any, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    """Attend with rows × heads × 1 × width; keys and values come in groups of rows of one length."""
    found, at = [], 0
    for keys, values in zip(key, value, strict=True):
        found.append(sdpa_attention_forward(module, query[at : at + len(keys)], keys, values, None, **kwargs)[0])
        at += len(keys)
    return (found[0] if len(found) == 1 else torch.cat(found)), None


AttentionInterface.register(ATTENTION, _attend)


class Together:
    """Read prompts, and then one token of each row per step.

    `parts` hold the `model`, and keep a copy of it that shares its weights. `prompts` are ids, one list per row. `rows`
    names the rows that go on, by their index in `prompts`, in the order in which their scores stand; `scores` (float32,
    rows × vocabulary) are those of each row's next token. `exact` says whether they are those of a single run, bit by
    bit; else they are near them, see `CLOSE`.
    """

    def __init__(self, parts: dict[str, Any], prompts: Sequence[Sequence[int]], room: int) -> None:
        self._parts, self._model = parts, parts["model"]
        self._lean = None if parts.get(_ROUGH) else lean.step_of(self._model, max(map(len, prompts)) + room)
        self.exact = self._lean is None
        if self.exact and _COPY not in parts:
            parts[_COPY] = _row_by_row(self._model)
        self._rows: Any = parts.get(_COPY)
        self._keep = {"logits_to_keep": 1} if self._model._supports_logits_to_keep() else {}
        self.rows = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
        read: dict[tuple[int, ...], Any] = {}
        for ids in prompts:
            if tuple(ids) not in read:
                read[tuple(ids)] = self._read(ids)
        outs = [read[tuple(prompts[row])] for row in self.rows]
        self.scores = torch.cat([_last(out) for out in outs])
        self._memory: Any
        if is_recurrent(self._model):
            self._memory = State(outs)
        else:
            lengths = [len(prompts[row]) for row in self.rows]
            self._memory = Keys([out.past_key_values for out in outs], lengths, room)

    def step(self, tokens: Sequence[int], look: Sequence[int] = ()) -> bool:
        """Read one token of each row of `rows`. Rows named in `look` (places) are read alone too.

        Returns whether those gave the same numbers, bit by bit or nearly; where they did not, this model is not read
        together again, and what was made is to be made again alone.
        """
        ids = torch.tensor(tokens)[:, None]  # rows × 1
        alone = {
            row: _last(self._model(
                input_ids=ids[row : row + 1], use_cache=True, **self._memory.alone(row, self._model), **self._keep,
            ))
            for row in look
        }  # fmt: skip
        if self._lean is not None:
            self.scores = self._lean(ids, self._memory)
        else:
            out = self._rows(input_ids=ids, use_cache=True, **self._memory.given(), **self._keep)
            self._memory.take(out)
            self.scores = _last(out)
        alike = all(self._alike(scores[0], self.scores[row]) for row, scores in alone.items())
        if not alike:
            self._parts[_UNLIKE if self.exact else _ROUGH] = True
        return alike

    def _alike(self, alone: torch.Tensor, together: torch.Tensor) -> bool:
        if self.exact:
            return bool(torch.equal(alone, together))
        shift = (together - alone).mean()  # changes no probability
        return bool(torch.allclose(together - shift, alone, rtol=1e-6, atol=CLOSE))

    def drop(self, places: Sequence[int]) -> None:
        """Let the rows at these places end."""
        left = [place for place in range(len(self.rows)) if place not in places]
        if left:
            self._memory.keep(left)
        self.rows = [self.rows[place] for place in left]

    def _read(self, ids: Sequence[int]) -> Any:
        """Read a prompt as `generate()` does."""
        given = torch.tensor([list(ids)])  # 1 × tokens
        more: dict[str, Any] = {}
        if not is_recurrent(self._model):
            more = {"past_key_values": DynamicCache(config=self._model.config),
                    "position_ids": torch.arange(given.shape[1])[None]}  # fmt: skip
        return self._model(
            input_ids=given, attention_mask=torch.ones_like(given), use_cache=True, **more, **self._keep
        )  # fmt: skip


def is_recurrent(model: Any) -> bool:
    """Say whether a model carries a state and keeps no keys."""
    return bool(getattr(model, "_is_stateful", False))


def can_read(parts: dict[str, Any]) -> bool:
    """Say whether several texts may go through a loaded model at once: on this machine its rows are alike so far."""
    model = parts["model"]
    if parts.get(_UNLIKE) or model.device.type != "cpu" or model.dtype != torch.float32:
        return False
    if is_recurrent(model):
        return hasattr(model, "lstm")
    if model.config._attn_implementation != "sdpa" or not model._supports_default_dynamic_cache():
        return False
    return not any(DynamicCache(config=model.config).is_sliding)


def _row_by_row(model: Any) -> Any:
    """Return a copy of a model that shares its weights and reads row by row."""
    shared = {id(one): one for one in (*model.parameters(), *model.buffers())}
    made = copy.deepcopy(model, shared)
    for module in made.modules():
        if type(module) in _OURS:
            module.__class__ = _OURS[type(module)]
    if not is_recurrent(model):
        made.config._attn_implementation = ATTENTION
    return made


def _last(out: Any) -> torch.Tensor:
    """Return the scores of the next token, as `generate()` takes them (float32, rows × vocabulary)."""
    scores: torch.Tensor = out.logits[:, -1, :].to(copy=True, dtype=torch.float32)
    return scores
