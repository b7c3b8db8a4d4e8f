"""The one declaration from which every setting is checked, drawn, linked, swept and printed.

A family declares a `Params` class; `describe` turns it, narrowed by a catalogue entry, into a table of
`ParamField`s. The page draws that table, the CLI checks against it: both say the same words.
"""

from __future__ import annotations

import difflib
import math
import operator
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import annotated_types
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from models.conditions import Above, ShownIf, above, as_condition
from models.errors import BadParam
from models.hints import Cost, hint
from models.types import SEED_MAX, is_number, is_text

__all__ = ["Above", "ShownIf", "above", "hint"]  # a family declares with these; see models.conditions
FieldType = Literal["number", "integer", "toggle", "choice", "tags", "text", "seed"]


class Params(BaseModel):
    """Be the base of every family's params: frozen, no unknown field, every number bounded.

    A number without both bounds, a field without a description, a `shown_if` that names no field, a neutral value that
    the field does not take or a cost of what is no number raises `TypeError` when the class is made, so that a bad
    declaration fails at import.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        described = {name: _describe_field(name, info) for name, info in cls.model_fields.items()}
        for name, item in described.items():
            for condition in ("shown_if", "neutral_unless"):
                missing = set(getattr(item, condition)) - set(described)
                if missing:
                    raise TypeError(f"{cls.__name__}.{name}: {condition} names unknown fields {sorted(missing)}")
                if wrong := impossible(described, getattr(item, condition)):
                    raise TypeError(f"{cls.__name__}.{name}: {condition}: {wrong}")
            for value in item.neutral:
                if wrong := problem(item, value):
                    raise TypeError(f"{cls.__name__}.{name}: neutral: {wrong}")
            if item.cost and item.type not in ("number", "integer"):
                raise TypeError(f"{cls.__name__}.{name}: only a number has a cost, not a {item.type}")


_P = TypeVar("_P", bound=Params)


@dataclass(frozen=True)
class ParamField:
    """Describe one setting as drawn: plain data, no class of the family needed.

    `ge`, `le` and `step` are set for numbers; `optional` means that None ("off") is allowed; `default` is the
    model's own. `shown_if` maps another field's name to the values under which this one acts. At the values in
    `neutral` it has no effect, unless `neutral_unless` holds; `cost` says how the run's time follows it, `names` what
    pages call its choices, `was` is the range of older requests, `counts` says that it is how many outputs are made,
    or answers listed, `instead` what does the same as a value below the range (see `hint`).
    """

    name: str
    label: str
    type: FieldType
    default: Any
    help: str
    optional: bool = False
    ge: float | None = None
    le: float | None = None
    step: float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()
    max_items: int | None = None
    max_length: int | None = None
    group: str = ""
    advanced: bool = False
    live: bool = False
    unit: str = ""
    shown_if: ShownIf = field(default_factory=dict)
    neutral: tuple[Any, ...] = ()
    neutral_unless: ShownIf = field(default_factory=dict)
    cost: Cost = ""
    names: Mapping[str, str] = field(default_factory=dict)
    was: tuple[float, float] | None = None
    counts: bool = False
    instead: str = ""


class Narrowing(BaseModel):
    """Narrow one setting for one model: a catalogue entry's `[params.NAME]` table. It never widens."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    default: JsonValue = None
    ge: float | None = None
    le: float | None = None
    step: float | None = Field(default=None, gt=0)
    choices: tuple[str, ...] | None = None
    hidden: bool = False


def describe(
    params: type[Params],
    narrowings: Mapping[str, Narrowing] | None = None,
    seed_shown_if: ShownIf | None = None,
) -> tuple[ParamField, ...]:
    """Return the table of settings of one model, in declaration order, the seed last.

    A hidden field is left out. Raises `BadParam` where a narrowing names no field, widens a range or sets a
    default outside it.
    """
    narrowings = narrowings or {}
    fields = {name: _describe_field(name, info) for name, info in params.model_fields.items()}
    for name in narrowings:
        if name not in fields:
            raise BadParam(f"params.{name}: no such setting{nearest(name, fields)}; allowed: {', '.join(fields)}.")
    table = [_narrow(item, narrowings.get(item.name)) for item in fields.values()]
    seed = ParamField(
        "seed", "Seed", "seed", 0, "Fixes the randomness. The same seed, prompt and settings give the same result.",
        ge=0, le=SEED_MAX, step=1, group="Sampling", shown_if=dict(seed_shown_if or {}),
    )  # fmt: skip
    return (*(item for item in table if item is not None), seed)


