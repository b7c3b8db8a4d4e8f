"""Gather another program's settings in our terms: each value is taken, or named with the reason why it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from models import outside
from models.diffusion import samplers
from models.stamps import Recovered
from models.types import SEED_MAX, is_number

NAMED_MAX = 50  # settings that are named one by one
NAMED_MAX_CHARS = 120  # of a setting that is not known here, in the sentence that names it
SKIP = "skip"  # says nothing of how to make the picture again: versions, dates, hashes that say which file
_SIZE = re.compile(r"\(?\s*(\d{1,5})\s*[x×,]\s*(\d{1,5})\s*\)?")
_WHOLE = re.compile(r"[+-]?\d{1,40}(\.0+)?")


class Gathered:
    """Collect what one file says. `what` of a setting is a key of `_READERS`, or one of prompt, seed, model, skip."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.inputs: dict[str, str] = {}
        self.params: dict[str, Any] = {}
        self.seed: int | None = None
        self.new_seed = False
        self.made_with = ""
        self.unknown: list[str] = []

    def take(self, what: str, name: str, value: Any) -> None:
        """Take a setting, called `name` in the file, as `what`; one that cannot be had is named."""
        if what == SKIP or value is None:
            return
        try:
            if what == "prompt":
                self.inputs["prompt"] = _text(value)
            elif what == "model":
                self.made_with = _text(value)
            elif what == "seed":
                self._take_seed(name, value)
            elif what == "sampler":
                self._take_sampler(name, _text(value))
            elif what in _READERS:
                self.params |= _READERS[what](value)
            else:
                self.name(name, value)
        except (ValueError, KeyError, TypeError, OverflowError):
            self.name(name, value)

    def name(self, name: str, value: Any, why: str = "") -> None:
        """Name a setting that cannot be taken, unless it is empty or says that something is off."""
        if value is None or value is False or value in ("", "None", "none") or value in ([], {}):
            return
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        said = f"{name}: {text}"
        said = said if len(said) <= NAMED_MAX_CHARS else f"{said[: NAMED_MAX_CHARS - 1]}…"
        self.unknown.append(f"{said} ({why})" if why else said)

    def _take_seed(self, name: str, value: Any) -> None:
        seed = _integer(value)
        if seed == -1:
            self.new_seed = True
        elif 0 <= seed <= SEED_MAX:
            self.seed = seed
        else:
            self.name(name, value, f"seeds here go from 0 to {SEED_MAX}")

    def _take_sampler(self, name: str, value: str) -> None:
        found = samplers.find(value)
        if found is None:
            raise ValueError(value)
        sampler, schedule = found
        self.params["scheduler"] = sampler.scheduler
        if schedule:
            self.params["sigmas"] = schedule
        if not sampler.exact:
            self.name(name, value, f"the nearest one here is taken: {sampler.scheduler}")

    def recovered(self) -> Recovered:
        """Return all that was gathered; of very many settings that cannot be taken, the first are named."""
        if (more := len(self.unknown) - NAMED_MAX) > 0:
            self.unknown[NAMED_MAX:] = [f"and {more:,} more"]
        return Recovered(
            self.source, None, self.inputs, self.params, self.seed, self.unknown, self.new_seed, self.made_with
        )


def read_json(text: str) -> Any:
    """Return the JSON in a text, None where it is none."""
    try:
        return outside.read_json(text)
    except outside.Unreadable:
        return None


def _text(value: Any) -> str:
    """Return a text, from a list of texts too, as programs write prompts of several parts."""
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    raise TypeError(value)


def _integer(value: Any) -> int:
    if is_number(value):
        if value != int(value):
            raise ValueError(value)
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value.strip().split(".", maxsplit=1)[0])
    raise ValueError(value)


def _number(value: Any) -> float:
    found = float(value) if isinstance(value, str) or is_number(value) else float("nan")
    if not is_number(found):
        raise ValueError(value)
    return found


def _schedule(value: Any) -> dict[str, Any]:
    name = _text(value).lower()
    if name in samplers.SIGMAS:
        return {"sigmas": name}
    if name in samplers.AS_TRAINED:
        return {}
    raise ValueError(value)


def _size(value: Any) -> dict[str, Any]:
    match = _SIZE.fullmatch(_text(value).strip())
    if match is None:
        raise ValueError(value)
    return {"width": int(match[1]), "height": int(match[2])}


def _counted(value: Any) -> dict[str, Any]:
    """Return clip skip from a count in which the last layer is 1; diffusers counts the layers that are left out."""
    layers = abs(_integer(value))
    return {"clip_skip": layers - 1} if layers > 1 else {}


def _left_out(value: Any) -> dict[str, Any]:
    layers = _integer(value)
    if layers < 0:
        raise ValueError(value)
    return {"clip_skip": layers} if layers else {}


def _variation_seed(value: Any) -> dict[str, Any]:
    seed = _integer(value)
    if not 0 <= seed <= SEED_MAX:
        raise ValueError(value)
    return {"variation_seed": seed}


_READERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "negative": lambda value: {"negative_prompt": _text(value)} if _text(value) else {},
    "steps": lambda value: {"num_inference_steps": _integer(value)},
    "guidance": lambda value: {"guidance_scale": _number(value)},
    "schedule": _schedule,
    "size": _size,
    "width": lambda value: {"width": _integer(value)},
    "height": lambda value: {"height": _integer(value)},
    "strength": lambda value: {"strength": _number(value), "task": "image to image"},
    "inpaint strength": lambda value: {"strength": _number(value), "task": "inpaint"},
    "clip skip": _counted,
    "clip layers left out": _left_out,
    "eta": lambda value: {"eta": _number(value)} if _number(value) else {},
    "variation seed": _variation_seed,
    "variation strength": lambda value: {"variation_strength": _number(value)},
}
