"""What a sweep is: a request and its axes, as a small JSON file that page, shell and links share.

    {"v": 1, "request": {"model": "text/story-gpt", "inputs": {"prompt": "Once"}, "params": {}, "seed": 0},
     "axes": [{"name": "temperature", "values": [0.3, 0.8]}, {"name": "seed", "values": [0, 1, 2]}]}

An axis names a setting, `seed`, `model` or `inputs.NAME`. The first axis makes rows, the second columns, the third tabs
and the fourth a strip that plays. A file holds no results: they are found by their requests.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from models.errors import BadInput
from models.outside import Unreadable, read_json
from models.types import Request, is_text

PURPOSE = "sweep"  # of the job
VERSION = 1
AXES_MOST = 4
CELLS_MOST = 2000
FILE_MAX_BYTES = 1_000_000
TOLD_MOST = 8  # faults of one file
MODEL, SEED, INPUT = "model", "seed", "inputs."


@dataclass(frozen=True)
class Axis:
    """Hold the values that one thing takes, in order: a setting, the seed, the model or an input."""

    name: str
    values: tuple[Any, ...]

    @property
    def input(self) -> str:
        """Return the input that the axis varies, "" for none."""
        return self.name.removeprefix(INPUT) if self.name.startswith(INPUT) else ""


@dataclass(frozen=True)
class Sweep:
    """Hold a request and the axes along which it is varied."""

    request: Request
    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return how many values each axis has."""
        return tuple(len(axis.values) for axis in self.axes)

    def axis(self, name: str) -> Axis | None:
        """Return the axis of this name, if there is one."""
        return next((axis for axis in self.axes if axis.name == name), None)

    def without(self, name: str) -> Sweep:
        """Return the sweep less one axis."""
        return replace(self, axes=tuple(axis for axis in self.axes if axis.name != name))

    def to_json(self) -> str:
        """Return the one JSON text of this sweep, which `read` takes."""
        axes = [{"name": axis.name, "values": list(axis.values)} for axis in self.axes]
        content = {"v": VERSION, "request": self.request.model_dump(), "axes": axes}
        return json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False)


class _Axis(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    values: list[JsonValue] = Field(min_length=1, max_length=CELLS_MOST)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    v: int
    request: Request
    axes: list[_Axis] = Field(min_length=1, max_length=AXES_MOST)


def read(data: bytes | str, name: str = "The sweep file") -> Sweep:
    """Return the sweep that a file describes. Raises `BadInput` that names each wrong part; `name` begins it.

    Whether the model has these settings and takes these values is for `models.sweeps.cells.plan` to say.
    """
    content = _content(data, name)
    version = content.get("v") if isinstance(content, dict) else None
    if isinstance(content, dict) and (type(version) is not int or version != VERSION):
        given = "does not say its version" if version is None else f"has the version v = {_shown(version)}"
        raise BadInput(f'{name} {given}; this playground reads "v": {VERSION}.')
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        _refuse(name, [_fault(one) for one in error.errors(include_url=False)])
    sweep = Sweep(file.request, tuple(Axis(axis.name, tuple(axis.values)) for axis in file.axes))
    if faults := list(_axis_faults(sweep)):
        _refuse(name, faults)
    return sweep


def is_one(data: bytes) -> bool:
    """Say whether a file is meant as a sweep's, whether or not it can be used: JSON that has axes."""
    try:
        content = read_json(data, most=FILE_MAX_BYTES)
    except Unreadable:
        return False
    return isinstance(content, dict) and "axes" in content


def check_size(shape: tuple[int, ...]) -> None:
    """Refuse a sweep of too many cells, with what would fit. Raises `BadInput`."""
    cells, longest = math.prod(shape), max(shape)
    if cells <= CELLS_MOST:
        return
    times = f" ({' × '.join(f'{many:,}' for many in shape)})" if len(shape) > 1 else ""
    fits = CELLS_MOST * longest // cells  # values of the longest axis beside the others as they are
    advice = "Give it fewer values."
    if len(shape) > 1:
        advice = f"Give the longest axis {fits:,} values or fewer."
        if fits < 2:
            advice = f"Give each axis {int(CELLS_MOST ** (1 / len(shape))):,} values or fewer."
    raise BadInput(f"This sweep has {cells:,} cells{times}; at most {CELLS_MOST:,} are allowed. {advice}")


def _content(data: bytes | str, name: str) -> Any:
    try:
        return read_json(data, most=FILE_MAX_BYTES, constants=False)
    except Unreadable as error:
        raise BadInput(f"{name} {error}. It must be a JSON file that describes a sweep.") from None


def _axis_faults(sweep: Sweep) -> Iterator[str]:
    for part, given in (("inputs", sweep.request.inputs), ("params", sweep.request.params)):
        if not all(name and is_text(name) for name in given):
            yield f"request.{part} has a name that is empty, or holds half of a character"
    names = [axis.name for axis in sweep.axes]
    for at, axis in enumerate(sweep.axes):
        where = f"axes.{at} ({_short(axis.name)})"
        if names.index(axis.name) < at:
            yield f"{where} is there twice; each axis must vary something else"
        if axis.name == INPUT:
            yield f"{where} names no input; write inputs.prompt or another"
        if axis.input or axis.name == MODEL:
            kind = "texts" if axis.input else "models' names"
            if not all(is_text(value) and value for value in axis.values):
                yield f"{where} must have {kind} as values"
        if any(isinstance(value, dict) for value in axis.values):
            yield f"{where} has an object among its values; a value is a number, a text, true, false, null or a list"


_KINDS = {
    "model": "an object with names and values", "dict": "an object with names and values", "list": "a list",
    "string": "a text", "int": "a whole number", "float": "a number", "bool": "true or false",
}  # fmt: skip


def _fault(one: Any) -> str:
    """Say in plain words what pydantic says of one part."""
    where = ".".join(str(part) for part in one["loc"]) or "it"
    kind, bounds, given = one["type"], one.get("ctx", {}), one["input"]
    if kind == "missing":
        return f"{where} is missing"
    if kind == "extra_forbidden":
        return f"{where} is not known"
    short = kind.endswith("too_short")
    if short and not given:
        return f"{where} is empty; at least one is needed"
    if short or kind.endswith("too_long"):
        limit = bounds.get("min_length" if short else "max_length")
        what = " characters" if isinstance(given, str) else ""
        wanted = f"{limit:,} or more" if short else f"at most {limit:,}"
        return f"{where} has {len(given):,}{what}; it must have {wanted}"
    for name, said in (("ge", "or more"), ("le", "or less")):
        if name in bounds:
            return f"{where} is {_shown(given)}; it must be {bounds[name]:,} {said}"
    if (name := kind.split("_", 1)[0]) in _KINDS:
        return f"{where} is {_shown(given)}; it must be {_KINDS[name]}"
    said = one["msg"].removeprefix("Value error, ")
    return f"{where} is {_shown(given)}: {said[:1].lower()}{said[1:]}"


def _refuse(name: str, faults: list[str]) -> NoReturn:
    told = faults[:TOLD_MOST]
    more = f"; and {len(faults) - TOLD_MOST} more" if len(faults) > TOLD_MOST else ""
    raise BadInput(f"{name} cannot be used: {'; '.join(told)}{more}.", problems=faults)


def _shown(value: Any) -> str:
    """Return a value as it stands in a file of JSON, cut where it is long."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return "a huge number"
    return _short(json.dumps(value, ensure_ascii=False, default=repr))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
