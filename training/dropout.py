"""Drop values of a Transformer's residual branches while it trains (Srivastava et al. 2014; Vaswani et al. 2017, 5.4).

`LlamaForCausalLM` has dropout in its attention alone. Hooks add it where a block writes to the residual stream: they
are no part of the config or of the weights, so that what is saved is a plain Llama.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F


def drop_residuals(model: Any, share: float) -> None:
    """Let a Llama drop this share (0 … 1) of what its attention and its MLP add, in training mode alone."""

    def drop(module: torch.nn.Module, _: Any, out: torch.Tensor) -> torch.Tensor:
        return F.dropout(out, share, module.training)

    if share:
        for layer in model.model.layers:
            layer.self_attn.o_proj.register_forward_hook(drop)
            layer.mlp.down_proj.register_forward_hook(drop)
