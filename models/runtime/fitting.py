"""What to change where a run does not fit into memory: its settings, or its model. No torch."""

from __future__ import annotations

import math
from typing import Any

from models.catalog import Catalog
from models.errors import NotEnoughMemory, PlaygroundError
from models.params import ParamField, Params
from models.types import Request

_SETTINGS_NAMED, _MODELS_NAMED = 2, 3
_HALVINGS = 24


def explained(error: NotEnoughMemory, catalog: Catalog, request: Request, params: Params) -> NotEnoughMemory:
    """Return a refusal of a run with what would fit in the room that its details name (`room_bytes`).

    A setting is named with the value nearest to the one asked for, all others as they are; else models of the same room
    that fit with their own defaults. An error without a room stays as it is.
    """
    room = error.details.get("room_bytes")
    if room is None or error.details.get("fresh"):
        return error
    settings = settings_that_fit(catalog, request, params, room)
    models = [] if settings else models_that_fit(catalog, request, room + error.details.get("needed_bytes", 0))
    if settings:
        advice = f"This would fit: {', or '.join(settings)}."
    elif models:
        advice = f"These models would fit: {', '.join(models)}."
    else:
        return error
    details = {**error.details, "settings": settings, "models": models}
    return NotEnoughMemory(f"{error.message.removesuffix(_SMALLER).rstrip()} {advice}", **details)


def lighter(error: PlaygroundError, catalog: Catalog, request: Request) -> PlaygroundError:
    """Return the error of a run that ran out of memory midway with settings that would take two thirds at most."""
    if not error.details.get("midway"):
        return error
    params = catalog.validate(request)
    room = catalog.family(request.model).run_bytes(catalog[request.model], request, params) * 2 // 3
    settings = settings_that_fit(catalog, request, params, room)
    advice = f"Lighter: {', or '.join(settings)}." if settings else "Choose smaller settings or a smaller model."
    message = f"This needed more memory than the playground may use. {advice}"
    return NotEnoughMemory(message, **error.details, settings=settings)


def settings_that_fit(catalog: Catalog, request: Request, params: Params, room: int) -> list[str]:
    """Return changes of one setting each after which a run takes at most `room` bytes: "Images 3", "Width 64"."""
    spec, family = catalog[request.model], catalog.family(request.model)

    def takes(item: ParamField, value: float) -> int:
        return family.run_bytes(spec, request, params.model_copy(update={item.name: _as(item, value)}))

    found = []
    for item in family.fields(spec):
        now = getattr(params, item.name, None)
        if item.type not in ("number", "integer") or item.ge is None or item.le is None or not _is_number(now):
            continue
        assert now is not None
        ends = [end for end in (item.ge, item.le) if end != now and takes(item, end) <= room]
        if ends:
            value = _nearest(item, float(now), ends[0], lambda value, item=item: takes(item, value) <= room)
            found.append(f"{item.label} {value:g}")
    return found[:_SETTINGS_NAMED]


def models_that_fit(catalog: Catalog, request: Request, room: int) -> list[str]:
    """Return ids of a room's models that load and run with their defaults in `room` bytes, the first in order."""
    wanted, found = catalog[request.model], []
    for spec in sorted(catalog.values(), key=lambda one: one.order):
        if spec.modality != wanted.modality or spec.id == wanted.id or not spec.here:
            continue
        try:
            own = Request(model=spec.id, inputs=request.inputs)
            family = catalog.family(spec.id)
            takes = family.needed_bytes(spec) + family.run_bytes(spec, own, _defaults(catalog, spec.id))
        except PlaygroundError:
            continue
        if takes <= room:
            found.append(spec.id)
    return found[:_MODELS_NAMED]


def _defaults(catalog: Catalog, model: str) -> Params:
    family = catalog.family(model)
    values = {item.name: item.default for item in family.fields(catalog[model]) if item.name != "seed"}
    return family.Params(**values)


def _nearest(item: ParamField, now: float, end: float, fits: Any) -> float:
    """Return the value nearest to `now`, on the way to `end`, that fits; both directions of a setting are known."""
    assert item.ge is not None and item.le is not None
    # without a step of its own, the power of ten below a hundredth of its range
    step = item.step or (1.0 if item.type == "integer" else 10.0 ** math.floor(math.log10((item.le - item.ge) / 100)))
    good, bad = end, now
    for _ in range(_HALVINGS):
        middle = item.ge + round(((good + bad) / 2 - item.ge) / step) * step
        if middle in (good, bad):
            break
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


def _as(item: ParamField, value: float) -> float | int:
    return int(value) if item.type == "integer" else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SMALLER = "Choose a smaller model."