def check(params: type[_P], fields: tuple[ParamField, ...], values: Mapping[str, Any], model: str = "this model") -> _P:
    """Return validated params: `values` over the model's defaults.

    `fields` is the model's table from `describe`. Raises `BadParam` with one sentence per wrong value: what was
    given, what is allowed.
    """
    known = {item.name: item for item in fields if item.type != "seed"}
    strange = [name for name in values if name not in known]
    problems = [f"{name[:60]}: {model} has no such setting{nearest(name, known)}" for name in strange[:9]]
    merged = {name: item.default for name, item in known.items()}
    merged.update({name: taken(known[name], value) for name, value in values.items() if name in known})
    for name, value in merged.items():
        if wrong := problem(known[name], value):
            problems.append(wrong)
    if not problems:
        try:
            return params.model_validate(merged, strict=False)
        except ValidationError as error:
            for one in error.errors():
                name = str(one["loc"][0]) if one["loc"] else ""
                problems.append(_sentence(known.get(name), name, one["input"], one["msg"]))
    raise BadParam("; ".join(problems) + "." * (problems[-1][-1] != "?"), problems=problems)


def taken(item: ParamField, value: Any) -> Any:
    """Return a value as a setting takes it: one of a range that was wider once becomes its nearest end of today."""
    if item.was is None or not is_number(value) or not item.was[0] <= value <= item.was[1]:
        return value
    return sorted((value, item.ge, item.le))[1]


