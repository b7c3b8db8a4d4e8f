"""Colour and transparency of a picture that comes in: any mode and embedded profile to sRGB, any kind of alpha to one.

Profiles are those of ISO 15076-1 (ICC), turned by LittleCMS; how PNG marks transparency is W3C PNG, 11.3.1.1 (tRNS).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

_GREYS = ("I;16", "I;16B", "I;16L", "I", "F")
_BAND = 256  # rows that are turned at once: a whole picture would be held four times
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # what LittleCMS calls the colours of a profile: Pillow's mode


def flat(picture: Image.Image, depth: int = 8) -> Image.Image:
    """Return a loaded picture as RGB in sRGB, what is transparent laid on white; `depth` as in `alpha`.

    A picture that is so already is returned as it is. Else what is held is the picture, the result and a band of it.
    """
    turn = profile_of(picture)
    if picture.mode == "RGB" and turn is None and "transparency" not in picture.info:
        return picture
    colours = Image.new("RGB", picture.size)
    for box, band in _bands(picture):
        shown = _in_srgb(band, turn)
        if (cover := alpha(band, depth)) is not None:
            shown = shown.convert("RGBA")
            shown.putalpha(cover)
            shown = Image.alpha_composite(Image.new("RGBA", band.size, "white"), shown).convert("RGB")
        colours.paste(shown, box)
    return colours


def cover_of(picture: Image.Image, depth: int = 8) -> Image.Image | None:
    """Return `alpha` of a whole picture; what is held beside both is a band."""
    found = Image.new("L", picture.size)
    for box, band in _bands(picture):
        if (cover := alpha(band, depth)) is None:
            return None
        found.paste(cover, box)
    return found


def _bands(picture: Image.Image) -> Iterator[tuple[tuple[int, int, int, int], Image.Image]]:
    """Yield a picture in bands of rows, each with its place."""
    for top in range(0, picture.height, _BAND):
        box = (0, top, picture.width, min(top + _BAND, picture.height))
        yield box, picture.crop(box)


def alpha(picture: Image.Image, depth: int = 8) -> Image.Image | None:
    """Return how opaque each pixel is ("L": 0 transparent … 255 opaque), None for a picture that has no transparency.

    Counts an alpha band, a palette's, and the one colour that a PNG declares transparent (its key). `depth` is the
    file's bits per sample, in which the key is written.
    """
    if picture.mode in ("La", "RGBa"):
        picture = picture.convert(picture.mode.upper())
    if "A" in picture.getbands():
        return picture.getchannel("A")
    key = picture.info.get("transparency")
    if key is None:
        return None
    if picture.mode in _GREYS:
        return Image.fromarray(np.where(np.asarray(picture) == key, 0, 255).astype(np.uint8))
    if isinstance(key, int) and picture.mode == "L" and depth < 8:
        key *= 255 // (2**depth - 1)  # the pixels are spread over 0 … 255, the key is not
    elif isinstance(key, tuple) and depth == 16:
        key = tuple(value >> 8 for value in key)  # as the pixels are: Pillow reads the upper byte of each colour
    if not isinstance(key, bytes) and picture.mode != "P":
        picture = picture.copy()
        picture.info["transparency"] = key
    return picture.convert("RGBA").getchannel("A")


@dataclass(frozen=True)
class Profile:
    """Hold what brings a picture's colours to sRGB: a transform, and the mode in which it takes them."""

    turn: ImageCms.ImageCmsTransform
    mode: str


def profile_of(picture: Image.Image) -> Profile | None:
    """Return a picture's profile where it has one that fits and says other than sRGB."""
    data = picture.info.get("icc_profile")
    if not data:
        return None
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = _SPACES.get(given.profile.xcolor_space, "")
        fits = {
            "CMYK": picture.mode == "CMYK",
            "L": picture.mode in ("1", "L", "LA", "La", *_GREYS),
            "RGB": picture.mode != "CMYK",
        }  # fmt: skip
        if not fits.get(mode):
            return None
        turn = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), mode, "RGB")
        # one of the many profiles that say sRGB would change nothing but roundings
        return None if mode == "RGB" and _is_same(turn) else Profile(turn, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged, or for other colours than these
        return None


def _in_srgb(picture: Image.Image, profile: Profile | None) -> Image.Image:
    """Return a loaded picture's colours as RGB, by its profile."""
    if picture.mode in _GREYS:
        values = np.asarray(picture, dtype=np.float32)
        top = 255.0 if picture.mode == "F" and values.max() <= 255 else 65_535.0
        picture = Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8))
    elif picture.mode in ("La", "RGBa"):
        picture = picture.convert(picture.mode.upper())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a palette's transparency is kept by `alpha`
        plain = picture if picture.mode == "RGB" else picture.convert("RGB")
        if profile is None:
            return plain
        source = plain if profile.mode == "RGB" else picture.convert(profile.mode)
        try:
            turned = ImageCms.applyTransform(source, profile.turn)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return plain
        assert turned is not None
        return turned


def _is_same(turn: ImageCms.ImageCmsTransform) -> bool:
    """Say whether a transform leaves every colour of a coarse grid as it is, within one step of 255."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(27, 27, 3)
    turned = ImageCms.applyTransform(Image.fromarray(grid), turn)
    return bool(np.abs(np.asarray(turned).astype(int) - grid.astype(int)).max() <= 1)
