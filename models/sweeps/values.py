"""The values of an axis: as a person writes them, over a range, or three around the one at hand."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from models.errors import BadParam
from models.params import ParamField, nearest, problem
from models.sweeps.spec import CELLS_MOST, TOLD_MOST, Axis, Sweep
from models.types import SEED_MAX, Request


def three(item: ParamField, now: Any) -> tuple[Any, ...]:
    """Return up to three values of a setting, in order: what it is now and one to each side; () where it has but one.

    Numbers go half of the way to each end of their range (in ratios where the slider is logarithmic), choices on to the
    next two, a seed to the next two; a setting that is off begins with off. Texts and lists have none.
    """
    if item.type == "toggle":
        return (False, True)
    if item.type == "seed":
        return tuple((int(now) + step) % (SEED_MAX + 1) for step in range(3))
    found: list[Any] = []
    if item.type == "choice":
        ring = [None, *item.choices] if item.optional else list(item.choices)
        at = ring.index(now) if now in ring else 0
        found = [ring[(at + step) % len(ring)] for step in range(min(3, len(ring)))]
    elif item.type in ("number", "integer"):
        found = _numbers(item, now)
    return tuple(found) if len(found) > 1 else ()


STEP = 0.1  # of a slider's length


def nudged(item: ParamField, now: Any) -> tuple[Any, ...]:
    """Return where one step from its value leads a setting: the first that a model takes is meant; () for none.

    A number moves by a tenth of its slider, at least by one of the slider's steps, up or, where that is beyond its end,
    down; a choice goes on to the next one; a toggle is turned. A number that is off is set to a third of the way.
    Texts, lists and the seed have no step.
    """
    if item.type == "toggle":
        return (not now,)
    if item.type == "choice":
        ring = list(item.choices)
        at = ring.index(now) if now in ring else -1
        return tuple(ring[(at + step) % len(ring)] for step in range(1, len(ring) + (at < 0)))
    if item.type not in ("number", "integer"):
        return ()
    assert item.ge is not None and item.le is not None and item.step is not None
    if now is None:
        return (_on_step(item, _between(item, item.ge, item.le, 1 / 3)),)
    length = STEP * (math.log(item.le / item.ge) if item.log else item.le - item.ge)

    def moved(side: int) -> float:
        assert item.step is not None
        value = float(now)
        return value * math.exp(side * length) if item.log else value + side * max(length, item.step)

    sides = (1, -1) if moved(1) <= item.le * (1 + 1e-9) else (-1, 1)
    # a whole number may be too small for a tenth of a logarithmic slider
    found = [_on_step(item, one) for side in sides for one in (moved(side), now + side * item.step)]
    return tuple(one for one in dict.fromkeys(found) if one != now)


def _numbers(item: ParamField, now: Any) -> list[Any]:
    assert item.ge is not None and item.le is not None
    low, high = item.ge, item.le
    if now is None:
        off: list[Any] = [None]
        return off + _distinct(item, [_between(item, low, high, share) for share in (1 / 3, 2 / 3)])
    if now <= low or now >= high:
        values = [low, _between(item, low, high, 0.5), high]
    else:
        values = [_between(item, low, now, 0.5), now, _between(item, now, high, 0.5)]
    found = _distinct(item, values)
    return found if now in found else _distinct(item, [*values, now])


def _between(item: ParamField, low: float, high: float, share: float) -> float:
    return low * (high / low) ** share if item.log else low + (high - low) * share


def _distinct(item: ParamField, values: Sequence[float]) -> list[Any]:
    """Return values on the slider's steps, each once, in order."""
    return sorted({_on_step(item, value) for value in values})


def _on_step(item: ParamField, value: float) -> Any:
    assert item.ge is not None and item.le is not None and item.step is not None
    value = float(f"{value:.3g}") if item.log else item.ge + round((value - item.ge) / item.step) * item.step
    value = min(max(value, item.ge), item.le)
    return round(value) if item.type == "integer" else round(value, 6)


def usual(fields: Sequence[ParamField], name: str, request: Request) -> list[Any]:
    """Return three values to compare of a setting, about a request's own. Raises `BadParam` for an unknown one."""
    known = {item.name: item for item in fields}
    if name not in known:
        raise BadParam(
            f"{request.model} has no setting {name[:60]!r} to vary{nearest(name, known) or '.'} Values go with --value."
        )
    item = known[name]
    return [*three(item, request.seed if item.type == "seed" else request.params.get(name, item.default))]


def over(request: Request, name: str, values: Sequence[Any]) -> Sweep:
    """Return the sweep of one setting over some values. Raises `BadParam` for fewer than two."""
    if len(values) < 2:
        raise BadParam(f"{name} has {len(values)} value{'s' * (len(values) != 1)} to compare; give 2 or more of them.")
    return Sweep(request, (Axis(name, tuple(values)),))


def between(item: ParamField, start: float, end: float, count: int) -> tuple[Any, ...]:
    """Return up to `count` values of a number from `start` to `end`, on the slider's steps, each once.

    In equal ratios where the slider is logarithmic. Raises `BadParam` for a range that is empty, reversed or outside of
    the setting's own.
    """
    for wanted in (start, end):
        if said := problem(item, wanted):
            raise BadParam(f"{said}.")
    if not start < end:
        raise BadParam(f"{item.label} from {start:g} to {end:g} is no range: the end must be above the start.")
    if not 2 <= count <= CELLS_MOST:
        raise BadParam(f"{item.label} has {count} values; from 2 to {CELLS_MOST:,} are allowed.")
    if item.type == "seed":
        return tuple(sorted({round(start + (end - start) * at / (count - 1)) for at in range(count)}))
    return tuple(_distinct(item, [_between(item, start, end, at / (count - 1)) for at in range(count)]))


def listed(item: ParamField, text: str) -> tuple[Any, ...]:
    """Return the values that a person wrote: separated by commas, a text setting's one to a line; "off" is None.

    Raises `BadParam` that names those which are none.
    """
    lines = item.type in ("text", "tags")
    parts = [part.strip() for part in (text.splitlines() if lines else re.split(r"[,;\n]", text)) if part.strip()]
    if not parts:
        raise BadParam(f"{item.label} has no values. Write them {'one to a line' if lines else 'with commas between'}.")
    found = [_written(item, part) for part in parts]
    if wrong := list(dict.fromkeys(said for value in found if (said := problem(item, value)))):
        raise BadParam(f"{'; '.join(wrong[:TOLD_MOST])}.", problems=wrong)
    return tuple(found)


def _written(item: ParamField, part: str) -> Any:
    if item.optional and part.lower() == "off":
        return None
    if item.type == "toggle":
        return {"on": True, "true": True, "off": False, "false": False}.get(part.lower(), part)
    if item.type == "choice":
        return next((name for name, shown in item.names.items() if shown.lower() == part.lower()), part)
    if item.type == "tags":
        return [part]
    if item.type == "text":
        return part
    try:
        return int(part) if item.type in ("integer", "seed") else float(part)
    except ValueError:
        return part
