"""Which files of texts tell their making, and how they are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models import outside
from models.amounts import size
from models.errors import BadInput
from models.plain_text import TEXT_ARTIFACT_MAX_BYTES, read_text_artifact
from models.stamps import Reader, Recovered, damaged, own_request, own_stamp
from models.types import NEW_SEED

ENDINGS = ("txt", "md", "json")
REQUEST = {"model", "inputs", "params", "seed"}


def is_text(data: bytes) -> bool:
    """Say whether a file is text in UTF-8, with or without a byte order mark."""
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def stamp_of(data: bytes) -> dict[str, Any] | None:
    """Return the stamp of a text saved here, at its end or, in older files, at its beginning; None for any other text.

    Line ends, and blank lines at the end, that a mail program or an editor changed do no harm. Raises `BadInput` for a
    text that begins as ours do and goes on otherwise.
    """
    plain = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if plain.rstrip().endswith(b"\n---"):
        plain = plain.rstrip() + b"\n"
    try:
        return read_text_artifact(plain)[0]
    except BadInput:
        if plain.startswith(b"---\n{"):
            raise
        return None


def read_settings(data: bytes) -> Recovered | None:
    """Return what a text saved here says of its making, or the JSON of a run or request; None for any other text.

    Line ends that a mail program or an editor changed do no harm. Raises `BadInput` for a text that is too large and
    for settings that are damaged.
    """
    if len(data) > TEXT_ARTIFACT_MAX_BYTES:
        raise BadInput(f"The text is {size(len(data))}; at most {size(TEXT_ARTIFACT_MAX_BYTES)} are allowed.")
    plain = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if plain.lstrip().startswith(b"{"):
        try:
            found = outside.read_json(plain)
        except outside.Unreadable:
            return None
    elif plain.startswith(b"---\n{") or plain.rstrip().endswith(b"\n---"):
        found = stamp_of(plain)
    else:
        return None
    if not isinstance(found, dict):
        return None
    request = found.get("request", found if found.keys() >= REQUEST else None)  # a request alone, as one writes it
    if request is None:
        return None
    try:
        if isinstance(request, dict) and request.get("seed") == NEW_SEED:
            return replace(own_request({**request, "seed": 0}), seed=None, new_seed=True)
        return own_request(request) if "versions" not in found else own_stamp(found)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise damaged("text") from error


READERS = (Reader("text", ENDINGS, is_text, read_settings),)
