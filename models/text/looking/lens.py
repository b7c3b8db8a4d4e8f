"""The logit lens (nostalgebraist 2020): each layer's hidden state decoded by the final norm and the output head."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from models.errors import BadInput
from models.events import Event, Final, Progress
from models.text.looking import passes

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.spec import ModelSpec
    from models.types import Request

LIKELIEST = 5
_CHUNK = 64  # positions whose logits are in memory at a time
_CHECKED = 8  # positions at which the last layer must give the model's own logits


def lens(spec: ModelSpec, request: Request, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of one view.

    Its parts, for L layers, the embedding before them as row 0, and the last N tokens that have one before them: `top`
    (int32, L + 1 × N × `LIKELIEST`: the likeliest next tokens) and `top_p` (float16), `came_p` (float32, L + 1 × N: the
    probability of the token that followed) and `rank` (int32, from 1), and `words`, the texts of all named tokens as
    JSON bytes. Raises `BadInput` for a model whose logits are not those of norm and head on its last layer.
    """
    kept, ids, _ = passes.open_kept(spec, request, context)
    private = passes.private_copy(loaded.parts["model"])
    parent, layers = passes.layers_of(spec, private)
    start = max(0, len(ids) - 1 - passes.TOKENS_MAX)
    recorder = _StateRecorder(parent, layers, start)
    watch = passes.LayerWatch(context.stopped, len(layers))
    watch.attach(layers)
    own: list[torch.Tensor] = []

    def run() -> None:
        out = private(input_ids=torch.tensor([ids[:-1]]), use_cache=False, logits_to_keep=_CHECKED)
        own.append(out.logits[0].float())  # positions × vocabulary

    for event in passes.follow_pass(run, watch):
        yield event
        if event.kind == "final":
            return
    head = private.get_output_embeddings()
    came = torch.tensor(ids[start + 1 :])
    rows: list[tuple[np.ndarray, ...]] = []
    if not _head_reproduces(recorder, len(layers), head, own[0]):
        raise BadInput(
            f"The logit lens needs one final norm and one output head, as in Llama, GPT-2 and Qwen; {spec.id} is built "
            "differently."
        )
    for done, state in enumerate(recorder.states):
        if context.stopped():
            yield Final((), {"stopped": True})
            return
        yield Progress("read", done, len(recorder.states))
        rows.append(_row(recorder, state, head, came))
    top, top_p, came_p, rank = (np.stack(column) for column in zip(*rows, strict=True))
    named = np.unique(top).tolist()
    words = dict(zip(named, passes.pieces_of(loaded, named), strict=True))
    parts = {"top": top, "top_p": top_p, "came_p": came_p, "rank": rank,
             "words": np.frombuffer(json.dumps(words).encode(), np.uint8)}  # fmt: skip
    meta = {"what": "lens", "layers": len(layers), "pieces": passes.pieces_of(loaded, ids)[start + 1 :],
            "settled": settled(top[..., 0]), **passes.where(ids, kept, start + 1)}  # fmt: skip
    notes = [f"The text has {len(ids):,} tokens; its last {len(came):,} are shown."] if start else []
    yield passes.final(passes.view(parts, meta), notes)


@torch.inference_mode()
def _head_reproduces(recorder: _StateRecorder, layers: int, head: nn.Module, own: torch.Tensor) -> bool:
    """Say whether norm and head turn the last layer's state into the model's own logits."""
    if len(recorder.states) != layers + 1:
        return False
    last = recorder.read(recorder.states[-1][-_CHECKED:], head)
    own = own[-len(last) :]
    return last.shape == own.shape and bool(torch.allclose(last, own, rtol=1e-3, atol=1e-3))


def settled(best: np.ndarray) -> list[int]:
    """Return, per position, the layer from which on the likeliest token (layers × positions) is the last layer's."""
    same = best == best[-1]  # layers × positions
    found: list[int] = np.flip(np.flip(same, 0).cumprod(0), 0).argmax(0).tolist()
    return found


@torch.inference_mode()
def _row(recorder: _StateRecorder, state: torch.Tensor, head: nn.Module, came: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Return a layer's `top`, `top_p`, `came_p` and `rank`."""
    tops, chances, drawn, ranks = [], [], [], []
    for at in range(0, len(state), _CHUNK):
        p = recorder.read(state[at : at + _CHUNK], head).softmax(-1)  # positions × vocabulary
        best = p.topk(min(LIKELIEST, p.shape[1]), dim=-1)
        own = p.gather(1, came[at : at + _CHUNK, None])  # positions × 1
        tops.append(best.indices.int())
        chances.append(best.values.half())
        drawn.append(own[:, 0])
        ranks.append((1 + (p > own).sum(-1)).int())
    return tuple(torch.cat(parts).numpy() for parts in (tops, chances, drawn, ranks))


class _StateRecorder:
    """Record the first layer's input and each layer's output (tokens × width), and the modules after the last layer."""

    def __init__(self, parent: nn.Module, layers: list[nn.Module], start: int) -> None:
        self.states: list[torch.Tensor] = []
        self.tail: list[nn.Module] = []
        self._count = len(layers) + 1

        def enter(layer: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            first = args[0] if args else named["hidden_states"]
            self.states.append(first[0, start:].float())

        def leave(layer: nn.Module, given: Any, out: Any) -> None:
            self.states.append((out[0] if isinstance(out, tuple) else out)[0, start:].float())

        def after(module: nn.Module, given: Any, out: Any) -> None:
            if len(self.states) == self._count and isinstance(out, torch.Tensor):
                self.tail.append(module)

        layers[0].register_forward_pre_hook(enter, with_kwargs=True)
        for layer in layers:
            layer.register_forward_hook(leave)
        for module in parent.children():
            if not isinstance(module, nn.ModuleList):
                module.register_forward_hook(after)

    def read(self, state: torch.Tensor, head: nn.Module) -> torch.Tensor:
        """Return the logits (float32) of a hidden state: the modules after the last layer, then the head."""
        weight = next(head.parameters())
        out = state.to(weight.dtype)
        for module in list(self.tail):
            out = module.forward(out)
        logits: torch.Tensor = head(out)
        return logits.float()