def in_effect(fields: tuple[ParamField, ...], values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the settings that act under `values` (a full set), in table order.

    A setting acts if each field that its `shown_if` names acts too and has one of the listed values.
    """
    holds = conditions(fields, values)
    return tuple(item.name for item in fields if holds(item.shown_if))


def values_in_effect(fields: Sequence[ParamField], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that have an effect under `values` (a full set): those that act and are not neutral."""
    holds = conditions(fields, values)

    def is_neutral(item: ParamField, value: Any) -> bool:
        if value is None or (item.type in ("text", "tags") and not value):
            return True
        return value in item.neutral and not (item.neutral_unless and holds(item.neutral_unless))

    return {
        item.name: values[item.name]
        for item in fields
        if holds(item.shown_if) and not is_neutral(item, values[item.name])
    }


def counted(fields: Sequence[ParamField], values: Mapping[str, Any]) -> int:
    """Return how many outputs a run has by its settings that count them; `values` may leave defaults out."""
    return math.prod(int(values.get(item.name, item.default) or 1) for item in fields if item.counts)


def neutral_values(params: type[Params]) -> dict[str, Any]:
    """Return the value at which each setting has no effect, the first where it has several; the others are left out."""
    described = (_describe_field(name, info) for name, info in params.model_fields.items())
    return {item.name: item.neutral[0] for item in described if item.neutral}


def conditions(fields: Sequence[ParamField], values: Mapping[str, Any]) -> Callable[[ShownIf], bool]:
    """Return what says whether a `shown_if` holds under `values` (a full set); one that names no field never does."""
    by_name = {item.name: item for item in fields}

    def holds(shown_if: ShownIf) -> bool:
        return all(
            other in by_name and holds(by_name[other].shown_if) and values.get(other) in listed
            for other, listed in shown_if.items()
        )

    return holds


def allowed(item: ParamField) -> str:
    """Say in words what a field takes: "0.05 to 2", "one of greedy, sample", "on or off"."""
    if item.type in ("number", "integer", "seed"):
        assert item.ge is not None and item.le is not None
        words = f"{'a whole number from ' if item.type != 'number' else ''}{_short(item.ge)} to {_short(item.le)}"
    elif item.type == "choice":
        named = [f"{choice} ({item.names[choice]})" if choice in item.names else choice for choice in item.choices]
        words = f"one of {', '.join(named)}"
    elif item.type == "toggle":
        words = "on or off (true or false)"
    elif item.type == "tags":
        words = f"a list of at most {item.max_items} texts" if item.max_items else "a list of texts"
    else:
        words = f"a text of at most {item.max_length:,} characters" if item.max_length else "a text"
    return f"{words}, or off (null)" if item.optional else words


def _narrow(item: ParamField, narrowing: Narrowing | None) -> ParamField | None:
    if narrowing is None:
        return item
    if narrowing.hidden:
        return None
    changes: dict[str, Any] = {}
    for bound, wrong in (("ge", operator.lt), ("le", operator.gt)):
        new, old = getattr(narrowing, bound), getattr(item, bound)
        if new is None:
            continue
        new = taken(item, new)
        if old is None or wrong(new, old):
            raise BadParam(f"params.{item.name}.{bound} = {_short(new)} widens what is allowed: {allowed(item)}.")
        changes[bound] = int(new) if item.type == "integer" else new
    if narrowing.choices is not None:
        extra = [choice for choice in narrowing.choices if choice not in item.choices]
        if extra or not narrowing.choices:
            raise BadParam(f"params.{item.name}.choices {extra or 'is empty'}; {allowed(item)} is allowed.")
        changes["choices"] = narrowing.choices
    if narrowing.step is not None:
        changes["step"] = narrowing.step
    if "default" in narrowing.model_fields_set:
        changes["default"] = taken(item, narrowing.default)
    narrowed = replace(item, **changes)
    if narrowed.ge is not None and narrowed.le is not None and narrowed.ge > narrowed.le:
        raise BadParam(f"params.{item.name}: ge {_short(narrowed.ge)} is above le {_short(narrowed.le)}.")
    if unfit := problem(narrowed, narrowed.default):
        raise BadParam(f"params.{unfit}.")
    return narrowed


def limited(
    item: ParamField, *, ge: float | None = None, le: float | None = None, choices: Sequence[str] | None = None
) -> ParamField:
    """Return a setting narrowed to what a model's files allow; the default moves inside, and at least one value stays.

    Choices of which none would be left stay as they are.
    """
    changes: dict[str, Any] = {}
    if item.ge is not None and item.le is not None:
        kind = int if item.type == "integer" else float
        most = item.le if le is None else min(item.le, kind(le))
        least = min(item.ge if ge is None else max(item.ge, kind(ge)), most)
        changes = {"ge": least, "le": most}
        if item.default is not None:
            changes["default"] = min(max(item.default, least), most)
    elif choices is not None and (chosen := tuple(name for name in item.choices if name in choices)):
        keeps = item.default in chosen or (item.default is None and item.optional)
        changes = {"choices": chosen, "default": item.default if keeps else chosen[0]}
    return replace(item, **changes)


def problem(item: ParamField, value: Any) -> str:
    """Return a sentence if `value` has the wrong type or lies outside the model's own range, else ""."""
    if value is None:
        return "" if item.optional else _sentence(item, item.name, value)
    good = {
        "number": is_number(value),
        "integer": is_number(value) and value == int(value),
        "seed": is_number(value) and value == int(value),
        "toggle": isinstance(value, bool),
        "choice": isinstance(value, str) and value in item.choices,
        "tags": isinstance(value, list | tuple) and all(map(is_text, value)) and len(value) <= (item.max_items or 1e9),
        "text": is_text(value) and (item.max_length is None or len(value) <= item.max_length),
    }[item.type]  # fmt: skip
    if good and item.type in ("number", "integer", "seed"):
        assert item.ge is not None and item.le is not None
        good = item.ge <= value <= item.le
    return "" if good else _sentence(item, item.name, value)


def _sentence(item: ParamField | None, name: str, value: Any, message: str = "") -> str:
    long = isinstance(value, int) and value.bit_length() > 10_000  # Python writes no number of thousands of digits
    shown = "a huge number" if long else repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}…"
    if item is None:
        return f"{name}: {shown} ({message})"
    below = item.instead and item.ge is not None and is_number(value) and value < item.ge
    return f"{name} is {shown}; it must be {allowed(item)}" + (f" ({item.instead})" if below else "")


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """Return the end of a sentence on an unknown name: "; did you mean temperature?", "" where none is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _short(number: float) -> str:
    return f"{number:g}" if abs(number) < 1e6 else str(int(number))


def _describe_field(name: str, info: FieldInfo) -> ParamField:
    extra = dict(info.json_schema_extra) if isinstance(info.json_schema_extra, Mapping) else {}
    if not info.description:
        raise TypeError(f"{name}: a setting needs a description that says what it does to the output")
    if info.is_required():
        raise TypeError(f"{name}: a setting needs a default")
    kind, optional = _unwrap_optional(info.annotation)
    bounds = {type(one): one for one in info.metadata}
    ge = getattr(bounds.get(annotated_types.Ge), "ge", None)
    le = getattr(bounds.get(annotated_types.Le), "le", None)
    limit = getattr(bounds.get(annotated_types.MaxLen), "max_length", None)
    origin = typing.get_origin(kind)
    common: dict[str, Any] = {
        "name": name,
        "label": extra.get("label") or name.replace("_", " ").capitalize(),
        "default": info.get_default(call_default_factory=True),
        "help": info.description,
        "optional": optional,
        "group": extra.get("group", ""),
        "advanced": bool(extra.get("advanced", False)),
        "live": bool(extra.get("live", False)),
        "unit": extra.get("unit", ""),
        "shown_if": as_condition(extra.get("shown_if"), f"{name}: shown_if"),
        "neutral": _several(extra["neutral"]) if "neutral" in extra else (),
        "neutral_unless": as_condition(extra.get("neutral_unless"), f"{name}: neutral_unless"),
        "cost": extra.get("cost", ""),
        "was": extra.get("was"),
        "names": extra.get("names", {}),
        "counts": bool(extra.get("counts", False)),
        "instead": extra.get("instead", ""),
    }
    if kind in (int, float):
        if ge is None or le is None:
            raise TypeError(f"{name}: a number needs both bounds, Field(ge=…, le=…)")
        log = bool(extra.get("log", False))
        if log and ge <= 0:
            raise TypeError(f"{name}: a logarithmic setting needs ge above 0")
        step = float(str(extra.get("step") or (1 if kind is int else (le - ge) / 100)))
        return ParamField(type="integer" if kind is int else "number", ge=ge, le=le, step=step, log=log, **common)
    if kind is bool:
        return ParamField(type="toggle", **common)
    if origin is Literal:
        return ParamField(type="choice", choices=tuple(typing.get_args(kind)), **common)
    if origin in (list, tuple) and typing.get_args(kind)[0] is str:
        return ParamField(type="tags", max_items=limit, **common)
    if kind is str:
        return ParamField(type="text", max_length=limit, **common)
    raise TypeError(f"{name}: no widget draws {info.annotation!r}; allowed: int, float, bool, Literal, list[str], str")


def impossible(table: Mapping[str, ParamField], shown_if: ShownIf) -> str:
    """Return a sentence about a value in a condition that the setting which it names never has, else ""."""
    for other, values in shown_if.items():
        item = table.get(other)
        if item is None or isinstance(values, Above):
            continue
        if wrong := next((said for value in values if (said := problem(item, value))), ""):
            return wrong
    return ""


def _several(given: Any) -> tuple[Any, ...]:
    return given if isinstance(given, tuple) else (given,)


def _unwrap_optional(annotation: Any) -> tuple[Any, bool]:
    parts = [part for part in typing.get_args(annotation) if part is not type(None)]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType) and len(parts) == 1:
        return parts[0], True
    return annotation, False
