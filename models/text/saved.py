"""Which files of texts tell their making, and how they are read."""

from __future__ import annotations

import json

from models.errors import BadInput
from models.plain_text import TEXT_ARTIFACT_MAX_BYTES, read_text_artifact
from models.stamps import Reader, Recovered, damaged, own_request

ENDINGS = ("txt", "md", "json")


def is_text(data: bytes) -> bool:
    """Say whether a file is text in UTF-8, with or without a byte order mark."""
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def read_settings(data: bytes) -> Recovered | None:
    """Return what a text saved here says of its making, or the JSON of a run; None for any other text.

    Line ends that a mail program or an editor changed do no harm. Raises `BadInput` for a text that is too large and
    for settings that are damaged.
    """
    if len(data) > TEXT_ARTIFACT_MAX_BYTES:
        raise BadInput(
            f"The text is {len(data) / 1e6:.1f} MB; at most {TEXT_ARTIFACT_MAX_BYTES / 1e6:.0f} MB are allowed."
        )
    plain = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if plain.lstrip().startswith(b"{"):
        try:
            found = json.loads(plain)
        except (ValueError, RecursionError):
            return None
    elif plain.startswith(b"---\n{"):
        found = read_text_artifact(plain)[0]
    else:
        return None
    request = found.get("request") if isinstance(found, dict) else None
    if request is None:
        return None
    try:
        return own_request(request)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise damaged("text") from error


READERS = (Reader("text", ENDINGS, is_text, read_settings),)
