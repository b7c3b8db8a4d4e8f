"""Walks: the requests on the way from one picture to another, by seed, by prompt or by guidance. Pure values.

The first request is the run's own, of one picture; the last lies exactly at the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from models.errors import BadInput, BadParam
from models.params import ParamField, allowed, in_effect
from models.plain_text import check_text
from models.types import SEED_MAX, Request

Kind = Literal["seed", "prompt", "guidance"]

FRAMES_MIN, FRAMES_MAX = 3, 16
# the settings that each kind of walk interpolates; a model without all of them has no such walk
_MOVES: dict[Kind, tuple[str, ...]] = {
    "seed": ("variation_strength", "variation_seed"), "prompt": ("prompt_mix",), "guidance": ("guidance_scale",),
}  # fmt: skip


def kinds(fields: Sequence[ParamField], request: Request) -> tuple[Kind, ...]:
    """Return the kinds of walk that can begin at a request: those whose settings the model has and which act there.

    A walk is a row of pictures: models that make anything else have none.
    """
    if not request.model.startswith("image/"):
        return ()
    names = {item.name for item in fields}
    acting = in_effect(tuple(fields), _values(fields, request))
    found = [kind for kind, moved in _MOVES.items() if set(moved) <= names and moved[0] in acting]
    if not request.inputs.get("prompt", "").strip():
        found = [kind for kind in found if kind != "prompt"]
    return tuple(found)


def single(fields: Sequence[ParamField], request: Request, index: int = 0) -> Request:
    """Return the request that draws picture `index` of a run alone; a run of one picture gives itself."""
    params = dict(request.params)
    if _values(fields, request).get("num_images", 1) != 1:
        params["num_images"] = 1
    seed = (request.seed + index) % (SEED_MAX + 1)
    return request.model_copy(update={"params": params, "seed": seed, "study": ""})


def start_target(fields: Sequence[ParamField], request: Request, kind: Kind) -> Any:
    """Return a target to propose: the one that the run already has, else the next seed, "", a higher guidance."""
    values = _values(fields, request)
    if kind == "seed":
        leans = values["variation_strength"] > 0
        return int(values["variation_seed"]) if leans else (request.seed + 1) % (SEED_MAX + 1)
    if kind == "prompt":
        return request.inputs.get("prompt_to", "") if values["prompt_mix"] > 0 else ""
    item = _field(fields, "guidance_scale")
    assert item.ge is not None and item.le is not None and item.step is not None
    middle = (item.ge + item.le) / 2
    return float(item.ge if values["guidance_scale"] >= middle else round(middle / item.step) * item.step)


def build_walk(fields: Sequence[ParamField], request: Request, kind: Kind, target: Any, frames: int) -> list[Request]:
    """Return `frames` requests from `request` to `target`: a seed, a second prompt or a guidance.

    Raises `BadParam` and `BadInput` for a kind that the model has no settings for, for a target out of range, for one
    where the run already is, and for a run that is on its way to another target.
    """
    if kind not in kinds(fields, request):
        raise BadParam(f"A walk by {kind} is not possible here: the model has no such setting, or it has no effect.")
    if not FRAMES_MIN <= frames <= FRAMES_MAX:
        raise BadParam(f"frames is {frames!r}; it must be a whole number from {FRAMES_MIN} to {FRAMES_MAX}.")
    start = single(fields, request)
    first = float(_values(fields, start)[_MOVES[kind][0]])
    build = {"seed": _to_seed, "prompt": _to_prompt, "guidance": _to_guidance}[kind]
    moved = build(fields, start, target, first)
    last = float(moved.params[_MOVES[kind][0]])  # type: ignore[arg-type]
    walk = [start]
    for turn in range(1, frames - 1):
        value = round(first + (last - first) * turn / (frames - 1), 6)
        walk.append(moved.model_copy(update={"params": {**moved.params, _MOVES[kind][0]: value}}))
    return [*walk, moved]


def kind_of(requests: Sequence[Request]) -> Kind | None:
    """Return what a walk moves, read from its requests; None for anything that is no walk."""
    start, end = requests[0].params, requests[-1].params
    for kind, (name, *_) in _MOVES.items():
        if name in end and start.get(name) != end[name]:
            return kind
    return None


def captions(requests: Sequence[Request]) -> list[str]:
    """Return one line for each frame of a walk: "60% seed 7, 40% seed 9", "guidance 5.5"."""
    kind = kind_of(requests)
    if kind == "guidance":
        values = [one.params.get("guidance_scale") for one in requests]
        return [f"guidance {value:.4g}" if isinstance(value, int | float) else "the model's own" for value in values]
    if kind == "seed":
        start, end = f"seed {requests[0].seed}", f"seed {requests[-1].params['variation_seed']}"
    elif kind == "prompt":
        start, end = (f"“{requests[-1].inputs.get(name, '')}”" for name in ("prompt", "prompt_to"))
    else:
        return [f"frame {index + 1}" for index in range(len(requests))]
    return [_between(start, end, float(one.params.get(_MOVES[kind][0]) or 0)) for one in requests]  # type: ignore[arg-type]


def _between(start: str, end: str, share: float) -> str:
    if share <= 0:
        return start
    if share >= 1:
        return end
    return f"{100 * (1 - share):.0f}% {start}, {100 * share:.0f}% {end}"


def _to_seed(fields: Sequence[ParamField], start: Request, target: Any, first: float) -> Request:
    if not isinstance(target, int) or isinstance(target, bool) or not 0 <= target <= SEED_MAX:
        raise BadParam(f"The seed to walk to is {target!r}; it must be a whole number from 0 to {SEED_MAX}.")
    leans_to = _values(fields, start)["variation_seed"]
    if first > 0 and leans_to != target:
        raise BadParam(
            f"This image already blends seeds {start.seed} and {leans_to}. Walk to seed {leans_to}, or set Variation "
            "strength to 0 and run again."
        )
    if target == start.seed or first >= 1:
        raise BadParam(f"This image is at seed {target} already. Choose another target.")
    return _moved(start, variation_seed=target, variation_strength=1.0)


def _to_prompt(fields: Sequence[ParamField], start: Request, target: Any, first: float) -> Request:
    prompt = check_text(target, "second prompt")
    if not prompt.strip():
        raise BadInput("There is no second prompt to walk to. Write one, such as “blue heart”.")
    leans_to = start.inputs.get("prompt_to", "")
    if first > 0 and leans_to != prompt:
        raise BadInput(
            f"This image already blends towards “{leans_to[:60]}”. Walk to that prompt, or set “Prompt blend” to 0 and "
            "run again."
        )
    if prompt == start.inputs["prompt"] or first >= 1:
        raise BadInput("This image has that prompt already. Choose another target.")
    end = _moved(start, prompt_mix=1.0)
    return end.model_copy(update={"inputs": {**start.inputs, "prompt_to": prompt}})


def _to_guidance(fields: Sequence[ParamField], start: Request, target: Any, first: float) -> Request:
    item = _field(fields, "guidance_scale")
    assert item.ge is not None and item.le is not None
    if not isinstance(target, int | float) or isinstance(target, bool) or not item.ge <= target <= item.le:
        raise BadParam(f"The guidance to walk to is {target!r}; it must be {allowed(item)}.")
    if target == first:
        raise BadParam(f"This image has guidance {first:g} already. Choose another target.")
    return _moved(start, guidance_scale=float(target))


def _moved(start: Request, **params: Any) -> Request:
    return start.model_copy(update={"params": {**start.params, **params}})


def _values(fields: Sequence[ParamField], request: Request) -> dict[str, Any]:
    """Return every setting's value under a request, in full."""
    return {**{item.name: item.default for item in fields}, **request.params, "seed": request.seed}


def _field(fields: Sequence[ParamField], name: str) -> ParamField:
    return next(item for item in fields if item.name == name)
