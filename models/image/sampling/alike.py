"""Say whether pictures of one prompt are nearly the same over seeds: then one was remembered, not many composed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 8  # px: what is compared is small, so that an edge moved by a pixel is no difference
NEAR = 0.05  # RMS, of black to white; emoji-diffusion's red heart lies at 0.02, its octopus above 0.1
REMEMBERED = (
    "These images are nearly the same over seeds: the model remembered one picture for this prompt (memorised) and did "
    "not compose new ones."
)


def remembered(pictures: Sequence[NDArray[np.uint8]]) -> bool:
    """Say of two or more pictures (height × width × 3) of different seeds whether all are near copies of one."""
    if len(pictures) < 2:
        return False
    small = [
        np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
        for one in pictures
    ]
    return all(float(np.sqrt(np.square(one - other).mean())) <= NEAR for one, other in combinations(small, 2))
