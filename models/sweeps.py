"""One setting at several values, all else alike: a sweep is one job whose requests differ in that setting alone.

Pure values, for any model; `three` proposes the values of a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.errors import BadParam
from models.params import ParamField, in_effect
from models.types import SEED_MAX, Request

PURPOSE = "sweep"  # of the job
MOST = 8  # values


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


def build(fields: Sequence[ParamField], request: Request, name: str, values: Sequence[Any]) -> list[Request]:
    """Return a request for each value of the setting `name`; of the others those that act beside it, as they were.

    Raises `BadParam` for a setting that the model does not have, and for too few or too many values.
    """
    known = {item.name: item for item in fields}
    if name not in known:
        raise BadParam(f"{name}: {request.model} has no such setting; it has: {', '.join(known)}.")
    if not 2 <= len(values) <= MOST:
        raise BadParam(
            f"{name} has {len(values)} value{'s' * (len(values) != 1)} to compare; give 2 to {MOST} of them."
        )
    found = []
    for value in values:
        if name == "seed":
            found.append(request.model_copy(update={"seed": value}))
            continue
        full = {**{item.name: item.default for item in fields}, **request.params, name: value}
        acting = set(in_effect(tuple(fields), {**full, "seed": request.seed}))
        if name not in acting:
            raise BadParam(f"{known[name].label} has no effect under the other settings. Change those first.")
        params = {key: full[key] for key in full if key in acting and (key in request.params or key == name)}
        # what begins to act beside this value alone has its default
        found.append(request.model_copy(update={"params": params}))
    return found
