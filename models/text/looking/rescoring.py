"""A text of one model scored by another with the same vocabulary: log-probabilities under both, and their divergence.

The divergence is that of Kullback & Leibler 1951, KL(writer ‖ reader), in bits per token.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.errors import BadInput
from models.events import Event
from models.text.looking import passes
from models.types import Output

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.spec import ModelSpec
    from models.text.kept import Kept
    from models.types import Request

_CHUNK = 64  # tokens whose distributions are in memory at a time
_LEAST = 1e-12  # the least probability of all tokens that are not named


def rescore(spec: ModelSpec, request: Request, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of one view, JSON.

    `{"pieces", "theirs", "ours", "kl", "rank", "bits": {"theirs", "ours", "kl"}, "whole"}`: of each token its text, the
    base-2 logarithm of its probability for the model that wrote it and for this one, KL(theirs ‖ ours) in bits and its
    rank here (from 1); `bits` are means per token (−log2 p). All before any setting, temperature included. Where
    `whole` is false the writer's distribution was kept in part, and `kl` is a lower bound. Raises `BadInput` for
    another vocabulary.
    """
    kept, ids, mark = passes.open_kept(spec, request, context)
    if not mark:
        raise BadInput("This text comes from an older version and lacks its vocabulary id. Run it again, then compare.")
    private = passes.private_copy(loaded.parts["model"])
    layers = _watched(spec, private)
    watch = passes.LayerWatch(context.stopped, len(layers))
    watch.attach(layers)
    rows: list[tuple[np.ndarray, ...]] = []

    def run() -> None:
        out = private(input_ids=torch.tensor([ids[:-1]]), use_cache=False, logits_to_keep=len(kept.ids))
        for at in range(0, len(kept.ids), _CHUNK):
            watch.check()
            rows.append(_compare(kept, out.logits[0, at : at + _CHUNK].float(), slice(at, at + _CHUNK)))

    for event in passes.follow_pass(run, watch):
        yield event
        if event.kind == "final":
            return
    theirs, ours, kl, rank = (np.concatenate(column) for column in zip(*rows, strict=True))
    pieces = passes.pieces_of(loaded, kept.ids.tolist())
    content = {
        "pieces": pieces, "theirs": _short(theirs), "ours": _short(ours), "kl": _short(kl), "rank": rank.tolist(),
        "bits": {"theirs": _mean(-theirs), "ours": _mean(-ours), "kl": _mean(kl)}, "whole": kept.columns is None,
    }  # fmt: skip
    data = json.dumps(content).encode()
    meta = {"what": "rescore", "tokens": len(pieces), "bits": content["bits"], "whole": content["whole"]}
    output = Output("view", 0, "", data, "application/json", hashlib.sha256(data).hexdigest(), meta)
    yield passes.final(output)


def _watched(spec: ModelSpec, model: Any) -> list[Any]:
    """Return the modules whose calls count as progress: the layers, or the head where there is no stack of them."""
    try:
        return passes.layers_of(spec, model)[1]
    except BadInput:
        return [model.get_output_embeddings()]


def _compare(kept: Kept, logits: torch.Tensor, part: slice) -> tuple[np.ndarray, ...]:
    """Return `theirs`, `ours`, `kl` (bits) and `rank` of some tokens; `logits` (tokens × vocabulary) are ours."""
    own = torch.from_numpy(kept.ids[part].astype(np.int64))[:, None]  # tokens × 1
    given = torch.from_numpy(kept.logits[part].astype(np.float32))  # tokens × named
    rank = 1 + (logits > logits.gather(1, own)).sum(-1)
    if kept.columns is None:
        # one output layer may be padded to a rounder size: no token has those columns
        width = min(given.shape[1], logits.shape[1])
        p, q = given[:, :width].log_softmax(-1), logits[:, :width].log_softmax(-1)
        theirs, ours = p.gather(1, own)[:, 0], q.gather(1, own)[:, 0]
    else:
        assert kept.rest is not None
        rest = torch.from_numpy(kept.rest[part])[:, None]
        columns = torch.from_numpy(kept.columns[part].astype(np.int64))
        p = torch.cat([given, rest], 1).log_softmax(-1)  # tokens × named and all others together
        full = logits.log_softmax(-1)
        named = full.gather(1, columns)
        left = (1 - named.exp().sum(-1, keepdim=True)).clamp(min=_LEAST).log()
        q = torch.cat([named, left], 1)
        same = torch.cat([columns == own, torch.ones_like(rest, dtype=torch.bool)], 1)
        theirs = p.gather(1, same.int().argmax(1)[:, None])[:, 0]  # of a token that was not kept, a bound: the others'
        ours = full.gather(1, own)[:, 0]
    kl = (p.exp() * (p - q)).nansum(-1).clamp(min=0)
    bits = 1 / np.log(2)
    return (theirs * bits).numpy(), (ours * bits).numpy(), (kl * bits).numpy(), rank.numpy()


def _short(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def _mean(values: np.ndarray) -> float:
    return round(float(values.mean()), 4)
