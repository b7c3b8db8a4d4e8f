"""Settings in pictures of other programs: one entry for each program, tried in turn.

An entry finds the program's settings among a picture's texts and says what each of its names is in our terms. Written
after the programs' own sources: InvokeAI (docs/features/gallery, and its 2.x `Args`), NovelAI, SwarmUI (T2IParamInput),
Fooocus (modules/meta_parser.py), Easy Diffusion (ui/easydiffusion/utils/save_utils.py).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from models.image import comfy, texts
from models.image.foreign import SKIP, Gathered, read_json
from models.image.webui import parse_parameters
from models.stamps import Recovered

Texts = Mapping[str, str]
PARAMETERS = "parameters"  # the key under which stable-diffusion-webui, and others after it, write
_PLACES = (PARAMETERS, texts.COMMENT, "exif:ImageDescription", "exif:XPComment", "comment", "Comment", "Description")
LINE_MAX_CHARS = 20_000  # of a command line: shlex adds letter to letter, in the square of the length
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")  # how InvokeAI 2 marked what is not wanted


def read(found: Texts) -> Recovered | None:
    """Return what a picture's texts say of its making, None where no program's settings are among them."""
    for maker in _MAKERS:
        if (recovered := maker(found)) is not None:
            return recovered
    return None


def _comfy(found: Texts) -> Recovered | None:
    graph, workflow = found.get("prompt", ""), found.get("workflow", "")
    for place in ("exif:Make", "exif:Model", "exif:ImageDescription"):  # of a WebP, "prompt:{…}" and "workflow:{…}"
        name, _, text = found.get(place, "").partition(":")
        graph, workflow = text if name.lower() == "prompt" else graph, text if name.lower() == "workflow" else workflow
    return comfy.parse(graph, workflow)


_INVOKE = {
    "positive_prompt": "prompt", "prompt": "prompt", "negative_prompt": "negative", "width": "width",
    "height": "height", "seed": "seed", "cfg_scale": "guidance", "steps": "steps", "scheduler": "sampler",
    "sampler": "sampler", "clip_skip": "clip layers left out", "generation_mode": SKIP, "rand_device": SKIP,
    "app_version": SKIP, "type": SKIP, "model": "model", "cfg_rescale_multiplier": "",
}  # fmt: skip


def _invoke(found: Texts) -> Recovered | None:
    """Read InvokeAI 3 and later."""
    settings = _object(found.get("invokeai_metadata", ""))
    if settings is None:
        return None
    model = settings.get("model") or {}
    settings["model"] = model.get("name", model.get("model_name")) if isinstance(model, dict) else model
    mode = str(settings.get("generation_mode", ""))
    kind = "inpaint strength" if "inpaint" in mode or "outpaint" in mode else "strength" if "img2img" in mode else ""
    return _gather("InvokeAI", settings, {**_INVOKE, "strength": kind})


def _invoke_2(found: Texts) -> Recovered | None:
    """Read InvokeAI up to 2, and the command line that its first editions wrote."""
    outer = _object(found.get("sd-metadata", ""))
    image = outer.get("image") if outer is not None else None
    settings = dict(image) if isinstance(image, dict) else _dream(found.get("Dream", ""))
    if settings is None:
        return None
    prompt = settings.get("prompt")
    if isinstance(prompt, list):  # weighted parts
        prompt = " ".join(str(one.get("prompt", "")) for one in prompt if isinstance(one, dict))
    if isinstance(prompt, str):
        settings["prompt"] = " ".join(_BRACKETS.sub(" ", prompt).split())
        settings.setdefault("negative_prompt", ", ".join(part.strip() for part in _BRACKETS.findall(prompt)))
    if outer is not None:
        settings["model"] = outer.get("model_weights")
    kind = "strength" if settings.get("type") == "img2img" else ""
    return _gather("InvokeAI", settings, {**_INVOKE, "strength": kind})


def _dream(line: str) -> dict[str, Any] | None:
    """Return the settings of a command line such as `"a kite" -s 24 -S 77 -W 64 -H 96 -C 6.5 -A k_euler_a`."""
    if len(line) > LINE_MAX_CHARS:
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    names = {"-s": "steps", "-S": "seed", "-W": "width", "-H": "height", "-C": "cfg_scale", "-A": "sampler",
             "-f": "strength"}  # fmt: skip
    settings: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        name = next((name for flag, name in names.items() if word.startswith(flag)), "")
        if name:
            settings[name] = word[2:] or next(rest, "")
        elif word.startswith("-"):
            settings[word] = "on"
        else:
            settings["prompt"] = f"{settings['prompt']} {word}" if "prompt" in settings else word
    if "strength" in settings:
        settings["type"] = "img2img"
    return settings if "prompt" in settings else None


_NOVEL = {
    "prompt": "prompt", "uc": "negative", "steps": "steps", "sampler": "sampler", "seed": "seed", "scale": "guidance",
    "width": "width", "height": "height", "noise_schedule": "schedule", "request_type": SKIP, "signed_hash": SKIP,
    "version": SKIP, "v4_prompt": SKIP, "v4_negative_prompt": SKIP, "n_samples": SKIP, "hide_debug_overlay": SKIP,
}  # fmt: skip


def _novel(found: Texts) -> Recovered | None:
    settings = _object(found.get("Comment", "")) or _object(found.get(texts.COMMENT, ""))
    if settings is not None and isinstance(settings.get("Comment"), str):  # of a WebP: all in one
        found = {**found, **{key: value for key, value in settings.items() if isinstance(value, str)}}
        settings = _object(settings["Comment"])
    named = found.get("Software", found.get("exif:Software", "")) == "NovelAI"
    if settings is None or not (named or {"uc", "scale"} <= set(settings)):
        return None
    settings.setdefault("prompt", found.get("Description"))
    kind = "strength" if str(settings.get("request_type", "")).lower().startswith("img2img") else ""
    return _gather("NovelAI", settings, {**_NOVEL, "strength": kind})


_SWARM = {
    "prompt": "prompt", "negativeprompt": "negative", "model": "model", "seed": "seed", "steps": "steps",
    "cfgscale": "guidance", "width": "width", "height": "height", "sampler": "sampler", "scheduler": "schedule",
    "aspectratio": SKIP, "swarm_version": SKIP, "resolution": SKIP, "images": SKIP,
    "initimagecreativity": "strength", "variationseed": "variation seed", "variationseedstrength": "variation strength",
    "clipstopatlayer": "clip skip", "initimage": SKIP, "automaticvae": SKIP,
}  # fmt: skip


def _swarm(found: Texts) -> Recovered | None:
    for place in _PLACES:
        outer = _object(found.get(place, ""))
        settings = outer.get("sui_image_params") if outer is not None else None
        if isinstance(settings, dict):
            names = {**_SWARM, "initimagecreativity": "inpaint strength"} if "maskimage" in settings else _SWARM
            return _gather("SwarmUI", {str(name).replace(" ", "").lower(): value for name, value in settings.items()},
                           names)  # fmt: skip
    return None


_FOOOCUS = {
    "prompt": "prompt", "negative_prompt": "negative", "seed": "seed", "steps": "steps", "guidance_scale": "guidance",
    "resolution": "size", "sampler": "sampler", "scheduler": "schedule", "base_model": "model",
    "clip_skip": "clip skip", "metadata_scheme": SKIP, "version": SKIP, "base_model_hash": SKIP, "full_prompt": SKIP,
    "full_negative_prompt": SKIP, "created_by": SKIP,
}  # fmt: skip


def _fooocus(found: Texts) -> Recovered | None:
    for place in _PLACES:
        settings = _object(found.get(place, ""))
        if settings is not None and ("base_model" in settings or settings.get("metadata_scheme") == "fooocus"):
            plain = {
                name: value for name, value in settings.items()
                # a list without anything in it, and what is so unless it was changed
                if value != "[]" and not (name == "vae" and str(value).startswith("Default"))
            }  # fmt: skip
            return _gather("Fooocus", plain, _FOOOCUS)
    return None


_EASY = {
    "prompt": "prompt", "negative_prompt": "negative", "seed": "seed", "num_inference_steps": "steps",
    "guidance_scale": "guidance", "width": "width", "height": "height", "sampler_name": "sampler",
    "scheduler_name": "schedule", "use_stable_diffusion_model": "model", "prompt_strength": "strength",
    "num_outputs": SKIP, "output_format": SKIP, "output_quality": SKIP, "session_id": SKIP, "app_version": SKIP,
    "stream_progress_updates": SKIP, "stream_image_progress": SKIP, "show_only_filtered_image": SKIP,
    "original_prompt": SKIP, "used_random_seed": SKIP, "vram_usage_level": SKIP, "block_nsfw": SKIP,
}  # fmt: skip


def _easy(found: Texts) -> Recovered | None:
    candidates = [dict(found), *(_object(found.get(place, "")) for place in _PLACES)]
    for settings in candidates:
        if settings is None or "prompt" not in settings:
            continue
        if not {"num_inference_steps", "sampler_name", "use_stable_diffusion_model", "guidance_scale"} & set(settings):
            continue
        empty = ("None", "False", "null", "false", "[]")  # in a PNG every value is a text
        own = {
            name: None if value in empty else value for name, value in settings.items() if not name.startswith("exif:")
        }
        left_out = own.pop("clip_skip", None)
        gathered = Gathered("Easy Diffusion")
        if left_out:
            gathered.take("clip layers left out", "clip_skip", 1)
        masked = "inpaint strength" if own.get("mask") else "strength"
        names = {**_EASY, "prompt_strength": masked if own.get("init_image") or own.get("mask") else ""}
        return _gather("Easy Diffusion", own, names, gathered)
    return None


def _webui(found: Texts) -> Recovered | None:
    """Read webui's text where it stands alone under its key, and elsewhere where it can be told by its pairs."""
    if found.get(PARAMETERS):
        return parse_parameters(found[PARAMETERS])
    for place in _PLACES[1:]:
        text = found.get(place, "")
        if (recovered := parse_parameters(text)) is not None and recovered.params:
            return recovered
    return None


def _gather(
    source: str, settings: Mapping[str, Any], names: Mapping[str, str], gathered: Gathered | None = None
) -> Recovered:
    found = gathered if gathered is not None else Gathered(source)
    for name, value in settings.items():
        found.take(names.get(name, ""), name, value)
    return found.recovered()


def _object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text, None where it holds none."""
    found = read_json(text) if text.lstrip().startswith("{") else None
    return found if isinstance(found, dict) else None


_MAKERS: tuple[Callable[[Texts], Recovered | None], ...] = (
    _comfy, _invoke, _invoke_2, _novel, _swarm, _fooocus, _easy, _webui,
)  # fmt: skip
