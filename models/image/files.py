"""Pictures in and out: uploads checked before they are decoded, results as PNG with all that causes them inside.

An upload is turned upright and laid on white. A file's own texts are read without decoding its pixels.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from models.errors import BadInput
from models.image.webui import parameters_text, parse_parameters
from models.stamps import TEXT_MAX_CHARS, Recovered, own_settings
from models.types import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREVIEW_SIDE = 256
UPLOAD_MAX_BYTES = 20_000_000
UPLOAD_MAX_PIXELS = 40_000_000
SIDE_MIN = 8
CHUNK = "playground"  # our own key of the PNG text chunk
PARAMETERS = "parameters"  # stable-diffusion-webui's
FORMATS = ("PNG", "JPEG", "WEBP")
_WHAT = "Upload a PNG, JPEG or WebP picture"


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


def decode_upload(data: bytes, name: str = "picture") -> Image.Image:
    """Return an upload as RGB, turned as its EXIF says, transparency laid on white.

    Looks at the bytes, not at a file name; takes the first frame of an animation. Raises `BadInput`, before any pixel
    is decoded, for empty and too large files, other formats and too many pixels; and for damaged files.
    """
    if not data:
        raise BadInput(f"The {name} is empty (0 bytes). {_WHAT}.")
    if len(data) > UPLOAD_MAX_BYTES:
        raise BadInput(
            f"The {name} is {len(data) / 1e6:.1f} MB; at most {UPLOAD_MAX_BYTES / 1e6:.0f} MB are allowed. "
            "Make it smaller, or save it as JPEG.", bytes=len(data), limit=UPLOAD_MAX_BYTES,
        )  # fmt: skip
    picture = _open(data, name)
    width, height = picture.size
    if width * height > UPLOAD_MAX_PIXELS:
        raise BadInput(
            f"The {name} is {width:,} × {height:,} pixels; at most {UPLOAD_MAX_PIXELS / 1e6:.0f} million pixels in all "
            "are allowed. Make it smaller.", width=width, height=height,
        )  # fmt: skip
    if min(width, height) < SIDE_MIN:
        raise BadInput(f"The {name} is {width} × {height} pixels; at least {SIDE_MIN} × {SIDE_MIN} are needed.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture.load()
            return _on_white(ImageOps.exif_transpose(picture))
    except Exception as error:  # decoders raise many kinds; each means that the file is damaged
        raise BadInput(f"The {name} is damaged or cut off: it cannot be read to its end. Save it again.") from error


def decode_mask(data: bytes, size: tuple[int, int]) -> Image.Image:
    """Return a mask as "L" in `size` (width, height): 255 is painted anew, 0 is kept. Raises as `decode_upload`."""
    mask = decode_upload(data, "mask").convert("L").resize(size, Image.Resampling.NEAREST)
    return mask.point(lambda value: 255 if value > 127 else 0)


def fit(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Return the middle of a picture in the shape `width` × `height`, resized to it."""
    return ImageOps.fit(picture.convert("RGB"), (width, height), Image.Resampling.LANCZOS)


def file_text(data: bytes) -> dict[str, str]:
    """Return the texts that a picture carries, without decoding its pixels: PNG chunks, or EXIF's user comment.

    Raises `BadInput` for anything that is no PNG, JPEG or WebP picture.
    """
    if len(data) > UPLOAD_MAX_BYTES:
        raise BadInput(f"The picture is {len(data) / 1e6:.1f} MB; at most {UPLOAD_MAX_BYTES / 1e6:.0f} MB are allowed.")
    picture = _open(data, "picture")
    found = {key: value for key, value in picture.info.items() if isinstance(key, str) and isinstance(value, str)}
    try:
        comment = picture.getexif().get_ifd(0x8769).get(0x9286)
    except Exception:  # damaged EXIF is no EXIF
        comment = None
    if isinstance(comment, bytes) and PARAMETERS not in found:
        kind, body = comment[:8], comment[8:]
        coding = {b"UNICODE\0": "utf-16-be", b"ASCII\0\0\0": "ascii"}.get(kind)
        if coding:
            found[PARAMETERS] = body.decode(coding, "replace").strip("\0")
    return found


def read_settings(data: bytes) -> Recovered | None:
    """Return what a picture's file says of its making, or None where it says nothing.

    Raises `BadInput` for a file that is no picture, and where the settings are there but damaged.
    """
    found = file_text(data)
    for text in (found.get(CHUNK, ""), found.get(PARAMETERS, "")):
        if len(text) > TEXT_MAX_CHARS:
            raise BadInput(f"The settings in this picture are {len(text):,} characters long: too long to be settings.")
    if found.get(CHUNK):
        return own_settings(found[CHUNK], "picture")
    return parse_parameters(found[PARAMETERS]) if found.get(PARAMETERS) else None


def _open(data: bytes, name: str) -> Image.Image:
    """Read a picture's header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BadInput(
            f"The {name} is not an image file this app can read, whatever its name says. {_WHAT}."
        ) from error
    except Image.DecompressionBombError as error:
        raise BadInput(
            f"The {name} has far too many pixels; at most {UPLOAD_MAX_PIXELS / 1e6:.0f} million are allowed. "
            "Make it smaller."
        ) from error
    except Exception as error:  # a header that lies
        raise BadInput(f"The {name} is damaged: its header cannot be read. Save it again.") from error


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I;16", "I;16B", "I", "F"):
        values = np.asarray(picture, dtype=np.float32)
        top = 255.0 if picture.mode == "F" and values.max() <= 255 else 65_535.0
        return Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8)).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("RGB")
