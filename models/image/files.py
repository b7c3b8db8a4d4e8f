"""Pictures in and out: uploads checked before they are decoded, results as PNG with all that causes them inside.

An upload is turned upright, brought to sRGB and laid on white. A file's texts are read without decoding its pixels.
What decoded pixels take is limited by a file's header, and again by what was decoded.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from models.amounts import size
from models.errors import BadInput
from models.image import colours, makers, texts
from models.image.makers import PARAMETERS
from models.image.webui import parameters_text
from models.stamps import TEXT_MAX_CHARS, Recovered, own_settings
from models.types import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREVIEW_SIDE = 256
UPLOAD_MAX_BYTES = 20_000_000
DECODED_MAX_BYTES = 100_000_000  # of an upload's pixels; Pillow holds a colour in 4 bytes
UPLOAD_MAX_PIXELS = DECODED_MAX_BYTES // 4
SIDE_MIN = 8
TEXTS_MAX_CHARS = 4 * TEXT_MAX_CHARS  # of all texts that a picture carries
CHUNK = "playground"  # our own key of the PNG text chunk
COMMENT_START = '{"index":0,"stamp":{'  # of a JPEG's comment that holds the same
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")  # and HEIF, which another library decodes
BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # of HEIF's family
ENDINGS = ("png", "jpg", "jpeg", "jpe", "jfif", "webp", "avif", "heic", "heif")
HALF = 127  # above it, 0 … 255, a mask is on
_VIOLET, _COVER = (91, 61, 214), 0.62
LIMITS = f"At most {UPLOAD_MAX_BYTES // 1_000_000} MB and {UPLOAD_MAX_PIXELS // 1_000_000} million pixels."
_PIXELS_CHECKED = threading.Lock()  # Pillow's limit is one for the process
_WHAT = "Upload a PNG, JPEG, WebP, AVIF or HEIC picture"


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


def decode_upload(data: bytes, name: str = "image") -> Image.Image:
    """Return an upload as RGB in sRGB, turned as its EXIF says, transparency laid on white.

    Looks at the bytes, not at a file name; takes the first frame of an animation. Raises `BadInput`, before any pixel
    is decoded, for empty and too large files, other formats and too many pixels; and for damaged files.
    """
    found = _decoded(data, name, colours.flat)
    found.info.clear()  # a profile is done with; the rest is read by `file_text`
    return found


def decode_mask(data: bytes, size: tuple[int, int]) -> Image.Image:
    """Return a mask as "L" in `size` (width, height), cropped as a picture is: 255 is redrawn, 0 is kept.

    White is redrawn. On transparent ground what was painted is, in whatever colour; only one that is painted in white
    and black has its white redrawn. Raises as `decode_upload`.
    """
    return _fitted(_decoded(data, "mask", _painted), size, Image.Resampling.NEAREST)


def _decoded(data: bytes, name: str, read: Callable[[Image.Image, int], Image.Image]) -> Image.Image:
    """Return what `read` makes of an upload's pixels, upright, and the bits per sample of its file."""
    picture = _checked(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            upright = _upright(picture)
            del picture  # with what its decoder holds
            return read(upright, _depth(data))
    except _TooManyPixels as error:
        raise _too_large(name, *error.size) from error
    except MemoryError as error:
        raise BadInput(
            f"The {name} needs more memory to be read than is allowed. Make it smaller, or save it as JPEG."
        ) from error
    except Exception as error:  # decoders raise many kinds; each means that the file is damaged
        raise BadInput(f"The {name} is damaged or cut off: it cannot be read to its end. Save it again.") from error


def _painted(picture: Image.Image, depth: int) -> Image.Image:
    """Return where a picture is painted as a mask, in its own size: "L", 255 or 0."""
    grey = np.asarray(colours.flat(picture, depth).convert("L"))
    cover = colours.cover_of(picture, depth)
    on = grey > HALF
    opaque = np.asarray(cover) if cover is not None else on
    if cover is not None and int(opaque.min()) <= HALF:
        drawn = opaque > min(HALF, int(opaque.max()) / 2)  # strokes of a pale brush too
        shades = grey[drawn]
        dark, light = (shades < 64).mean(), (shades > 191).mean()
        on = drawn & on if dark + light > 0.95 and min(dark, light) > 0.02 else drawn
    return Image.fromarray(np.where(on, np.uint8(255), np.uint8(0)))


def fit(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Return the middle of a picture in the shape `width` × `height`, resized to it."""
    return _fitted(picture.convert("RGB"), (width, height), Image.Resampling.LANCZOS)


def _fitted(picture: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """Crop and scale: the one way into a run's shape, so that a mask stays where it was painted on its picture."""
    return ImageOps.fit(picture, size, resample)


def mask_over(picture: Image.Image, mask: Image.Image) -> tuple[Image.Image, float]:
    """Return a picture (RGB) with a mask of its size ("L") laid over it in violet, and the share that is redrawn."""
    on = np.asarray(mask) > HALF
    shown = np.asarray(picture).astype(np.float32)
    shown[on] = shown[on] * (1 - _COVER) + np.array(_VIOLET, np.float32) * _COVER
    return Image.fromarray(shown.round().astype(np.uint8)), float(on.mean())


def is_picture(data: bytes) -> bool:
    """Say whether a file's first bytes are those of a kind of picture that is read here."""
    if data[4:8] == b"ftyp":
        return data[8:12] in BRANDS
    return data.startswith((texts.PNG_START, b"\xff\xd8\xff")) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def file_text(data: bytes) -> dict[str, str]:
    """Return the texts that a picture carries, without decoding its pixels: PNG chunks by key, EXIF by place.

    Raises `BadInput` for anything that is not a picture of a kind that is read here.
    """
    if len(data) > UPLOAD_MAX_BYTES:
        raise BadInput(f"The picture is {size(len(data))}; at most {size(UPLOAD_MAX_BYTES)} are allowed.")
    if data.startswith(texts.PNG_START):
        found, exif = texts.png_texts(data)
    else:
        found, exif = texts.picture_texts(_open(data, "picture"))
    found = {**texts.exif_texts(exif), **found}
    if not found and data.startswith(texts.PNG_START):
        _open(data, "picture")  # is there a picture at all?
    return found


def read_settings(data: bytes) -> Recovered | None:
    """Return what a picture's file says of its making, ours or another program's, or None where it says nothing.

    Raises `BadInput` for a file that is no picture, and where the settings are there but damaged.
    """
    found = file_text(data)
    for text in (found.get(CHUNK, ""), found.get(PARAMETERS, "")):
        if len(text) > TEXT_MAX_CHARS:
            raise BadInput(f"The settings in this picture are {len(text):,} characters long: too long to be settings.")
    found = {name: text for name, text in found.items() if len(name) + len(text) <= TEXT_MAX_CHARS}
    if (whole := sum(map(len, found.values()))) > TEXTS_MAX_CHARS:
        raise BadInput(f"The texts in this picture are {whole:,} characters long: too long to be settings.")
    own = found.get(CHUNK) or (found.get("comment", "") if found.get("comment", "").startswith(COMMENT_START) else "")
    if own:
        return own_settings(own, "picture")
    return makers.read(found)


def _checked(data: bytes, name: str) -> Image.Image:
    """Return an upload whose header was read and whose size is allowed; no pixel is decoded yet."""
    if not data:
        raise BadInput(f"The {name} is empty (0 bytes). {_WHAT}.")
    if len(data) > UPLOAD_MAX_BYTES:
        raise BadInput(
            f"The {name} is {size(len(data))}; at most {size(UPLOAD_MAX_BYTES)} are allowed. "
            "Make it smaller, or save it as JPEG.", bytes=len(data), limit=UPLOAD_MAX_BYTES,
        )  # fmt: skip
    picture = _open(data, name)
    width, height = picture.size
    if width * height > UPLOAD_MAX_PIXELS:
        raise _too_large(name, width, height)
    if min(width, height) < SIDE_MIN:
        raise BadInput(f"The {name} is {width} × {height} pixels; at least {SIDE_MIN} × {SIDE_MIN} are needed.")
    return picture


def _open(data: bytes, name: str) -> Image.Image:
    """Read a picture's header."""
    formats: tuple[str, ...] = FORMATS
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        import pi_heif

        pi_heif.register_heif_opener()
        formats = (*FORMATS, "HEIF")
    try:
        with warnings.catch_warnings(), _PIXELS_CHECKED:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            usual = Image.MAX_IMAGE_PIXELS
            Image.MAX_IMAGE_PIXELS = UPLOAD_MAX_PIXELS  # it refuses twice as many, some before a canvas is made
            try:
                return Image.open(io.BytesIO(data), formats=formats)
            finally:
                Image.MAX_IMAGE_PIXELS = usual
    except UnidentifiedImageError as error:
        raise BadInput(
            f"The {name} is not an image file this app can read, whatever its name says. {_WHAT}."
        ) from error
    except Image.DecompressionBombError as error:
        raise BadInput(
            f"The {name} has far too many pixels; at most {UPLOAD_MAX_PIXELS / 1e6:.0f} million are allowed. "
            "Make it smaller."
        ) from error
    except MemoryError as error:
        raise BadInput(f"The {name} needs more memory to be read than is allowed. Make it smaller.") from error
    except Exception as error:  # a header that lies
        raise BadInput(f"The {name} is damaged: its header cannot be read. Save it again.") from error


class _TooManyPixels(Exception):
    """Say that more was decoded than a header told: a picture of `size`, width and height."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.size = size


def _too_large(name: str, width: int, height: int) -> BadInput:
    return BadInput(
        f"The {name} is {width:,} × {height:,} pixels; at most {UPLOAD_MAX_PIXELS / 1e6:.0f} million pixels in all "
        "are allowed. Make it smaller.", width=width, height=height,
    )  # fmt: skip


def _upright(picture: Image.Image) -> Image.Image:
    """Decode a picture's pixels and turn them as its EXIF says; return them without the file and its decoder."""
    picture.load()
    if picture.width * picture.height > UPLOAD_MAX_PIXELS:  # a header that lies
        raise _TooManyPixels(picture.size)
    pixels = picture._new(picture.im)
    ImageOps.exif_transpose(pixels, in_place=True)
    return pixels


def _depth(data: bytes) -> int:
    """Return the bits per sample of a PNG, 8 for every other file."""
    return data[24] if data.startswith(b"\x89PNG") else 8
