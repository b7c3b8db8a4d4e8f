"""What a result's file says of its making, in any room: the stamp read back, and a name for the file.

The stamp is plain JSON: the whole request and the versions that caused the result. How it lies in a file is the
business of each kind of file: text chunks of a PNG, a comment of a WAV, the front matter of a text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from models.errors import BadInput

TEXT_MAX_CHARS = 200_000  # of the settings in a file
_NAME_MAX = 80
_EXTENSIONS = {
    "text/plain": "txt", "application/json": "json", "image/png": "png", "image/gif": "gif",
    "audio/wav": "wav", "audio/flac": "flac", "audio/mpeg": "mp3", "audio/midi": "mid", "text/vnd.abc": "abc",
    "application/safetensors": "safetensors",
}  # fmt: skip


@dataclass(frozen=True)
class Recovered:
    """Hold what a file says of its making, in our names. `unknown` lists settings that have no name here."""

    source: Literal["playground", "webui"]
    model: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    unknown: list[str] = field(default_factory=list)


def own_settings(text: str, what: str) -> Recovered:
    """Return the settings in a file made here, from its JSON of index and stamp.

    `what` is what the message calls the file. Raises `BadInput` for damaged JSON.
    """
    try:
        request = json.loads(text)["stamp"]["request"]
        inputs = {str(name): str(value) for name, value in request["inputs"].items()}
        seed = int(request["seed"])
        return Recovered("playground", str(request["model"]), inputs, dict(request["params"]), seed)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInput(f"The settings in this {what} are damaged: it was changed after it was saved.") from error


def ending(media_type: str) -> str:
    """Return the ending of files of a media type, without the dot; "" for a type that nobody knows."""
    return _EXTENSIONS.get(media_type, "")


def file_name(model: str, seed: int, index: int = 0, media_type: str = "text/plain") -> str:
    """Return a name for a download, such as `story-gpt-seed7.txt`, safe on every file system.

    `model` is a model or run id; its last part is used. `index` counts from 0; the second variant ends in `-2`.
    A media type without a known extension gives `.bin`.
    """
    stem = re.sub(r"[^a-z0-9._-]+", "-", model.rsplit("/", 1)[-1].lower())[:_NAME_MAX].strip("._-") or "result"
    variant = f"-{index + 1}" if index else ""
    return f"{stem}-seed{seed}{variant}.{_EXTENSIONS.get(media_type, 'bin')}"
