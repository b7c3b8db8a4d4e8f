"""A recurrent model's hidden and cell state (Hochreiter & Schmidhuber 1997) after each token of a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.errors import BadInput
from models.events import Event, Final, Progress
from models.text.looking import passes

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.spec import ModelSpec
    from models.types import Request

UNITS = 64
_EVERY = 16  # tokens between two `Progress` events


def state(spec: ModelSpec, request: Request, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of one view.

    Its parts, for L layers and the last N tokens, hidden state first and cell state second: `state` (float16, L × 2 ×
    units × N: in each layer the units that vary most), `units` (int16, their numbers) and `change` (float32,
    L × 2 × N: root mean square change by each token, over all units).
    """
    kept, ids, _ = passes.open_kept(spec, request, context)
    model = loaded.parts["model"]
    start = max(0, len(ids) - passes.TOKENS_MAX)
    held = None
    steps: list[torch.Tensor] = []
    changes: list[torch.Tensor] = []
    last: torch.Tensor | None = None
    for place, token in enumerate(ids):
        if context.stopped():
            yield Final((), {"stopped": True})
            return
        if place % _EVERY == 0:
            yield Progress("tokens", place, len(ids), unit="tokens")
        with torch.inference_mode():
            held = model(input_ids=torch.tensor([[token]]), state=held, use_cache=True).state
            if held is None:
                raise BadInput(f"{spec.id} gives no recurrent state to show.")
            now = torch.stack(held, 1)[:, :, 0].float()  # layers × 2 × units
        if place >= start:
            before = torch.zeros_like(now) if last is None else last
            steps.append(now)
            changes.append((now - before).square().mean(-1).sqrt())
        last = now
    whole = torch.stack(steps, -1)  # layers × 2 × units × tokens
    count = min(UNITS, whole.shape[2])
    units = whole.var(-1, correction=0).topk(count, dim=-1).indices  # layers × 2 × count
    chosen = whole.gather(2, units[..., None].expand(*units.shape, whole.shape[-1]))
    parts = {"state": chosen.half().numpy(), "units": units.to(torch.int16).numpy(),
             "change": torch.stack(changes, -1).numpy().astype(np.float32)}  # fmt: skip
    meta = {"what": "state", "layers": len(whole), "units": whole.shape[2],
            "pieces": passes.pieces_of(loaded, ids)[start:], **passes.where(ids, kept, start)}  # fmt: skip
    notes = [f"The text has {len(ids):,} tokens; its last {len(steps):,} are shown."] if start else []
    yield passes.final(passes.view(parts, meta), notes)
