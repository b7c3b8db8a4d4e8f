"""One request on a loaded diffusers pipeline: a pipeline of its own over shared weights, noise per seed, decoding."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from models import seeds
from models.diffusion import schedulers
from models.diffusion.denoising import Inpainting, slerp
from models.image.sampling import weights
from models.image.sampling.pixels import to_tensor
from models.image.sampling.previews import from_model_scale, to_model_scale

if TYPE_CHECKING:
    from models.image.families.text_to_image import TextToImageParams


def for_task(pipeline: Any, task: str, scheduler: Any) -> Any:
    """Return a new pipeline for `task` that shares the weights of `pipeline` and owns `scheduler`.

    State that a call keeps on its pipeline (guidance, an interrupt, the scheduler's step) is then this request's alone.
    """
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting, AutoPipelineForText2Image

    auto = {"text to image": AutoPipelineForText2Image, "image to image": AutoPipelineForImage2Image,
            "inpaint": AutoPipelineForInpainting}[task]  # fmt: skip
    if task == "inpaint" and not blends_itself(pipeline):
        auto = AutoPipelineForImage2Image  # `inpainting` restores what is outside of the mask
    made = auto.from_pipe(pipeline, scheduler=scheduler)
    made.set_progress_bar_config(disable=True)
    return made


def blends_itself(pipeline: Any) -> bool:
    """Say whether the library's own inpainting takes this model: its U-Net kinds ask for 4 or 9 channels."""
    unet = getattr(pipeline, "unet", None)
    return unet is None or unet.config.in_channels in (4, 9)


@torch.inference_mode()
def inpainting(pipeline: Any, scheduler: Any, picture: Any, mask: Any, seed: int, numbers: Sequence[int]) -> Inpainting:
    """Return the blending that restores `picture` outside of `mask` (both PIL, in the run's size) after each step."""
    vae = pipeline.vae
    latents = to_model_scale(vae, vae.encode(to_tensor(picture)).latent_dist.mean)
    small = mask.convert("L").resize(latents.shape[:1:-1], Image.Resampling.BOX)
    share = torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)[None, None]
    # the same seeds as for the first noise: another draw would leave a seam
    drawn = [torch.randn(latents.shape, generator=seeds.generator(seed, number)) for number in numbers]
    return Inpainting(scheduler, latents, (share > 0).float(), torch.cat(drawn))


def make_scheduler(pipeline: Any, params: TextToImageParams) -> Any:
    """Return the request's own scheduler on the schedule that the model was trained with."""
    config = {**pipeline.scheduler.config, "_class_name": type(pipeline.scheduler).__name__}
    return schedulers.make(config, params.scheduler, params.sigmas, params.timestep_spacing)


