"""Compare a text that was written beside others with the one that was written alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.text.kept import unpack
from models.types import Output

NEAR = 1e-4  # of a logit


def check_same(found: Sequence[Output], alone: Sequence[Output]) -> None:
    """Hold that every file is the same byte for byte, but for the logits: those up to two units of their float16."""
    assert [_told(one) for one in found] == [_told(one) for one in alone]
    for one, other in zip(found, alone, strict=True):
        if one.kind != "view":
            assert (one.data, one.sha256) == (other.data, other.sha256)
            continue
        mine, its = unpack(one.data), unpack(other.data)
        for name in ("ids", "prompt", "columns", "seed", "end"):
            assert np.array_equal(getattr(mine, name), getattr(its, name)), name
        unit = np.spacing(np.maximum(np.abs(mine.logits), np.abs(its.logits))).astype(np.float32)
        with np.errstate(invalid="ignore"):
            off = np.abs(mine.logits.astype(np.float32) - its.logits.astype(np.float32))
        assert (off <= 2 * unit + NEAR)[np.isfinite(off)].all()


def _told(one: Output) -> tuple[object, ...]:
    return one.kind, one.index, one.text, one.meta, one.media_type
