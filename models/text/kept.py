"""The record of one generated text: its logits and tokens, as the runs store it and the looks read it. No torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Kept:
    """Hold the record of one generated text.

    `logits` is float16, tokens × vocabulary, as the model gave them (after guidance, where there was any); `ids` int32,
    the tokens that were drawn; `prompt` int32. `seed` (int64, one) is the text's own, the request's plus its place
    among the variants; `end` (int32) the end tokens. Both are None in older
    records: the seed then counts as 0, and a schema cannot be replayed.

    Of a larger vocabulary `columns` (tokens × N) names the likeliest tokens, whose logits `logits` holds in falling
    order, and `rest` (float32, tokens) is the logarithm of the summed exponentials of all others.
    """

    logits: NDArray[np.float16]
    ids: NDArray[np.int32]
    prompt: NDArray[np.int32]
    columns: NDArray[np.int32] | None = None
    rest: Floats | None = None
    seed: NDArray[np.int64] | None = None
    end: NDArray[np.int32] | None = None


def pack(kept: Kept, vocabulary: str = "") -> bytes:
    """Return safetensors bytes; `vocabulary` is the fingerprint of the tokens' vocabulary.

    See `models.text.vocabulary`.
    """
    from safetensors.numpy import save

    parts = {field.name: getattr(kept, field.name) for field in fields(kept)}
    there = {name: np.ascontiguousarray(part) for name, part in parts.items() if part is not None}
    return bytes(save(there, metadata={"vocabulary": vocabulary} if vocabulary else None))


def unpack(data: bytes) -> Kept:
    """Undo `pack`."""
    from safetensors.numpy import load

    return Kept(**load(data))
