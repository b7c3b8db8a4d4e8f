"""The script that draws a diffusion model's images again: a pipeline of diffusers with the request's settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models.image.scripts import any_pipeline
from models.image.scripts.saving import IMPORTS, PIXELS, UPLOADS, chunk, generator, save
from models.scripts import Part, Script, constants, dtype, weights

if TYPE_CHECKING:
    from models.image.families.text_to_image import TextToImageParams
    from models.spec import ModelSpec
    from models.types import Request

_MARKS = "()[]\\<>"  # what may weigh words, or name add-on weights
_SAMPLING = "models.image.sampling"
# schedulers that run on their stored configuration as it is
_AS_STORED = ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler")


def script(spec: ModelSpec, request: Request, params: TextToImageParams, above: int) -> Script:
    """Return the script of a request; see `Family.script`. Weights above `above` bytes keep their dtype.

    Raises `BadInput`.
    """
    kind = config_of(spec, "model_index.json").get("_class_name")
    if kind != "StableDiffusionPipeline":
        alone = kind is None or "text_encoder_2" not in config_of(spec, "model_index.json")  # one reader may weigh
        return any_pipeline.script(spec, request, params, above, alone)
    return _Writer(spec, request, params, above).script()


def config_of(spec: ModelSpec, name: str) -> dict[str, Any]:
    """Return a config of a model's folder, {} where it is not here."""
    if not spec.embedded:
        return {}
    file = spec.folder() / name
    found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return found if isinstance(found, dict) else {}


