"""Pictures in and out: uploads checked before they are decoded, results as PNG with all that causes them inside."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, PngImagePlugin

from models.image_settings import parameters_text
from models.types import Output
from models.uploads import CHUNK, PARAMETERS, decode_mask, decode_upload, file_text, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREVIEW_SIDE = 256
__all__ = [
    "decode_mask", "decode_upload", "file_text", "fit", "heat_output", "image_output", "preview_output",
]  # fmt: skip


def image_output(
    pixels: NDArray[np.uint8], stamp: Mapping[str, Any], index: int = 0, meta: Mapping[str, Any] | None = None
) -> Output:
    """Return a finished picture as PNG with its `stamp` inside; `pixels` are uint8, height × width (× 3).

    Equal arguments give equal bytes. Two text chunks: `playground`, JSON of stamp and index, and `parameters`, the
    settings in stable-diffusion-webui's words.
    """
    info = PngImagePlugin.PngInfo()
    content = {"index": index, "stamp": dict(stamp)}
    info.add_itxt(CHUNK, json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
    if "request" in stamp:
        info.add_itxt(PARAMETERS, parameters_text(stamp["request"], index))
    data = _png(Image.fromarray(pixels), pnginfo=info, compress_level=6)
    height, width = pixels.shape[:2]
    return Output(
        kind="image", index=index, data=data, media_type="image/png", sha256=hashlib.sha256(data).hexdigest(),
        meta={"width": width, "height": height, **(meta or {})},
    )  # fmt: skip


def preview_output(pixels: NDArray[np.uint8], index: int = 0, meta: Mapping[str, Any] | None = None) -> Output:
    """Return a picture on its way as a PNG of at most 256 px a side, quick to make; `pixels` as in `image_output`."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return Output(
        kind="image", index=index, data=_png(picture, compress_level=1), media_type="image/png",
        meta={"width": picture.width, "height": picture.height, **(meta or {})},
    )  # fmt: skip


def heat_output(values: NDArray[np.floating[Any]], index: int = 0, meta: Mapping[str, Any] | None = None) -> Output:
    """Return a map of 0 … 1 (height × width) as a grey PNG."""
    grey = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
    data = _png(Image.fromarray(grey), compress_level=6)
    return Output(
        kind="image", index=index, data=data, media_type="image/png", sha256=hashlib.sha256(data).hexdigest(),
        meta={"width": grey.shape[1], "height": grey.shape[0], **(meta or {})},
    )  # fmt: skip


def _png(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()
