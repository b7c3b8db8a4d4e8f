"""One token of several rows through a small language model, in as few calls as it takes: all rows multiply at once.

transformers' forward spends more of a step on its Python than on arithmetic where a model is small, and a plain matrix
product of a few rows is no faster than as many products of one. Here the weights are packed once for the kernel that
reads few rows best (oneDNN's), queries, keys and values are one product, as are gate and up, and keys are written in
place. Rows do not touch one another, but the order of sums is another than that of a single run: scores differ from it
by some 1e-6. Nets built like Llama's and our LSTM are read so; a property test compares both with their own forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F
from transformers import LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM

from models.tokens.memory import Keys, State

MOST_BYTES = 100_000_000  # of weights: packing takes as much again, and a large model's arithmetic outweighs its Python
_LIKE_LLAMA = (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM)
# of their angles a table can be made: they do not depend on how long the text is
_STEADY_ROPE = ("default", "linear", "llama3", "yarn")
_ROWS = 8  # that the packing is made for; others work too

Linear = Callable[[torch.Tensor], torch.Tensor]


class LlamaStep:
    """Read one token of each row (ids: int64, rows × 1) of `keys`; return float32 scores (rows × vocabulary).

    The net of Touvron et al. 2023 as transformers has it: RMS norm, rotary positions, grouped queries, gated MLP. The
    width of a head is `d`, all tensors are rows × width.
    """

    def __init__(self, model: Any, most: int) -> None:
        """Pack the weights of a model whose texts have at most so many tokens."""
        body = model.model
        first = body.layers[0].self_attn
        self._d = first.head_dim
        self._groups = first.num_key_value_groups
        self._embedding = body.embed_tokens.weight
        angles = body.rotary_emb(self._embedding, torch.arange(most)[None])  # cos and sin, 1 × most × d each
        self._cos, self._sin = (one[0, :, None].clone() for one in angles)  # most × 1 × d
        self._sin[..., : self._d // 2].neg_()  # the sign of the half that changes places
        self._layers = [_Layer(one) for one in body.layers]
        self._last, self._head = body.norm.variance_epsilon, packed([model.lm_head], norm=body.norm)

    def __call__(self, ids: torch.Tensor, keys: Keys) -> torch.Tensor:
        """Read one token of each row."""
        at = torch.tensor(keys.lengths)
        x = F.embedding(ids[:, 0], self._embedding)
        cos, sin = self._cos[at], self._sin[at]  # rows × 1 × d
        for index, layer in enumerate(self._layers):
            heads = layer.qkv(_normed(x, layer.before)).view(len(x), -1, self._d)  # rows × (q, k, v) × d
            kept = heads.shape[1] // (self._groups + 2)  # heads of keys, as many of values
            turned, value = heads[:, :-kept], heads[:, -kept:]
            turned = torch.addcmul(turned * cos, turned.roll(self._d // 2, -1), sin)
            query, key = turned[:, :-kept], turned[:, -kept:]
            x = x + layer.out(self._attend(keys, index, query, key, value))
            gate, up = layer.gate_up(_normed(x, layer.between)).chunk(2, dim=-1)
            x = x + layer.down(layer.act(gate) * up)
        for group in keys.groups:
            group.length += 1
        return self._head(_normed(x, self._last))

    def _attend(
        self, keys: Keys, index: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
    ) -> torch.Tensor:
        """Write keys and values of this position, and attend: rows × (heads · d). Queries are scaled already."""
        found, at = [], 0
        for group in keys.groups:
            mine, end = slice(at, at + group.rows), group.length
            at += group.rows
            held, said = group.keys[index], group.values[index]  # rows × kept heads × room × d
            held[:, :, end], said[:, :, end] = key[mine], value[mine]
            held, said = held.flatten(0, 1)[:, : end + 1], said.flatten(0, 1)[:, : end + 1]
            q = query[mine].reshape(-1, self._groups, self._d)  # (rows · kept heads) × groups × d
            weights = torch.bmm(q, held.transpose(1, 2)).softmax(-1)
            found.append(torch.bmm(weights, said).view(group.rows, -1))
        return found[0] if len(found) == 1 else torch.cat(found)


class _Layer:
    """Hold one layer's packed weights; queries come out scaled."""

    def __init__(self, layer: Any) -> None:
        heads, mlp = layer.self_attn, layer.mlp
        before, between = layer.input_layernorm, layer.post_attention_layernorm
        self.before, self.between = before.variance_epsilon, between.variance_epsilon
        self.qkv = packed([heads.q_proj, heads.k_proj, heads.v_proj], [heads.scaling, 1.0, 1.0], before)
        self.out, self.down = packed([heads.o_proj]), packed([mlp.down_proj])
        self.gate_up, self.act = packed([mlp.gate_proj, mlp.up_proj], norm=between), mlp.act_fn


