"""Many pictures in one: strips, animations, and heat maps over a picture. PNG and GIF bytes in and out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image

from models.errors import PlaygroundError

FILM_SIDE = 256  # px: small pictures are enlarged by a whole number in films, which players show as they are
_PALE, _STRONG = (226, 219, 251), (66, 33, 184)  # the ends of the heat map's colours, RGB
_COVER = 0.88  # how much of the picture the strongest heat hides
_FADE = 0.45  # how far the grey picture below is lightened, so that colour alone is heat


def strip(pngs: Sequence[bytes]) -> bytes:
    """Return the pictures side by side as one PNG, each in the size of the first."""
    return _png(_side_by_side(_read(pngs)))


def tiles(pngs: Sequence[bytes], side: int = 256) -> tuple[bytes, tuple[int, int]]:
    """Return a strip of the pictures, none larger than `side` px either way, and the (width, height) of one tile."""
    frames = _read(pngs)
    for frame in frames:
        frame.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _png(_side_by_side(frames)), frames[0].size


@lru_cache(maxsize=64)
def thumbnail(png: bytes, side: int) -> bytes:
    """Return a picture as PNG of at most `side` px either way; one that is small enough comes back as it is."""
    picture = _read([png])[0]
    if max(picture.size) <= side:
        return png
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _png(picture)


def gif(pngs: Sequence[bytes], fps: float = 8.0) -> bytes:
    """Return an endless animation through the pictures and back; equal pictures give equal bytes.

    `n` pictures give 2 n - 2 frames (n where there are fewer than 3). GIF counts hundredths of a second.
    """
    frames = _read(pngs)
    width, height = frames[0].size  # the others take this size too
    times = max(1, FILM_SIDE // max(width, height))
    drawn = [
        frame.resize((width * times, height * times), Image.Resampling.NEAREST).quantize(256, Image.Quantize.MEDIANCUT)
        for frame in frames
    ]
    film = [*drawn, *drawn[-2:0:-1]]
    buffer = io.BytesIO()
    film[0].save(
        buffer, "GIF", save_all=True, append_images=film[1:], duration=max(20, round(100 / fps) * 10), loop=0
    )  # fmt: skip
    return buffer.getvalue()


def heat_over(png: bytes, heat_png: bytes, times: int = 1) -> bytes:
    """Return a picture in pale grey under a heat map, which is a grey PNG: black is 0, white the maximum.

    The picture is enlarged `times` first, its pixels as they are; the map is smooth at any size.
    """
    picture, heat = _read([png, heat_png])
    if times > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    if heat.size != picture.size:
        heat = heat.resize(picture.size, Image.Resampling.BICUBIC)
    ground = Image.blend(picture.convert("L").convert("RGB"), Image.new("RGB", picture.size, "white"), _FADE)
    return _png(_coloured(np.asarray(heat.convert("L")), ground))


def heat_legend(width: int = 160, height: int = 10) -> bytes:
    """Return the colour scale of `heat_over` as PNG, from 0 on the left to the maximum on the right."""
    values = np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1))
    return _png(_coloured(values, Image.new("RGB", (width, height), (205, 205, 205))))


def _coloured(heat: np.ndarray, ground: Image.Image) -> Image.Image:
    """Lay the colours of a heat map (uint8, height × width) over a picture."""
    share = np.linspace(0, 1, 256)[:, None]
    colours = np.array(_PALE) * (1 - share) + np.array(_STRONG) * share  # 256 × 3
    table = np.concatenate([colours, 255 * _COVER * share], 1).round().astype(np.uint8)  # 256 × RGBA
    return Image.alpha_composite(ground.convert("RGBA"), Image.fromarray(table[heat])).convert("RGB")


def _side_by_side(frames: Sequence[Image.Image]) -> Image.Image:
    width, height = frames[0].size
    sheet = Image.new("RGB", (width * len(frames), height))
    for index, frame in enumerate(frames):
        sheet.paste(frame.resize((width, height)) if frame.size != (width, height) else frame, (index * width, 0))
    return sheet


def _read(pngs: Sequence[bytes]) -> list[Image.Image]:
    """Decode pictures that this app stored, as RGB."""
    if not pngs:
        raise PlaygroundError("There is no picture to put into a strip yet.")
    frames = []
    for png in pngs:
        try:
            frames.append(Image.open(io.BytesIO(png), formats=("PNG",)).convert("RGB"))
        except Exception as error:  # decoders raise many kinds; each means that the file is damaged
            raise PlaygroundError("A stored picture is damaged and cannot be shown. Run it again.") from error
    return frames


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
