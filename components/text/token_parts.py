"""What the components that draw a text token by token share: its look, going through it by keys, numbers as bytes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def encode(values: NDArray[np.uint8]) -> str:
    """Return bytes as base64 text, rows one after another."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def roots(shares: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return shares (0 … 1) as bytes, 255 times their square root: a small one keeps as many digits as a large one."""
    found: NDArray[np.uint8] = np.rint(np.sqrt(np.clip(shares.astype(np.float32), 0, 1)) * 255).astype(np.uint8)
    return found