class LSTMStep:
    """Read one token of each row (ids: int64, rows × 1) of `state`; return float32 scores (rows × vocabulary).

    Hochreiter & Schmidhuber 1997, as `torch.nn.LSTM` has it; see `models.tokens.lstm`.
    """

    def __init__(self, model: Any, most: int) -> None:
        """Pack the weights of a model."""
        lstm = model.lstm
        self._embedding = model.embed.weight
        self._layers = [
            _linear(
                torch.cat([getattr(lstm, f"weight_{one}_l{at}") for one in ("ih", "hh")], dim=1),
                getattr(lstm, f"bias_ih_l{at}") + getattr(lstm, f"bias_hh_l{at}"),
            )
            for at in range(lstm.num_layers)
        ]  # (input + hidden) → 4 · hidden
        self._down, self._head = packed([model.down]), packed([model.lm_head])

    def __call__(self, ids: torch.Tensor, state: State) -> torch.Tensor:
        """Read one token of each row."""
        x = F.embedding(ids[:, 0], self._embedding)
        hidden, cell = [], []
        for gates, h, c in zip(self._layers, *state.tensors, strict=True):
            enter, forget, new, leave = gates(torch.cat([x, h], dim=-1)).chunk(4, dim=-1)
            c = torch.addcmul(forget.sigmoid() * c, enter.sigmoid(), new.tanh())
            x = leave.sigmoid() * c.tanh()
            hidden.append(x)
            cell.append(c)
        state.tensors = (torch.stack(hidden), torch.stack(cell))
        return self._head(self._down(x))


def step_of(model: Any, most: int) -> LlamaStep | LSTMStep | None:
    """Return a model's lean step for texts of at most so many tokens, None where there is none for it."""
    if sum(one.numel() * one.element_size() for one in model.parameters()) > MOST_BYTES:
        return None
    if type(model) in _LIKE_LLAMA:
        rope = getattr(model.model.rotary_emb, "rope_type", "")
        return LlamaStep(model, most) if rope in _STEADY_ROPE else None
    return LSTMStep(model, most) if hasattr(model, "lstm") else None


def packed(layers: list[Any], scales: list[float] | None = None, norm: Any = None) -> Linear:
    """Return one product for several linear layers of the same input, each times its scale, behind a norm's weight."""
    by = scales or [1.0] * len(layers)
    weight = torch.cat([layer.weight * scale for layer, scale in zip(layers, by, strict=True)])
    if norm is not None:
        weight = weight * norm.weight
    if all(layer.bias is None for layer in layers):
        return _linear(weight, None)
    biases = [torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias for layer in layers]
    return _linear(weight, torch.cat([bias * scale for bias, scale in zip(biases, by, strict=True)]))


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    """Return x → x · weightᵀ + bias, packed where this build of torch can."""
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        held = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        multiply = torch.ops.mkldnn._linear_pointwise
        return lambda x: multiply(x, held, bias, "none", [], "")
    return lambda x: F.linear(x, weight, bias)


def _normed(x: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return x over its root mean square; the norm's own weight is part of the product that follows."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)
