"""Settings under a name: a family's own, with their source, and a reader's, as a small file that can be passed on.

A preset names some settings; those that it does not name stay as they are. One that a model does not have, or whose
value lies outside of its range, is told and left out, and stays in the preset for other models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models import outside
from models.errors import BadInput
from models.params import ParamField, problem, taken
from models.types import PARTS_MAX, is_number, is_text

VERSION = 1
FILE_MAX_BYTES = 100_000
MOST = 50  # of one owner and family
NAME_MAX, ABOUT_MAX, TEXT_MAX = 40, 200, 20_000  # characters
_PARTS = {"name": NAME_MAX, "about": ABOUT_MAX, "source": ABOUT_MAX}


@dataclass(frozen=True)
class Preset:
    """Hold settings under a name: `about` says what they do, `source` who recommends them, "" for the reader.

    `params` are plain JSON by the settings' names; None switches an optional one off. The seed is none of them. Raises
    `TypeError` for what is none of these.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse a wrong declaration, so that it fails at import."""
        if said := wrong(self.to_plain()):
            raise TypeError(f"Preset {self.name!r} {said}")

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON, without what is empty."""
        told = {"name": self.name, "about": self.about, "source": self.source, "params": dict(self.params)}
        return {name: value for name, value in told.items() if value != ""}


@dataclass(frozen=True)
class Change:
    """Hold one setting that a preset moves: from the value at hand to its own."""

    item: ParamField
    now: Any
    then: Any


def note_of(family: str) -> str:
    """Return the name of the note in which an owner's presets for a family are kept."""
    return f"presets-{family}"


def fit(
    fields: Sequence[ParamField], preset: Preset, now: Mapping[str, Any]
) -> tuple[list[Change], list[str]]:  # fmt: skip
    """Return what a preset changes of the settings `now`, and sentences about what a model cannot take of it."""
    known = {item.name: item for item in fields if item.type != "seed"}
    found, said = [], []
    for name, value in preset.params.items():
        item = known.get(name)
        if item is None:
            said.append(f"{name[:60]}: this model has no such setting")
            continue
        then = taken(item, value)
        if unfit := problem(item, then):
            said.append(unfit)
        elif then != now.get(name, item.default):
            found.append(Change(item, now.get(name, item.default), then))
    return found, said


def of_settings(name: str, fields: Sequence[ParamField], values: Mapping[str, Any], about: str = "") -> Preset:
    """Return what differs from a model's defaults as a preset. Raises `BadInput` for a name that is none."""
    differing = {
        item.name: values[item.name] for item in fields
        if item.type != "seed" and item.name in values and values[item.name] != item.default
    }  # fmt: skip
    plain = {"name": " ".join(name.split()), "about": about, "params": differing}
    return _read_one({key: value for key, value in plain.items() if value != ""}, "The preset")


def to_json(family: str, presets: Sequence[Preset]) -> str:
    """Return presets as the text of a file, which `read` reads."""
    body = {"v": VERSION, "family": family, "presets": [one.to_plain() for one in presets]}
    return json.dumps(body, ensure_ascii=False, indent=2)


def read(text: str | bytes, family: str, what: str = "The file") -> tuple[list[Preset], list[str]]:
    """Return the presets in a file and a sentence for each part that cannot be taken.

    Raises `BadInput` for a file that is no such file at all, is too large, of another version or another family.
    """
    size = len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    if size > FILE_MAX_BYTES:
        raise BadInput(f"{what} is {size:,} bytes long; a file of presets has at most {FILE_MAX_BYTES:,}.")
    try:
        found = outside.read_json(text)
    except outside.Unreadable as error:
        raise BadInput(f"{what} is no file of presets: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("presets"), list):
        raise BadInput(f"{what} is no file of presets: it must be an object with a list “presets”.")
    if found.get("v") != VERSION:
        raise BadInput(f"{what} is of version {_shown(found.get('v'))}; this app reads version {VERSION}.")
    if found.get("family") != family:
        raise BadInput(f"{what} is for models of the family {_shown(found.get('family'))}; this one is {family}.")
    presets: list[Preset] = []
    said = [f"unknown part {_shown(name)}" for name in found if name not in ("v", "family", "presets")]
    for number, one in enumerate(found["presets"][:MOST], 1):
        try:
            presets.append(_read_one(one, f"Preset {number}"))
        except BadInput as error:
            said.append(error.message)
    if len(found["presets"]) > MOST:
        said.append(f"Only the first {MOST} of {len(found['presets']):,} presets are taken.")
    return presets, said


def read_kept(found: Any) -> list[Preset]:
    """Return presets from what was kept, a list of plain JSON; what is damaged is left out."""
    presets = []
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict) and not wrong(one):
            presets.append(Preset(one["name"], one["params"], one.get("about", ""), one.get("source", "")))
    return presets[:MOST]


def joined(mine: Sequence[Preset], new: Sequence[Preset]) -> list[Preset]:
    """Return presets with new ones, which take the place of those of the same name. Raises `BadInput` above `MOST`."""
    by_name = {one.name: one for one in mine} | {one.name: one for one in new}
    if len(by_name) > MOST:
        raise BadInput(f"That would be {len(by_name)} presets; at most {MOST} are kept. Delete some first.")
    return list(by_name.values())


def _read_one(one: Any, what: str) -> Preset:
    if said := wrong(one):
        raise BadInput(f"{what} {said}")
    return Preset(one["name"], one["params"], one.get("about", ""), one.get("source", ""))


def wrong(one: Any) -> str:
    """Return what is wrong with a preset as plain JSON, to follow its name; "" for nothing."""
    if not isinstance(one, dict):
        return f"is {_shown(one)}; it must be an object with name and params."
    if strange := [name for name in one if name not in (*_PARTS, "params")]:
        return f"has an unknown part {_shown(strange[0])}; name, about, source and params are known."
    for part, most in _PARTS.items():
        value = one.get(part, "")
        if not is_text(value) or len(value) > most or (part == "name" and not value.strip()):
            least = "1 to" if part == "name" else "at most"
            return f"has the {part} {_shown(value)}; it must be a text of {least} {most} characters."
    params = one.get("params")
    if not isinstance(params, Mapping) or len(params) > PARTS_MAX:
        return f"has the params {_shown(params)}; they must be an object of at most {PARTS_MAX} settings."
    for name, value in params.items():
        if not _is_value(value):
            return f"has {_shown(value)} for {_shown(name)}; a setting is a number, a text, true, false, null or texts."
    return ""


def _is_value(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= PARTS_MAX and all(is_text(one) and len(one) <= TEXT_MAX for one in value)
    if isinstance(value, str):
        return is_text(value) and len(value) <= TEXT_MAX
    return value is None or isinstance(value, bool) or is_number(value)


def _shown(value: Any) -> str:
    long = isinstance(value, int) and value.bit_length() > 10_000  # Python writes no number of thousands of digits
    text = "a huge number" if long else repr(value).encode("utf-8", "replace").decode()
    return text if len(text) <= 60 else f"{text[:57]}…"
