"""The "parameters" text with a picture's settings, as stable-diffusion-webui and many other programs write it.

The text is the prompt, then `Negative prompt: …`, then one line of `Name: value` pairs, a value with commas in JSON
quotes. Other programs put lines behind the pairs, leave pairs out or set all in one line: see `parse_parameters`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from models.diffusion import samplers
from models.image.foreign import NAMED_MAX_CHARS, Gathered
from models.stamps import Recovered
from models.types import SEED_MAX

_NEGATIVE = "Negative prompt:"
_NAME = re.compile(r"[ \t]*([^\W\d_][\w \-/()+.]{0,60}?):[ \t]*")  # bounded: a text of letters alone is read once
_STEPS = re.compile(r"[ \t]*Steps:[ \t]*\d+[ \t]*(,|$)")
_IN_LINE = re.compile(r"(?:^|[\s.,;])(?=Steps:[ \t]*\d+[ \t]*,)")
_END = re.compile(r"[,\n]|\Z")
_AT_START = re.compile(r"^[ \t]*Negative prompt:", re.IGNORECASE | re.MULTILINE)
_DECODER = json.JSONDecoder(strict=False)  # a line break may stand within quotes
_FAILED_MAX = 20  # quotes and brackets that never close: after so many they are letters like others
_STRENGTH = "Denoising strength"
_KNOWN = {  # in small letters: programs differ in them
    "steps": "steps", "sampler": "sampler", "schedule type": "schedule", "cfg scale": "guidance", "seed": "seed",
    "size": "size", "clip skip": "clip skip", "variation seed": "variation seed",
    "variation seed strength": "variation strength", "model": "model", "eta": "eta", "eta ddim": "eta",
    _STRENGTH.lower(): "strength",
}  # fmt: skip
# pairs that say what the strength is of: a second, larger pass of one picture; a masked part; the whole of a picture
_SECOND_PASS = ("hires ", "first pass size")
_MASKED = ("mask ", "masked ", "inpaint", "soft inpaint")


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
        (_STRENGTH, params.get("strength") if from_picture else None),
        ("Clip skip", params["clip_skip"] + 1 if params.get("clip_skip") else None),
    ]
    if params.get("variation_strength"):
        pairs += [("Variation seed", params.get("variation_seed")),
                  ("Variation seed strength", params["variation_strength"])]  # fmt: skip
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in pairs if value is not None))
    return "\n".join(lines)


def parse_parameters(text: str) -> Recovered | None:
    """Return the settings in webui's text, or None for an empty one.

    The pairs stand in the last line that names three settings of webui's, or begins with `Steps: N`; what stands before
    is the prompt, from `Negative prompt:` on the negative one; what stands behind is named. Where no line does, they
    may stand in the prompt's own; without any, the text is the prompts alone.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n\0 \t\ufeff")
    if not text:
        return None
    before, pairs = _parted(text)
    prompt, negative = _prompts(before)
    found = Gathered("webui")
    found.take("prompt", "Prompt", prompt)
    found.take("negative", "Negative prompt", negative)
    names = [name.lower() for name, _ in pairs]
    for name, value in sorted(pairs, key=lambda pair: pair[0] == "Schedule type"):  # says more than a sampler's name
        what = _KNOWN.get(name.lower(), "")
        if what == "strength" and any(one.startswith(_SECOND_PASS) for one in names):
            found.name(name, value, "of the hires fix, a second pass that is not made here")
        elif what == "strength" and any(one.startswith(_MASKED) for one in names):
            found.take("inpaint strength", name, value)
        else:
            found.take(what, name, value)
    return found.recovered()


def _parted(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what stands before the pairs, and the pairs: those of later lines too."""
    lines = text.split("\n")
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    several = [at for at, line in zip(starts, lines, strict=True) if _known_in(line) >= 3]
    begun = [at for at, line in zip(starts, lines, strict=True) if _STEPS.match(line)]
    for at in (several or begun)[-1:]:
        return text[:at], _pairs(text[at:])
    for match in list(_IN_LINE.finditer(text))[-1:]:
        return text[: match.start()], _pairs(text[match.end() :])
    return text, []


def _known_in(line: str) -> int:
    """Return how many of webui's settings a line names, if it begins with one."""
    first = _NAME.match(line)
    if first is None or first[1].strip().lower() not in _KNOWN:
        return 0
    return len({name.lower() for name, _ in _pairs(line)} & set(_KNOWN))


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a text: values end at a comma or a line's end, but for those in quotes or brackets."""
    found: list[tuple[str, str]] = []
    at = failed = 0
    while at < len(text):
        name = _NAME.match(text, at)
        start, end = name.end() if name else at, -1
        value = ""
        if name and text[start : start + 1] in ('"', "[", "{") and failed < _FAILED_MAX:
            try:
                read, end = _DECODER.raw_decode(text, start)
                value = read if isinstance(read, str) else text[start:end]
            except (ValueError, RecursionError):
                failed += 1
            if end >= 0 and text[end : end + 1].strip(" \t") not in ("", ",", "\n"):
                end = -1  # the quotes are part of a longer value
        if end < 0:
            stop = _END.search(text, start)
            end = stop.start() if stop else len(text)
            value = text[start:end].strip()
        if name:
            found.append((name[1].strip(), value))
        elif value and found and found[-1][0].lower() not in _KNOWN and len(found[-1][1]) < NAMED_MAX_CHARS:
            # a value with a comma and without quotes
            found[-1] = (found[-1][0], f"{found[-1][1]}, {value}")
        at = end + 1
    return found


def _prompts(text: str) -> tuple[str, str]:
    """Return prompt and negative prompt of what stands before the pairs."""
    if match := _AT_START.search(text):
        before, behind = text[: match.start()], text[match.end() :]
    else:
        before, named, behind = text.partition(_NEGATIVE)
        if not named:
            return text.strip(), ""
        # where line breaks became full stops, those belong to neither
        before = before.rstrip(" \t").removesuffix(".")
    negative = _AT_START.sub("", behind)
    return before.strip(), "\n".join(line.strip() for line in negative.split("\n")).strip()


def _quoted(value: Any) -> str:
    text = f"{value}"
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:"\n') else text
