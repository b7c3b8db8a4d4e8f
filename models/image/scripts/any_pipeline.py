"""The script for pipelines of diffusers whose call differs from Stable Diffusion's: it looks at the call as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.errors import BadInput
from models.image.scripts.saving import IMPORTS, UPLOADS, chunk, generator, save
from models.scripts import Part, Script, constants, dtype, weights

if TYPE_CHECKING:
    from models.image.families.text_to_image import TextToImageParams
    from models.spec import ModelSpec
    from models.types import Request

_PIPELINES = "models.image.sampling.pipelines"
_CALLED = ("num_inference_steps", "guidance_scale", "negative_prompt", "width", "height", "strength", "clip_skip",
           "eta", "variation_strength", "variation_seed", "prompt_mix")  # fmt: skip


def script(spec: ModelSpec, request: Request, params: TextToImageParams, above: int, weighs: bool) -> Script:
    """Return the script of a request; see `Family.script`. `weighs`: words in brackets may have weights.

    Raises `BadInput`.
    """
    inputs, mixed = request.inputs, params.prompt_mix > 0
    texts = [inputs["prompt"], params.negative_prompt, inputs.get("prompt_to", "") if mixed else ""]
    if any(mark in text for text in texts for mark in ("<" if not weighs else "<()[]\\")):
        raise BadInput(
            f"What brackets in a prompt mean to {spec.id} shows when it is loaded, so there is no script for this "
            "prompt. Choose the style “models” or “cli”."
        )
    folder, imports = weights(spec)
    named: dict[str, Any] = {"PROMPT": inputs["prompt"]} | ({"PROMPT_TO": inputs["prompt_to"]} if mixed else {})
    named |= {"TASK": params.task, "IMAGES": params.num_images, "SEED": request.seed}
    how = [f"    {name}={getattr(params, name)!r}," for name in _CALLED]
    settings = "\n".join([folder, constants(**named), "HOW = SimpleNamespace(", *how, ")"])
    spaced = f"{params.scheduler!r}, {params.sigmas!r}, {params.timestep_spacing!r}"
    load = [
        f"whole = DiffusionPipeline.from_pretrained(WEIGHTS, dtype={dtype(spec, above)})",
        'config = {**whole.scheduler.config, "_class_name": type(whole.scheduler).__name__}',
        f"pipe = for_task(whole, TASK, make(config, {spaced}))",
    ]
    given = ""
    read: list[str] = []
    cannot: tuple[str, ...] = ()
    libraries = ["import torch", "from types import SimpleNamespace", "from diffusers import DiffusionPipeline",
                 *IMPORTS, *imports]  # fmt: skip
    if params.task != "text to image":
        libraries += ["from PIL import ImageOps", "import numpy as np"]
        cannot = (UPLOADS,)
        size = "(HOW.width, HOW.height)"
        read = [
            'picture = ImageOps.exif_transpose(Image.open("image.png")).convert("RGB")',
            f"picture = ImageOps.fit(picture, {size}, Image.Resampling.LANCZOS)",
        ]
        given = ", image=picture"
    if params.task == "inpaint":
        read += [
            f'mask = ImageOps.fit(Image.open("mask.png").convert("L"), {size}, Image.Resampling.NEAREST)',
            "mask = mask.point(lambda value: 255 if value > 127 else 0)  # white is redrawn",
            "if not blends_itself(pipe):",
            '    raise SystemExit("This model has no inpainting of its own in diffusers.")',
        ]
        given += ", mask=mask"
    many = chunk(spec)
    draw = [
        *read,
        "images = []",
        f"for first_number in range(0, IMAGES, {many}):  # {many} are denoised together",
        f"    numbers = range(first_number, min(first_number + {many}, IMAGES))",
        f"    generators = [{generator()} for number in numbers]",
        "    with torch.inference_mode():",
        f"        said = {'mixed_embeddings(pipe, PROMPT, PROMPT_TO, HOW)' if mixed else 'None'}",
        f"        latents = call(pipe, PROMPT, HOW, generators, embeds=said{given})",
        "        for one in unpack(pipe, latents, HOW.height, HOW.width):",
        "            images.append(decode(whole.vae, one[None]))",
    ]
    if params.task == "inpaint":
        draw.append(
            "images = [np.where(np.asarray(mask)[:, :, None] > 127, one, np.asarray(picture)) for one in images]"
        )
    carried = ["for_task", "call", "unpack", "decode", *(["mixed_embeddings"] if mixed else [])]
    carried += ["blends_itself"] if params.task == "inpaint" else []
    return Script(
        settings, (Part("Load", "\n".join(load)), Part("Draw", "\n".join(draw)), save(request)), tuple(libraries),
        (*(f"{_PIPELINES}:{name}" for name in carried), "models.diffusion.schedulers:make"), cannot,
    )  # fmt: skip
