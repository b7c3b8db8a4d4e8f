"""The attention weights of every head on a finished text (Vaswani et al. 2017), from an eager copy of the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.errors import BadInput
from models.events import Event
from models.text.looking import passes

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.spec import ModelSpec
    from models.types import Request

BYTES_MAX = 16_000_000  # of a view: of a long text in a large model only the end is shown
THUMB = 24  # side of a head's thumbnail, in tokens


def attention(spec: ModelSpec, request: Request, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of one view.

    Its parts, for L layers, H heads and the last N tokens: `attention` (float16, L × H × N × N, row looks at column),
    `before` (float16, L × H × N: what went to tokens before those shown), `means` (float16, L + 1 × N × N: of each
    layer's heads, and last of all) and `thumbs` (uint8, L × H × side × side, the root of the largest in each field).
    """
    kept, ids, _ = passes.open_kept(spec, request, context)
    private = passes.private_copy(loaded.parts["model"])
    _, layers = passes.layers_of(spec, private)
    heads = int(private.config.get_text_config().num_attention_heads)
    shown = min(len(ids), passes.TOKENS_MAX, tokens_max(len(layers), heads))
    start = len(ids) - shown
    watch = passes.LayerWatch(context.stopped, len(layers) * (2 if start else 1))
    watch.attach(layers)
    recorder = _WeightRecorder(shown)

    def run() -> None:
        past = None
        if start:  # tokens that are not shown need no weights, which would be large
            past = private(input_ids=torch.tensor([ids[:start]]), use_cache=True, logits_to_keep=1).past_key_values
        private.set_attn_implementation("eager")
        for layer in layers:
            recorder.attach(layer)
        private(
            input_ids=torch.tensor([ids[start:]]), past_key_values=past, use_cache=bool(start), logits_to_keep=1
        )  # fmt: skip

    for event in passes.follow_pass(run, watch):
        yield event
        if event.kind == "final":
            return
    if len(recorder.weights) != len(layers) or len({one.shape for one in recorder.weights}) > 1:
        raise BadInput(f"{spec.id} does not expose attention weights, so there is nothing to show.")
    weights = np.stack(recorder.weights)  # layers × heads × tokens × tokens
    means = np.stack(recorder.means)  # layers × tokens × tokens
    parts = {
        "attention": weights, "before": np.stack(recorder.before), "thumbs": np.stack(recorder.thumbs),
        "means": np.concatenate([means, means.mean(0, keepdims=True)]).astype(np.float16),
    }  # fmt: skip
    meta = {"what": "attention", "layers": len(layers), "heads": weights.shape[1],
            "pieces": passes.pieces_of(loaded, ids)[start:], **passes.where(ids, kept, start)}  # fmt: skip
    notes = [f"The text has {len(ids):,} tokens; the attention of its last {shown:,} is shown."] if start else []
    yield passes.final(passes.view(parts, meta), notes)


def tokens_max(layers: int, heads: int) -> int:
    """Return how many tokens fit into a view of this many layers and heads."""
    return int((BYTES_MAX / 2 / (layers * (heads + 1) + 1)) ** 0.5)


class _WeightRecorder:
    """Record each layer's attention weights in a small form, and keep no reference to the large ones."""

    def __init__(self, shown: int) -> None:
        self.shown = shown
        self.weights: list[np.ndarray] = []
        self.before: list[np.ndarray] = []
        self.means: list[np.ndarray] = []
        self.thumbs: list[np.ndarray] = []

    def attach(self, layer: nn.Module) -> None:
        """Register hooks on the parts of a layer: one of them returns attention weights beside its output."""
        for part in layer.children():
            part.register_forward_hook(self._record)

    def _record(self, part: nn.Module, given: Any, out: Any) -> None:
        found = out[1] if isinstance(out, tuple) and len(out) > 1 else None
        if not isinstance(found, torch.Tensor) or found.dim() != 4 or found.shape[2] != self.shown:
            return
        weights = found[0].float()  # heads × tokens × tokens read
        near = weights[..., -self.shown :]
        self.weights.append(near.half().numpy())
        self.before.append(weights[..., : -self.shown].sum(-1).half().numpy())
        self.means.append(near.mean(0).numpy())
        small = F.adaptive_max_pool2d(near, min(THUMB, self.shown)).sqrt()
        self.thumbs.append((small * 255).round().to(torch.uint8).numpy())
