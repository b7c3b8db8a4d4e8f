"""What comes from outside, read within bounds: JSON and TOML no longer and no deeper than anything here can bear.

Links, uploads, files beside them, arguments of a command, catalogue entries and messages of a browser hold text that
somebody else wrote. Python's own readers call themselves for each level, and so does whoever writes, copies or checks
what they return: what nests deeper than `DEPTH_MAX` is refused here, before anything else sees it.
"""

from __future__ import annotations

import base64
import binascii
import json
import tomllib
import zlib
from typing import Any

DEPTH_MAX = 100  # lists and objects within one another
JSON_MAX_CHARS = 8_000_000
TOML_MAX_CHARS = 200_000
LINK_MAX_CHARS = 2000
UNSQUEEZED_MAX_BYTES = 100_000  # of a link
_SQUEEZED = "~"  # begins what is compressed: base64 does not have it
_PARTS_MAX = 64  # of one dotted key: the library's time grows with their square


class Unreadable(ValueError):
    """Say why a text cannot be read: `str` of it ends a sentence whose subject is the text ("is not JSON")."""


def read_json(text: str | bytes, *, most: int = JSON_MAX_CHARS, constants: bool = True) -> Any:
    """Return what a JSON text holds, at most `most` characters (of bytes: bytes) and `DEPTH_MAX` levels.

    With `constants` false, NaN and Infinity are refused. A number may be beyond any float, and a text may hold half of
    a character: see `models.types.is_number` and `is_text`. Raises `Unreadable`.
    """
    if len(text) > most:
        raise Unreadable(f"is {len(text):,} characters long; at most {most:,} are allowed")
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        found = json.loads(text, parse_constant=float if constants else _refuse)
    except json.JSONDecodeError as error:
        raise Unreadable(f"is not valid JSON (line {error.lineno}, column {error.colno})") from error
    except UnicodeDecodeError as error:
        raise Unreadable("is not text in UTF-8") from error
    except ValueError as error:  # a number of thousands of digits, a constant
        raise Unreadable(f"is not JSON that can be read ({str(error)[:80]})") from error
    except RecursionError as error:
        raise Unreadable(_DEEP) from error
    # so few brackets cannot nest deeper, wherever they stand: most texts need no second look
    return found if text.count("[") + text.count("{") <= DEPTH_MAX else _flat_enough(found)


def read_toml(text: str, *, most: int = TOML_MAX_CHARS) -> dict[str, Any]:
    """Return what a TOML text holds, at most `most` characters and `DEPTH_MAX` levels. Raises `Unreadable`."""
    if len(text) > most:
        raise Unreadable(f"is {len(text):,} characters long; at most {most:,} are allowed")
    row = 0
    for part in text.split("."):
        row = 0 if any(mark in part for mark in "\n,=#") else row + 1
        if row > _PARTS_MAX:
            raise Unreadable(f"has a key of more than {_PARTS_MAX} parts with full stops between them")
    try:
        found = tomllib.loads(text)
    except ValueError as error:
        raise Unreadable(f"cannot be read as TOML: {str(error)[:200]}") from error
    except RecursionError as error:
        raise Unreadable(_DEEP) from error
    checked: dict[str, Any] = _flat_enough(found)
    return checked


def packed(content: Any, *, squeezed: bool = False) -> str:
    """Return JSON as a part of an address, in URL-safe base64, which `unpacked` reads; `squeezed`: compressed first."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    if squeezed:
        body = zlib.compress(body, 9)
    return _SQUEEZED * squeezed + base64.urlsafe_b64encode(body).decode().rstrip("=")


def unpacked(text: str) -> Any:
    """Return the JSON in a part of an address. Raises `Unreadable`."""
    squeezed, text = text.startswith(_SQUEEZED), text.removeprefix(_SQUEEZED)
    try:
        body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:  # a character beyond ASCII
        raise Unreadable("is not base64") from error
    return read_json(_whole(body) if squeezed else body)


def _whole(body: bytes) -> bytes:
    """Return what was compressed, at most `UNSQUEEZED_MAX_BYTES`: a few bytes may stand for any number of them."""
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(body, UNSQUEEZED_MAX_BYTES)
    except zlib.error as error:
        raise Unreadable("is not compressed text") from error
    if not reader.eof:
        raise Unreadable(f"is cut off, or longer than {UNSQUEEZED_MAX_BYTES:,} bytes")
    return found


def is_deep(value: Any) -> bool:
    """Say whether lists and objects lie in one another more than `DEPTH_MAX` deep."""
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [one for item in level if isinstance(item, list | dict)
                 for one in (item.values() if isinstance(item, dict) else item)]  # fmt: skip
        if not level:
            return False
    return any(isinstance(item, list | dict) for item in level)


_DEEP = f"nests lists or objects more than {DEPTH_MAX} deep"


def _flat_enough(found: Any) -> Any:
    if is_deep(found):
        raise Unreadable(_DEEP)
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