class _Writer:
    """Write the script of one request."""

    def __init__(self, spec: ModelSpec, request: Request, params: TextToImageParams, above: int) -> None:
        self.spec, self.request, self.params, self.above = spec, request, params, above
        self.guided = params.guidance_scale > 1
        self.negative = params.negative_prompt if self.guided else ""
        self.mixed = params.prompt_mix > 0
        other = request.inputs.get("prompt_to", "") if self.mixed else ""
        self.marked = any(mark in text for mark in _MARKS for text in (request.inputs["prompt"], other, self.negative))
        self.imports = ["import torch", "from diffusers import DiffusionPipeline", *IMPORTS]
        self.carries: list[str] = []
        self.cannot: list[str] = []

    def script(self) -> Script:
        params, inputs = self.params, self.request.inputs
        folder, imports = weights(self.spec)
        self.imports += imports
        named: dict[str, Any] = {"PROMPT": inputs["prompt"]}
        if self.negative:
            named["NEGATIVE_PROMPT"] = self.negative
        if self.mixed:
            named["PROMPT_TO"] = inputs["prompt_to"]
        named |= {"STEPS": params.num_inference_steps, "GUIDANCE": params.guidance_scale, "WIDTH": params.width,
                  "HEIGHT": params.height, "IMAGES": params.num_images, "SEED": self.request.seed}  # fmt: skip
        if params.task != "text to image":
            named |= {"IMAGE": "image.png", "STRENGTH": params.strength}
            self.cannot.append(UPLOADS)
        if params.task == "inpaint":
            named["MASK"] = "mask.png"
        parts = (self._load(), self._start(), self._draw(), save(self.request))
        return Script(
            f"{folder}\n{constants(**named)}", parts, tuple(self.imports), tuple(self.carries), tuple(self.cannot)
        )

    def _load(self) -> Part:
        params = self.params
        lines = [f"pipe = DiffusionPipeline.from_pretrained(WEIGHTS, dtype={dtype(self.spec, self.above)})"]
        config = config_of(self.spec, "scheduler/scheduler_config.json")
        stored = config.get("_class_name") == params.scheduler and (
            params.scheduler in _AS_STORED or config.get("algorithm_type") == "dpmsolver++"
        )
        if not stored or params.sigmas != "default" or params.timestep_spacing != "default":
            self.carries.append("models.diffusion.schedulers:make")
            more = "".join(f", {name}={value!r}" for name, value in (
                ("sigmas", params.sigmas), ("spacing", params.timestep_spacing)) if value != "default")  # fmt: skip
            lines += [
                'config = {**pipe.scheduler.config, "_class_name": type(pipe.scheduler).__name__}',
                f"pipe.scheduler = make(config, {params.scheduler!r}{more})",
            ]
        if params.task == "image to image" or (params.task == "inpaint" and self._blends()):
            self.imports.append("from diffusers import AutoPipelineForImage2Image")
            lines.append("pipe = AutoPipelineForImage2Image.from_pipe(pipe)")
        elif params.task == "inpaint":
            self.imports.append("from diffusers import AutoPipelineForInpainting")
            lines.append("pipe = AutoPipelineForInpainting.from_pipe(pipe)")
        if params.clip_skip is not None:
            self.carries.append("models.image.families.text_to_image:mend_clip")
            lines.append("mend_clip(pipe)")
        return Part("Load", "\n".join(lines), "A text encoder, a U-Net that removes noise, and a decoder.")

    def _blends(self) -> bool:
        """Say whether diffusers' own inpainting does not take this U-Net: see `pipelines.blends_itself`."""
        return config_of(self.spec, "unet/config.json").get("in_channels") not in (4, 9)

    def _start(self) -> Part:
        params = self.params
        lines = []
        if params.task != "text to image":
            self.imports.append("from PIL import ImageOps")
            lines += [
                'picture = ImageOps.exif_transpose(Image.open(IMAGE)).convert("RGB")',
                "picture = ImageOps.fit(picture, (WIDTH, HEIGHT), Image.Resampling.LANCZOS)",
            ]
        if params.task == "inpaint":
            lines += [
                'mask = ImageOps.fit(Image.open(MASK).convert("L"), (WIDTH, HEIGHT), Image.Resampling.NEAREST)',
                "mask = mask.point(lambda value: 255 if value > 127 else 0)  # white is redrawn",
            ]
        lines += self._said()
        words = "The words to follow, and those to steer away from."
        return Part("What to draw", "\n".join(lines), words)

    def _said(self) -> list[str]:
        """Return the lines that make `said`: the words as the call takes them, or their embeddings."""
        negative = "NEGATIVE_PROMPT" if self.negative else '""'
        if not self.marked and not self.mixed:
            more = ', "negative_prompt": NEGATIVE_PROMPT' if self.negative else ""
            return [f'said = {{"prompt": PROMPT{more}}}']
        self.imports.append("from types import SimpleNamespace")
        how = f"clip_skip={self.params.clip_skip!r}, guidance_scale=GUIDANCE, prompt_mix={self.params.prompt_mix!r}"
        self.carries += [f"{_SAMPLING}.weights:read"] if self.marked else []
        if not self.marked:
            self.carries.append(f"{_SAMPLING}.pipelines:mixed_embeddings")
            return [
                f"how = SimpleNamespace(negative_prompt={negative}, {how})",
                "with torch.inference_mode():",
                "    said = mixed_embeddings(pipe, PROMPT, PROMPT_TO, how)",
            ]
        self.carries.append(f"{_SAMPLING}.weights:embeddings")
        texts = ["PROMPT", negative, *(["PROMPT_TO"] if self.mixed else [])]
        lines = [
            f"first, negative{', second' if self.mixed else ''} = {', '.join(f'read({text})' for text in texts)}",
            f"how = SimpleNamespace(negative_prompt=negative.plain, {how})",
            "with torch.inference_mode():",
            f"    if first.weighted or negative.weighted{' or second.weighted' if self.mixed else ''}:",
            "        said = embeddings(pipe, first, negative, how)",
        ]
        if self.mixed:
            self.carries.append(f"{_SAMPLING}.pipelines:mixed_embeddings")
            return [
                *lines,
                '        end = embeddings(pipe, second, negative, how)["prompt_embeds"]',
                '        said["prompt_embeds"] = torch.lerp(said["prompt_embeds"], end, how.prompt_mix)',
                "    else:",
                "        said = mixed_embeddings(pipe, first.plain, second.plain, how)",
            ]
        plain = '{"prompt": first.plain} | ({"negative_prompt": negative.plain} if negative.plain else {})'
        return [*lines, "    else:", f"        said = {plain}"]

    def _draw(self) -> Part:
        params = self.params
        start = params.task == "text to image"
        values = {"num_inference_steps": "STEPS", "guidance_scale": "GUIDANCE"}
        values |= {"num_images_per_prompt": "len(numbers)", "generator": "generators", "output_type": '"latent"'}
        if start:
            values |= {"latents": "torch.cat(noise)", "width": "WIDTH", "height": "HEIGHT"}
        else:
            values |= {"image": "picture", "strength": "STRENGTH"}
        if params.task == "inpaint" and not self._blends():
            values |= {"mask_image": "mask", "width": "WIDTH", "height": "HEIGHT"}
        if params.clip_skip is not None and not self.marked and not self.mixed:
            values["clip_skip"] = repr(params.clip_skip)
        if params.scheduler == "DDIMScheduler" and params.eta:
            values["eta"] = repr(params.eta)
        many = chunk(self.spec)
        lines = ["images = []", f"for first_number in range(0, IMAGES, {many}):  # {many} are denoised together",
                 f"    numbers = range(first_number, min(first_number + {many}, IMAGES))",
                 f"    generators = [{generator()} for number in numbers]"]  # fmt: skip
        if start:
            lines += [
                "    shape = (1, pipe.vae.config.latent_channels, HEIGHT // pipe.vae_scale_factor,"
                " WIDTH // pipe.vae_scale_factor)",
                "    noise = [torch.randn(shape, generator=one) for one in generators]",
            ]
            if params.variation_strength > 0:
                self.carries.append("models.diffusion.denoising:slerp")
                lines += [
                    f"    other = torch.randn(shape, generator={generator(str(params.variation_seed))})",
                    f"    noise = [slerp(one, other, {params.variation_strength!r}) for one in noise]",
                ]
        if params.task == "inpaint" and self._blends():
            lines += ["    blended(numbers)"]
        lines += ["    with torch.inference_mode():", "        latents = pipe(",
                  *[f"            {name}={value}," for name, value in values.items()], "            **said,",
                  "        ).images", "        for one in latents:",
                  "            pixels = pipe.vae.decode(one[None] / pipe.vae.config.scaling_factor).sample[0]",
                  f"            images.append({PIXELS})"]  # fmt: skip
        if params.task == "inpaint":
            self.imports.append("import numpy as np")
            lines.append(
                "images = [np.where(np.asarray(mask)[:, :, None] > 127, one, np.asarray(picture)) for one in images]"
            )
        if params.task == "inpaint" and self._blends():
            self.imports.append("import functools")
            self.carries.append(f"{_SAMPLING}.pipelines:inpainting")
            lines = [*_BLENDED.split("\n"), "", "", *lines]
        words = "Noise from the seed, less of it at each step, then latents decoded into pixels."
        return Part("Draw", "\n".join(lines), words)


_BLENDED = '''own_step = pipe.scheduler.step


def blended(numbers):
    """Restore the picture outside of the mask after each step of the scheduler."""
    blend, steps = inpainting(pipe, pipe.scheduler, picture, mask, SEED, numbers), []

    @functools.wraps(own_step)
    def step(*args, **kwargs):
        result = own_step(*args, **kwargs)
        steps.append(1)
        times = pipe.scheduler.timesteps
        return (blend(result[0], times[len(steps)] if len(steps) < len(times) else None), *result[1:])

    pipe.scheduler.step = step'''
