"""Pictures that come in: checked before they are decoded, turned upright, laid on white; and the texts they carry."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import BadInput

UPLOAD_MAX_BYTES = 20_000_000
UPLOAD_MAX_PIXELS = 40_000_000
SIDE_MIN = 8
CHUNK = "playground"  # our own key of the PNG text chunk
PARAMETERS = "parameters"  # stable-diffusion-webui's
FORMATS = ("PNG", "JPEG", "WEBP")
_WHAT = "Give a PNG, JPEG or WebP picture"


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


def _open(data: bytes, name: str) -> Image.Image:
    """Read a picture's header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BadInput(f"The {name} is no picture that can be read here, whatever its name says. {_WHAT}.") from error
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
