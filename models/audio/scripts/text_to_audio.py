"""The script that makes sound from words again: a pipeline of diffusers, or MusicGen of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.audio.scripts.saving import IMPORTS, even, save
from models.scripts import Part, Script, constants, dtype, weights

if TYPE_CHECKING:
    from models.audio.families.text_to_audio import TextToAudioParams
    from models.spec import ModelSpec
    from models.types import Request

_MUSIC = "models.audio.sampling.music"
_OWN_CLASS = "AceStepPipeline"  # which diffusers' auto class does not list


def script(spec: ModelSpec, request: Request, params: TextToAudioParams, above: int) -> Script:
    """Return the script of a request; see `Family.script`. Weights above `above` bytes keep their dtype."""
    folder, imports = weights(spec)
    named: dict[str, Any] = {"PROMPT": request.inputs["prompt"], "SECONDS": params.seconds, "SEED": request.seed}
    write = _codes if spec.facts.get("kind") == "musicgen" else _diffusion
    load, made, libraries, carries = write(spec, params, dtype(spec, above))
    level, more = even(params.loudness, "sound", "rate")
    made += [f"rate = {spec.facts['sample_rate']}", *level, "sounds = [sound]"]
    return Script(
        f"{folder}\n{constants(**named)}",
        (Part("Load", "\n".join(load)), Part("Make the sound", "\n".join(made)), save(request, "rate")),
        ("import torch", *libraries, *IMPORTS, *imports), (f"{_MUSIC}:limit_peak", *carries, *more),
    )  # fmt: skip


_Written = tuple[list[str], list[str], list[str], list[str]]  # lines that load and make, imports, what is carried


def _diffusion(spec: ModelSpec, params: TextToAudioParams, kind: str) -> _Written:
    values = {name: getattr(params, name) for name in spec.facts["settings"] if name != "seconds"}
    if params.guidance_scale <= 1 or not params.negative_prompt:
        values.pop("negative_prompt", None)
    cls = _OWN_CLASS if spec.facts.get("kind") == _OWN_CLASS else "AutoPipelineForText2Audio"
    made = [
        "known = inspect.signature(type(pipe).__call__).parameters",
        "length = next(name for name in LENGTH_NAMES if name in known)  # what this pipeline calls it",
        "# some use the global generator as well",
        "torch.manual_seed(SEED)",
        "with torch.inference_mode():",
        "    made = pipe(",
        '        prompt=PROMPT, generator=torch.Generator("cpu").manual_seed(SEED), **{length: SECONDS},',
        *[f"        {name}={value!r}," for name, value in values.items() if value not in (None, "any")],
        "    ).audios",
        "sound = torch.as_tensor(made)[0].float()  # samples, or channels × samples",
        "sound = limit_peak((sound if sound.ndim == 1 else sound.T).numpy())",
    ]
    load = [f"pipe = {cls}.from_pretrained(WEIGHTS, dtype={kind})"]
    return load, made, ["import inspect", f"from diffusers import {cls}"], [f"{_MUSIC}:LENGTH_NAMES"]


def _codes(spec: ModelSpec, params: TextToAudioParams, kind: str) -> _Written:
    chance = "do_sample=False"
    if params.temperature > 0:
        chance = f"do_sample=True, temperature={params.temperature!r}, top_k={params.top_k!r}, top_p={params.top_p!r}"
    load = [
        f"model = MusicgenForConditionalGeneration.from_pretrained(WEIGHTS, dtype={kind}).eval()",
        "processor = AutoProcessor.from_pretrained(WEIGHTS)",
    ]
    made = [
        'given = processor(text=[PROMPT], padding=True, return_tensors="pt")',
        "books = int(model.decoder.config.num_codebooks) // int(model.decoder.config.audio_channels)",
        "torch.manual_seed(SEED)",
        "with torch.inference_mode():",
        "    out = model.generate(",
        "        **given, max_new_tokens=frames_of(model, SECONDS) + books - 1,",
        f"        guidance_scale={params.guidance_scale!r}, {chance},",
        "    )",
        "sound = limit_peak(out[0].float().T.numpy())",
    ]
    libraries = ["from transformers import AutoProcessor, MusicgenForConditionalGeneration"]
    return load, made, libraries, [f"{_MUSIC}:frames_of"]
