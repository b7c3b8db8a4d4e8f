"""Paint over the area of a picture to redraw: a brush, boxes and an eraser, for mouse, pen, touch and keyboard."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import Any

from components import frontend
from components.widgets import picture_parts

_LONGEST = 2 * 1024 * 1024  # characters of a mask's address; what is longer was not painted here
_PNG_START = b"\x89PNG\r\n\x1a\n"

_component = frontend.component("playground_mask_painter", __file__, shared=(picture_parts,))


def draw(picture_png: bytes, key: str, *, size: tuple[int, int]) -> bytes | None:
    """Draw a picture to paint on; return the mask, a PNG of `size` (white: make anew), or None while it is empty.

    What was painted stays while the picture does, and goes with it. The PNG comes from a browser: whoever
    decodes it must expect any pixels.
    """
    # a mask names the picture it was painted on, so that none is ever taken for one of another picture
    picture = hashlib.sha256(b"%d %d " % size + picture_png).hexdigest()
    state = _component(
        key=key,
        data={"url": picture_parts.png_url(picture_png), "picture": picture, "size": list(size), "key": key},
        on_mask_change=lambda: None,
    )
    return read_mask(state.mask, picture, size)


def read_mask(value: Any, picture: str, size: tuple[int, int]) -> bytes | None:
    """Return the PNG that a browser sent, or None if it is none, too large, of another size or another picture."""
    if not isinstance(value, dict) or value.get("picture") != picture:
        return None
    url = value.get("png")
    if not isinstance(url, str) or len(url) > _LONGEST or not url.startswith(picture_parts.PNG_URL):
        return None
    try:
        png = base64.b64decode(url[len(picture_parts.PNG_URL) :], validate=True)
    except (binascii.Error, ValueError):
        return None
    # the first part of a PNG tells its size, so that nobody unpacks a giant
    if not png.startswith(_PNG_START) or len(png) < 24 or struct.unpack(">II", png[16:24]) != size:
        return None
    return png
