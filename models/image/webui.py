"""The "parameters" text with a picture's settings, as stable-diffusion-webui and many other programs write it.

The text is the prompt, then `Negative prompt: …`, then one line of `Name: value` pairs, a value with commas in JSON
quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from models.diffusion import samplers
from models.stamps import Recovered
from models.types import SEED_MAX

_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_NEGATIVE = "Negative prompt:"


def parameters_text(request: Mapping[str, Any], index: int = 0) -> str:
    """Return a request (as plain JSON) in webui's words; picture `index` has the seed that many above the request's."""
    params = request.get("params", {})
    lines = [str(request.get("inputs", {}).get("prompt", ""))]
    if params.get("negative_prompt"):
        lines.append(f"{_NEGATIVE} {params['negative_prompt']}")
    scheduler = params.get("scheduler")
    from_picture = params.get("task", "text to image") != "text to image"
    pairs: list[tuple[str, Any]] = [
        ("Steps", params.get("num_inference_steps")),
        ("Sampler", samplers.webui_name(scheduler) if scheduler is not None else None),
        ("Schedule type", samplers.SIGMAS.get(str(params.get("sigmas")))),
        ("CFG scale", params.get("guidance_scale")),
        ("Seed", (int(request.get("seed", 0)) + index) % (SEED_MAX + 1)),
        ("Size", f"{params['width']}x{params['height']}" if "width" in params and "height" in params else None),
        ("Model", str(request.get("model", "")).rsplit("/", 1)[-1] or None),
        ("Denoising strength", params.get("strength") if from_picture else None),
        ("Clip skip", params["clip_skip"] + 1 if params.get("clip_skip") else None),
    ]
    if params.get("variation_strength"):
        pairs += [("Variation seed", params.get("variation_seed")),
                  ("Variation seed strength", params["variation_strength"])]  # fmt: skip
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in pairs if value is not None))
    return "\n".join(lines)


def parse_parameters(text: str) -> Recovered | None:
    """Return the settings in webui's text, or None where the text holds none.

    The last line holds the pairs if it names at least three; what stands before is the prompt, from
    `Negative prompt:` on the negative one.
    """
    lines = text.strip().split("\n")
    pairs = _PAIR.findall(lines[-1]) if lines else []
    if len(pairs) < 3:
        return None
    prompt: list[str] = []
    negative: list[str] = []
    target = prompt
    for line in lines[:-1]:
        if line.startswith(_NEGATIVE):
            target, line = negative, line.removeprefix(_NEGATIVE)
        target.append(line.strip() if target is negative else line)
    params: dict[str, Any] = {}
    if any(negative):
        params["negative_prompt"] = "\n".join(negative).strip()
    seed: int | None = None
    unknown: list[str] = []
    for name, raw in pairs:
        name, value = name.strip(), _unquoted(raw.strip())
        try:
            if name == "Seed":
                seed = int(value) % (SEED_MAX + 1)
            elif name in _READERS:
                params |= _READERS[name](value)
            else:
                unknown.append(f"{name}: {value}"[:120])
        except (ValueError, KeyError):
            unknown.append(f"{name}: {value}"[:120])
    return Recovered("webui", None, {"prompt": "\n".join(prompt).strip()}, params, seed, unknown)


def _sampler(value: str) -> dict[str, Any]:
    """Return scheduler and sigmas of a sampler's name; older files name both in one: "DPM++ 2M Karras"."""
    found = samplers.find(value)
    if found is None or not found[0].exact:
        raise ValueError(value)
    return {"scheduler": found[0].scheduler, **({"sigmas": found[1]} if found[1] else {})}


def _schedule(value: str) -> dict[str, Any]:
    if value.lower() in samplers.SIGMAS:
        return {"sigmas": value.lower()}
    if value.lower() in ("automatic", "normal", "uniform"):
        return {}
    raise ValueError(value)


def _size(value: str) -> dict[str, Any]:
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(value)
    return {"width": int(match[1]), "height": int(match[2])}


_READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "Steps": lambda value: {"num_inference_steps": int(value)},
    "Sampler": _sampler,
    "Schedule type": _schedule,
    "CFG scale": lambda value: {"guidance_scale": float(value)},
    "Size": _size,
    "Denoising strength": lambda value: {"strength": float(value), "task": "image to image"},
    # webui counts the last layer as 1; diffusers counts the layers that are left out
    "Clip skip": lambda value: {"clip_skip": int(value) - 1} if int(value) > 1 else {},
    "Variation seed": lambda value: {"variation_seed": int(value) % (SEED_MAX + 1)},
    "Variation seed strength": lambda value: {"variation_strength": float(value)},
    "Model": lambda value: {},
}


def _quoted(value: Any) -> str:
    text = f"{value}"
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:"\n') else text


def _unquoted(text: str) -> str:
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
