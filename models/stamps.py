"""What a result's file says of its making, in any room: the stamp read back, and a name for the file.

The stamp is plain JSON: the whole request and the versions that caused the result. How it lies in a file is the
business of each kind of file: text chunks of a PNG, a comment of a WAV, the front matter of a text.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from models import outside
from models.errors import BadInput
from models.types import PARTS_MAX, SEED_MAX, Output, is_number

OWN = "playground"  # the source of a file made here
TEXT_MAX_CHARS = 200_000  # of the settings in a file
MODEL_MAX_CHARS = 200
_NAME_MAX = 80
_TYPES = mimetypes.MimeTypes()  # the library's own table, whatever the machine's files say
_GAPS = {  # of that table
    "audio/wav": ".wav", "audio/flac": ".flac", "audio/midi": ".mid", "audio/ogg": ".ogg", "text/vnd.abc": ".abc",
    "application/safetensors": ".safetensors", "application/xml": ".xml", "application/gzip": ".gz",
    "text/markdown": ".md", "model/gltf-binary": ".glb",
}  # fmt: skip


@dataclass(frozen=True)
class Recovered:
    """Hold what a file says of its making, in our names.

    `source` is the program: "playground" for ours. `unknown` names, one sentence each, what cannot be taken and what is
    altered. `seed` is None where the file names none that can be had; `new_seed` where it asks for a new one at each
    run (−1). `made_with` is what another program calls its model. `facts` are what a file made here says beside its
    request: revision, versions, device, dtype, threads.
    """

    source: str
    model: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    unknown: list[str] = field(default_factory=list)
    new_seed: bool = False
    made_with: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Say whether the file was made here."""
        return self.source == OWN


@dataclass(frozen=True)
class Reader:
    """Say how one kind of file tells its making; a room's `saved.py` lists its readers (see `models.readers`).

    `name` is the word for such a file in a sentence, `endings` what its name may end in, without the dot. `knows(data)`
    looks at the first bytes. `read(data)` returns what the file says, None where it says nothing; it raises `BadInput`
    for a file that is damaged, too large, or of another kind. After both, the next reader that knows the file is asked.
    """

    name: str
    endings: tuple[str, ...]
    knows: Callable[[bytes], bool]
    read: Callable[[bytes], Recovered | None]


@dataclass(frozen=True)
class SheetMaker:
    """Say how outputs of a kind are laid out on a sheet of many; a room's `saved.py` may have one as `SHEETS`.

    `seen(output, data)` returns what stands for an output on the sheet, as Pillow's RGB, from the bytes of its file; it
    raises `PlaygroundError` for a file that is damaged. `save(sheet, stamp, ending)` returns the sheet's file, "png" or
    "jpg", with its settings inside as in the room's other files.
    """

    kind: str
    seen: Callable[[Output, bytes], Any]
    save: Callable[[Any, Mapping[str, Any], str], bytes]


def own_settings(text: str, what: str) -> Recovered:
    """Return the settings in a file made here, from its JSON of index and stamp.

    `what` is what the message calls the file. Raises `BadInput` for damaged JSON.
    """
    try:
        return own_stamp(outside.read_json(text)["stamp"])
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise damaged(what) from error


def own_stamp(stamp: Any) -> Recovered:
    """Return the settings and facts of a stamp as plain JSON. Raises `ValueError` and its like for what is none."""
    facts = {str(name): value for name, value in stamp.items() if name != "request"}
    return replace(own_request(stamp["request"]), facts=facts)


class NoRequest(ValueError):
    """Say which part of JSON makes it no request of ours: a sentence without its dot."""


def own_request(request: Any) -> Recovered:
    """Return the settings of a request as plain JSON. Raises `NoRequest` for what is none."""
    kinds = {"model": (str, "a text"), "inputs": (dict, "an object of texts"), "params": (dict, "an object"),
             "seed": (int | float, f"a whole number from 0 to {SEED_MAX}")}  # fmt: skip
    for name, (kind, words) in kinds.items():
        if not isinstance(request, Mapping) or name not in request:
            raise NoRequest(f"it has no “{name}”")
        value = request[name]
        whole = name != "seed" or (is_number(value) and 0 <= value <= SEED_MAX and value == int(value))
        if not isinstance(value, kind) or not whole:
            raise NoRequest(f"{name} is {str(value)[:40]!r}; it must be {words}")
    inputs, params = request["inputs"], dict(request["params"])
    for name, text in inputs.items():
        if not isinstance(text, str):
            raise NoRequest(f"inputs.{str(name)[:40]} is {str(text)[:40]!r}; it must be a text")
    if (many := max(len(inputs), len(params))) > PARTS_MAX:
        raise NoRequest(f"it has {many} parts; at most {PARTS_MAX} are read")
    return Recovered(OWN, request["model"][:MODEL_MAX_CHARS], dict(inputs), params, int(request["seed"]))


def damaged(what: str) -> BadInput:
    """Return the error for settings of ours that cannot be read; `what` is a word for the file."""
    return BadInput(f"The settings in this {what} are damaged: it was changed after it was saved.")


def ending(media_type: str) -> str:
    """Return the ending of files of a media type, without the dot; "" for a type that nobody knows."""
    media_type = media_type.partition(";")[0].strip().lower()
    return (_GAPS.get(media_type) or _TYPES.guess_extension(media_type, strict=False) or "").removeprefix(".")


def file_name(model: str, seed: int, index: int = 0, media_type: str = "text/plain") -> str:
    """Return a name for a download, such as `story-gpt-seed7.txt`, safe on every file system.

    `model` is a model or run id; its last part is used. `index` counts from 0; the second variant ends in `-2`.
    A media type that nobody knows gives `.bin`.
    """
    stem = re.sub(r"[^a-z0-9._-]+", "-", model.rsplit("/", 1)[-1].lower())[:_NAME_MAX].strip("._-") or "result"
    variant = f"-{index + 1}" if index else ""
    return f"{stem}-seed{seed}{variant}.{ending(media_type) or 'bin'}"
