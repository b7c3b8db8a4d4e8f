"""Text in and out: the checks on text that comes in, and results as files with all that causes them inside.

An artefact embeds its stamp: what causes it (request, weights, versions, device) and nothing that varies from run to
run, so that the same request gives the same bytes. A text artefact is UTF-8:

    the text, verbatim

    ---
    {
      "model": "text/story-gpt",
      …
    }
    ---

Older ones hold the same block before the text, as front matter; both are read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from models import outside
from models.errors import BadInput
from models.types import Output

TEXT_MAX_BYTES = 1_000_000
# A text artefact holds the prompt in its stamp, where JSON writes one control character as six bytes, and the text.
TEXT_ARTIFACT_MAX_BYTES = 8 * TEXT_MAX_BYTES

_OPEN, _CLOSE = b"---\n", b"\n---\n"
_BEHIND = b"\n\n" + _OPEN
_SURROGATE = re.compile("[\ud800-\udfff]")
# Legal in JSON strings; in YAML they are line breaks, byte order marks or not allowed.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def check_text(value: object, name: str = "prompt") -> str:
    """Return `value` unchanged if it is text that can be run, stored and shown.

    `name` is what the message calls it. Empty text passes: what a model needs is the family's to say. Raises
    `BadInput` for anything but `str`, over `TEXT_MAX_BYTES` in UTF-8, null bytes and lone surrogates.
    """
    if not isinstance(value, str):
        raise BadInput(f"The {name} is a {type(value).__name__}, not text. Give it as text.")
    if len(value) > TEXT_MAX_BYTES or len(value.encode("utf-8", "surrogatepass")) > TEXT_MAX_BYTES:
        size = len(value.encode("utf-8", "surrogatepass"))
        raise BadInput(
            f"The {name} is {size:,} bytes long; at most {TEXT_MAX_BYTES:,} bytes (1 MB) are allowed. Shorten it.",
            bytes=size, limit=TEXT_MAX_BYTES,
        )  # fmt: skip
    null = value.find("\0")
    if null >= 0:
        raise BadInput(
            f"The {name} has a null byte at position {null + 1}; text must not contain any. Remove it and try again.",
            position=null,
        )
    surrogate = _SURROGATE.search(value)
    if surrogate:
        raise BadInput(
            f"The {name} has half of a character (lone surrogate U+{ord(surrogate[0]):04X}) at position "
            f"{surrogate.start() + 1}; only whole Unicode characters are allowed. Type or paste it again, as UTF-8.",
            position=surrogate.start(),
        )
    return value


def text_artifact(text: str, stamp: Mapping[str, Any]) -> bytes:
    """Return the file that holds `text` verbatim and its `stamp` (plain JSON) at the end.

    Equal arguments give equal bytes, whatever the order of keys; `read_text_artifact` is the exact inverse. Raises
    `BadInput` for lone surrogates, for a stamp that is not plain JSON and above `TEXT_ARTIFACT_MAX_BYTES`.
    """
    try:
        block = json.dumps(dict(stamp), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"The settings cannot be written into the file: they are not plain JSON ({error}).") from error
    block = _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", block)
    try:
        data = b"".join((text.encode(), _BEHIND, block.encode(), _CLOSE))
    except UnicodeEncodeError as error:
        raise BadInput(
            "The text or its settings hold half of a character (lone surrogate "
            f"U+{ord(error.object[error.start]):04X}); only whole Unicode characters are allowed. "
            "Replace it and run again."
        ) from error
    if len(data) > TEXT_ARTIFACT_MAX_BYTES:
        raise _too_large(len(data))
    return data


def read_text_artifact(data: bytes) -> tuple[dict[str, Any], str]:
    """Return the stamp and the text of a file that `text_artifact` wrote, today or when settings came first.

    Raises `BadInput` above `TEXT_ARTIFACT_MAX_BYTES`, for text that is not UTF-8 and for files of another form.
    """
    if len(data) > TEXT_ARTIFACT_MAX_BYTES:
        raise _too_large(len(data))
    start = data.rfind(_BEHIND + b"{")
    if start >= 0 and data.endswith(_CLOSE):
        return _read_stamp(data[start + len(_BEHIND) : -len(_CLOSE)], data[:start])
    end = data.find(_CLOSE, len(_OPEN) - 1)
    if not data.startswith(_OPEN) or end < 0:
        raise _not_ours("it does not end with settings between two lines of ---")
    return _read_stamp(data[len(_OPEN) : end], data[end + len(_CLOSE) :])


def _read_stamp(before: bytes, written: bytes) -> tuple[dict[str, Any], str]:
    try:
        block, text = before.decode(), written.decode()
    except UnicodeDecodeError as error:
        raise BadInput(
            "This file is not UTF-8 text, so it was damaged or changed after it was saved. Upload the file as "
            "downloaded."
        ) from error
    try:
        stamp = outside.read_json(block, constants=False)
        json.dumps(stamp, ensure_ascii=False).encode()  # "\ud800" is JSON but no text
    except ValueError as error:
        raise _not_ours("what stands between the two lines of --- is not JSON") from error
    if not isinstance(stamp, dict):
        raise _not_ours("its settings are not a JSON object")
    return stamp, text


def text_output(text: str, stamp: Mapping[str, Any], index: int = 0, meta: Mapping[str, Any] | None = None) -> Output:
    """Return the finished output of a text model: the text, its artefact and that artefact's hash.

    `index` counts the variants of one request from 0. Raises `BadInput` as `text_artifact` does.
    """
    data = text_artifact(text, stamp)
    return Output(
        kind="text", index=index, text=text, data=data, media_type="text/plain",
        sha256=hashlib.sha256(data).hexdigest(), meta=dict(meta or {}),
    )  # fmt: skip


def _too_large(size: int) -> BadInput:
    return BadInput(
        f"This text file is {size:,} bytes long; at most {TEXT_ARTIFACT_MAX_BYTES:,} bytes are allowed. Shorten it.",
        bytes=size, limit=TEXT_ARTIFACT_MAX_BYTES,
    )  # fmt: skip


def _not_ours(why: str) -> BadInput:
    return BadInput(
        f"This is not a text file saved by this playground: {why}. Upload a file downloaded here, unchanged, "
        "or paste its text into the prompt."
    )
