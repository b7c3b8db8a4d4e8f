"""Pictures and masks that a page is given, read in a process of their own (`models.runtime.decoder`).

Every function takes the folder in which it may leave files, and the uploads' bytes; sizes are width and height in px.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.image import files

if TYPE_CHECKING:
    from PIL import Image

NEEDS = ("pi_heif", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.WebPImagePlugin", "PIL.AvifImagePlugin")
THUMBNAIL = "thumbnail"  # beside an upload: it small, a PNG
THUMBNAIL_PX = 96
SHOWN = "shown.png"  # what a call leaves to be shown


def check(folder: Path, data: bytes, name: str) -> None:
    """Check an upload and leave its thumbnail, to be kept beside it. Raises `BadInput`."""
    picture = files.decode_upload(data, name=name)
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    _save(picture, folder / THUMBNAIL)


def size_within(folder: Path, data: bytes, side: int) -> list[int]:
    """Return an upload's size in its own shape, upright, at most `side` px a side. Raises `BadInput`."""
    picture = files.decode_upload(data)
    picture.thumbnail((side, side))
    return list(picture.size)


def fitted(folder: Path, data: bytes, size: list[int]) -> None:
    """Leave an upload, as a run takes it in this size, to be shown. Raises `BadInput`."""
    _save(files.fit(files.decode_upload(data), *size), folder / SHOWN)


def masked(folder: Path, data: bytes, mask: bytes, size: list[int], side: int) -> float:
    """Leave a picture with a mask over it, as a run takes both, and return the share of it that is redrawn.

    It is enlarged by a whole number, up to `side` px. Raises `BadInput`.
    """
    from PIL.Image import Resampling

    picture = files.fit(files.decode_upload(data), *size)
    over, share = files.mask_over(picture, files.decode_mask(mask, (size[0], size[1])))
    times = max(1, side // max(size))
    _save(over.resize((size[0] * times, size[1] * times), Resampling.NEAREST), folder / SHOWN)
    return share


def _save(picture: Image.Image, file: Path) -> None:
    picture.save(file, "PNG")