def noise(pipeline: Any, params: TextToImageParams, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Return the noise that pictures start from: pictures × channels × height / f × width / f, one draw per seed.

    With a variation strength each draw is moved along an arc towards the draw of the variation seed.
    """
    factor = pipeline.vae_scale_factor
    shape = (1, pipeline.vae.config.latent_channels, params.height // factor, params.width // factor)
    if hasattr(pipeline, "_pack_latents"):  # 2 × 2 positions become one token: an even grid
        shape = (*shape[:2], shape[2] // 2 * 2, shape[3] // 2 * 2)
    drawn = [torch.randn(shape, generator=one) for one in generators]
    if params.variation_strength > 0:
        other = torch.randn(shape, generator=seeds.generator(params.variation_seed))
        drawn = [slerp(one, other, params.variation_strength) for one in drawn]
    return torch.cat(drawn)


def unpack(pipeline: Any, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return latents as batch × channels × height × width where the pipeline packs them into tokens."""
    if latents.ndim == 3 and hasattr(pipeline, "_unpack_latents"):
        unpacked: torch.Tensor = pipeline._unpack_latents(latents, height, width, pipeline.vae_scale_factor)
        return unpacked
    return latents


def call(
    pipeline: Any, prompt: str, params: TextToImageParams, generators: list[torch.Generator], *,
    embeds: dict[str, Any] | None = None, image: Any = None, mask: Any = None,
) -> torch.Tensor:  # fmt: skip
    """Run the pipeline and return its last latents, in its own shape. Only what its call knows is passed."""
    known = inspect.signature(type(pipeline).__call__).parameters
    values: dict[str, Any] = {
        "num_inference_steps": params.num_inference_steps, "guidance_scale": params.guidance_scale,
        "num_images_per_prompt": len(generators), "generator": generators, "output_type": "latent",
        "clip_skip": params.clip_skip, "eta": params.eta, "height": params.height, "width": params.width,
    }  # fmt: skip
    if embeds is not None:
        values |= embeds
    else:
        values["prompt"] = prompt
        if params.guidance_scale > 1 and params.negative_prompt:
            values["negative_prompt"] = params.negative_prompt
    if image is None:
        start = noise(pipeline, params, generators)
        if hasattr(pipeline, "_pack_latents"):
            start = pipeline._pack_latents(start, *start.shape)
        values["latents"] = start
    else:
        values |= {"image": image, "mask_image": mask, "strength": params.strength}
    given = {name: value for name, value in values.items() if name in known and value is not None}
    result: torch.Tensor = pipeline(**given).images
    return result


def conditions(
    pipeline: Any, prompt: str, params: TextToImageParams, other: str = ""
) -> tuple[str, TextToImageParams, dict[str, Any] | None]:
    """Return prompt and params as `call` takes them, and embeddings in the prompt's place where there is more to say.

    That is where words are weighted (see `weights`), and where `params.prompt_mix` blends in the prompt `other`. Tags
    of add-on weights are left out.
    """
    weighs = weights.takes(pipeline)
    given = [weights.read(text, weights=weighs) for text in (prompt, other, params.negative_prompt)]
    first, second, negative = given
    plain = params.model_copy(update={"negative_prompt": negative.plain})
    embeds = None
    if any(one.weighted for one in given):
        embeds = weights.embeddings(pipeline, first, negative, params)
        if params.prompt_mix > 0:
            end = weights.embeddings(pipeline, second, negative, params)["prompt_embeds"]
            embeds["prompt_embeds"] = torch.lerp(embeds["prompt_embeds"], end, params.prompt_mix)
    elif params.prompt_mix > 0:
        embeds = mixed_embeddings(pipeline, first.plain, second.plain, plain)
    return first.plain, plain, embeds


def mixed_embeddings(pipeline: Any, prompt: str, other: str, params: TextToImageParams) -> dict[str, Any]:
    """Return call arguments with prompt embeddings `params.prompt_mix` of the way from one prompt to another.

    Every tensor that the pipeline's own `encode_prompt` makes is mixed linearly; Stable Diffusion, SDXL and SD3 give
    (un)conditional pairs, Flux its two and the token places. Raises `ValueError` where a pipeline has none.
    """
    names = {
        2: ("prompt_embeds", "negative_prompt_embeds"),
        3: ("prompt_embeds", "pooled_prompt_embeds", None),
        4: ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),
    }
    if not hasattr(pipeline, "encode_prompt"):
        raise ValueError("this pipeline cannot mix prompts")
    known = inspect.signature(pipeline.encode_prompt).parameters
    guided = params.guidance_scale > 1
    values = {"device": torch.device("cpu"), "num_images_per_prompt": 1, "do_classifier_free_guidance": guided,
              "negative_prompt": params.negative_prompt or None, "clip_skip": params.clip_skip,
              "prompt_2": None, "prompt_3": None}  # fmt: skip
    given = {name: value for name, value in values.items() if name in known}
    start = pipeline.encode_prompt(prompt=prompt, **given)
    end = pipeline.encode_prompt(prompt=other, **given)
    mixed = {}
    for name, left, right in zip(names[len(start)], start, end, strict=True):
        if name is not None and left is not None:
            keep = name.startswith("negative")
            mixed[name] = left if keep else torch.lerp(left, right, params.prompt_mix)
    return mixed


@torch.inference_mode()
def decode(vae: Any, latents: torch.Tensor) -> np.ndarray:
    """Return one picture, uint8, height × width × 3, from latents (1 × channels × …) in the denoiser's scale.

    One at a time: a batch would add up in another order and change the last bit.
    """
    latents = from_model_scale(vae, latents.float()).to(next(vae.parameters()).dtype)
    pixels = vae.decode(latents).sample[0].float()  # 3 × height × width, −1 … 1
    array: np.ndarray = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return array
