"""Colour and transparency of a picture that comes in: any mode and embedded profile to sRGB, any kind of alpha to one.

Profiles are those of ISO 15076-1 (ICC), turned by LittleCMS; how PNG marks transparency is W3C PNG, 11.3.1.1 (tRNS).
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageCms

_GREYS = ("I;16", "I;16B", "I;16L", "I", "F")
_BAND = 256  # rows that are laid on white at once: all of 40 million pixels would take four pictures' memory
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # what LittleCMS calls the colours of a profile: Pillow's mode


def flat(picture: Image.Image, depth: int = 8) -> Image.Image:
    """Return a loaded picture as RGB in sRGB, what is transparent laid on white; `depth` as in `alpha`."""
    cover = alpha(picture, depth)
    colours = in_srgb(picture)
    if cover is None:
        return colours
    for top in range(0, colours.height, _BAND):
        box = (0, top, colours.width, min(top + _BAND, colours.height))
        band = colours.crop(box).convert("RGBA")
        band.putalpha(cover.crop(box))
        ground = Image.new("RGBA", band.size, "white")
        colours.paste(Image.alpha_composite(ground, band).convert("RGB"), box)
    return colours


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


def in_srgb(picture: Image.Image) -> Image.Image:
    """Return a loaded picture's colours as RGB, by its profile where it has one that fits and says other than sRGB."""
    profile = picture.info.get("icc_profile")
    if picture.mode in _GREYS:
        values = np.asarray(picture, dtype=np.float32)
        top = 255.0 if picture.mode == "F" and values.max() <= 255 else 65_535.0
        picture = Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8))
    elif picture.mode in ("La", "RGBa"):
        picture = picture.convert(picture.mode.upper())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a palette's transparency is kept by `alpha`
        plain = picture if picture.mode == "RGB" else picture.convert("RGB")
        if not profile:
            return plain.copy() if plain is picture else plain
        try:
            return _by_profile(picture, plain, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged, or for other colours than these
            return plain


def _by_profile(picture: Image.Image, plain: Image.Image, profile: bytes) -> Image.Image:
    given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = _SPACES.get(given.profile.xcolor_space, "")
    if mode == "CMYK" and picture.mode == "CMYK":
        source = picture
    elif mode == "L" and picture.mode in ("1", "L", "LA"):
        source = picture.convert("L")
    elif mode == "RGB" and picture.mode != "CMYK":
        source = plain
    else:
        return plain
    turn = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), mode, "RGB")
    # one of the many profiles that say sRGB would change nothing but roundings
    if mode == "RGB" and _is_same(turn):
        return plain
    turned = ImageCms.applyTransform(source, turn)
    assert turned is not None
    return turned


def _is_same(turn: ImageCms.ImageCmsTransform) -> bool:
    """Say whether a transform leaves every colour of a coarse grid as it is, within one step of 255."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(27, 27, 3)
    turned = ImageCms.applyTransform(Image.fromarray(grid), turn)
    return bool(np.abs(np.asarray(turned).astype(int) - grid.astype(int)).max() <= 1)
