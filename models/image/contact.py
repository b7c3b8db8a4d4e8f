"""Pictures on a contact sheet: what stands for one, and the sheet's file with its settings inside."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin

from models.errors import PlaygroundError
from models.image.files import CHUNK
from models.image.makers import PARAMETERS
from models.image.webui import parameters_text
from models.types import Output

QUALITY = 92  # of a JPEG
COMMENT_MAX_BYTES = 65_000  # of a JPEG, whose comment has two bytes for its length


def seen(output: Output, data: bytes) -> Image.Image:
    """Return a stored picture as RGB. Raises `PlaygroundError` where its file is damaged."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return opened.convert("RGB")
    except Exception as error:  # decoders raise many kinds; each means that the file is damaged
        raise PlaygroundError("A stored picture is damaged and cannot be shown. Run it again.") from error


def save(sheet: Image.Image, stamp: Mapping[str, Any], ending: str) -> bytes:
    """Return a sheet as PNG or JPEG ("jpg") with `stamp` inside, from which this page's settings are read again.

    A PNG has the text chunks of any picture made here. A JPEG has them as its comment, where too long a sweep is left
    out, and then the settings. Equal arguments give equal bytes.
    """
    file = io.BytesIO()
    if ending == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt(CHUNK, _text(stamp))
        info.add_itxt(PARAMETERS, parameters_text(stamp["request"]))
        sheet.save(file, "PNG", pnginfo=info, compress_level=6)
        return file.getvalue()
    held = (stamp, {name: value for name, value in stamp.items() if name != "sweep"})
    comment = next((text for one in held if len(text := _text(one).encode()) <= COMMENT_MAX_BYTES), b"")
    sheet.save(file, "JPEG", quality=QUALITY, comment=comment)
    return file.getvalue()


def _text(stamp: Mapping[str, Any]) -> str:
    content = {"index": 0, "stamp": dict(stamp)}
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
