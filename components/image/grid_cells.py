"""A picture as the cell of a grid, and the difference of two pictures."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.modality import Tile
from models.types import Output

SIDE_PX = 192  # of a cell; larger pictures are made smaller
PIXELS_PX = 128  # pictures up to this side show their pixels
GAIN = 3  # of a difference: one of 85 of 255 is black


def tile(output: Output, read: Callable[[Output], bytes]) -> Tile:
    """Return a picture as a cell."""
    picture = _opened(read(output))
    small = max(picture.size) <= PIXELS_PX
    return Tile("seen", data=_png(picture), media_type="image/png", small=small)


def difference(reference: Output, output: Output, read: Callable[[Output], bytes]) -> Tile:
    """Return where a picture differs from another one: white where it does not, the darker the more."""
    picture = _opened(read(output))
    before = _opened(read(reference)).resize(picture.size, Image.Resampling.BILINEAR)
    apart = np.abs(_values(picture) - _values(before)).mean(axis=-1)  # height × width, 0 … 255
    shown = Image.fromarray((255 - np.clip(GAIN * apart, 0, 255)).astype(np.uint8))
    note = f"{apart.mean():.1f} of 255 apart" if apart.any() else "The same pixels."
    return Tile("seen", data=_png(shown), media_type="image/png", small=max(picture.size) <= PIXELS_PX, note=note)


def _values(picture: Image.Image) -> NDArray[np.float32]:
    return np.asarray(picture, np.float32)


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    return picture


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
