"""Text-to-image pipelines of diffusers: text to image, image to image and inpainting by denoising latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import Field

from models.diffusion import samplers
from models.errors import BadInput, WeightsError, restore
from models.events import Event
from models.family import Context, Family, InputField, Loaded, Modality
from models.image import files
from models.image.presets import DIFFUSION
from models.params import ParamField, Params, above, hint, limited
from models.plain_text import check_text
from models.presets import Preset
from models.stamps import TEXT_MAX_CHARS
from models.types import Request

if TYPE_CHECKING:
    from models.scripts import Script
    from models.spec import ModelSpec

Scheduler = Literal[
    "DPMSolverMultistepScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler",
    "LMSDiscreteScheduler", "PNDMScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
    "DDPMScheduler", "LCMScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler",
]  # fmt: skip
_WITH_SIGMAS = [
    "DPMSolverMultistepScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler", "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler", "DEISMultistepScheduler", "LMSDiscreteScheduler", "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
]  # fmt: skip
_WITH_SPACING = [name for name in get_args(Scheduler) if name not in (
    "DPMSolverSinglestepScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"
)]  # fmt: skip
_FROM_PICTURE = ["image to image", "inpaint"]
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  P[your prompt] --> T[text encoder]
  N[noise from the seed] --> U[U-Net]
  T -->|cross-attention| U
  U -->|a little less noise| U
  U --> V[decoder]
  V --> I[picture]
```

A [diffusion model](https://arxiv.org/abs/2006.11239) learnt one thing: to tell the noise in a noisy picture from the
picture. To draw, it starts from pure noise, which the seed fixes, and takes a little away at each step. A
[latent](https://arxiv.org/abs/2112.10752) diffusion model works not on pixels but on a small grid of numbers, the
latent, which a decoder turns into pixels. At every step the network attends to the words of the prompt
(cross-attention).

[Classifier-free guidance](https://arxiv.org/abs/2207.12598) predicts twice, with and without the prompt, and
exaggerates the difference: closer to the prompt, less variety. The scheduler (sampler) says how each step removes
noise: [DDIM](https://arxiv.org/abs/2010.02502) and [DPM-Solver++](https://arxiv.org/abs/2211.01095) need few steps, the
ancestral ones add fresh noise on the way. Image to image starts from a picture with noise on it instead of noise alone;
strength says how much.
"""


class TextToImageParams(Params):
    """Declare the settings that diffusers' text-to-image pipelines share.

    Guidance: Ho & Salimans 2022. Sigma spacing: Karras et al. 2022. Timestep spacing: Lin et al. 2023. Strength: Meng
    et al. 2021 (SDEdit).
    """

    task: Literal["text to image", "image to image", "inpaint"] = Field(
        "text to image", description="Text to image: from words. Image to image: starts from your image. Inpaint: "
                                     "redraws the masked part.",
        json_schema_extra=hint(label="Task", neutral="text to image", group="Task", live=True),
    )  # fmt: skip
    num_inference_steps: int = Field(
        20, ge=1, le=100, description="Number of denoising steps. More: finer and slower; few: soft or broken.",
        json_schema_extra=hint(label="Steps", cost="each", group="Denoising"),
    )  # fmt: skip
    guidance_scale: float = Field(
        4.0, ge=1.0, le=20.0, description="Classifier-free guidance: how strongly the image follows the prompt. 1: "
                                          "off; 3–7: close; higher: harsh colours, little variety.",
        json_schema_extra=hint(label="Guidance", step=0.1, group="Denoising", live=True, was=(0.0, 20.0)),
    )  # fmt: skip
    negative_prompt: str = Field(
        "", max_length=TEXT_MAX_CHARS,
        description="What the image should not show. Guidance steers away from it, so it has an effect only with "
                    "guidance above 1.",
        json_schema_extra=hint(label="Negative prompt", group="Denoising", shown_if={"guidance_scale": above(1.0)}),
    )  # fmt: skip
    strength: float = Field(
        0.6, ge=0.05, le=1.0, description="How much noise is added to your image first. Low: small changes; 1: "
                                          "almost all of it is lost. Only this share of steps runs.",
        json_schema_extra=hint(label="Strength", step=0.05, group="Denoising", shown_if={"task": _FROM_PICTURE}),
    )  # fmt: skip
    scheduler: Scheduler = Field(
        "DPMSolverMultistepScheduler", description="The sampler: how each step removes noise. Ancestral ones (and "
                                                   "DDPM) add fresh noise, so more steps keep changing the image.",
        json_schema_extra=hint(label="Scheduler", group="Denoising", live=True, names={
                                   name: samplers.webui_name(name) for name in get_args(Scheduler)}),
    )  # fmt: skip
    prompt_mix: float = Field(
        0.0, ge=0.0, le=1.0, description="Blends two prompts inside the text encoder. 0: first prompt; 1: second.",
        json_schema_extra=hint(label="Prompt blend", neutral=0.0, step=0.05, group="Prompt", live=True,
                               advanced=True),
    )  # fmt: skip
    num_images: int = Field(
        1, ge=1, le=8, description="How many images. Image n uses seed + n − 1, as if run alone.",
        json_schema_extra=hint(label="Images", neutral=1, counts=True, cost="each", group="Size"),
    )  # fmt: skip
    width: int = Field(
        512, ge=16, le=1024, description="Width of the image. Far from the training size, shapes repeat or break.",
        json_schema_extra=hint(label="Width", cost="side", step=8, unit="px", group="Size"),
    )  # fmt: skip
    height: int = Field(
        512, ge=16, le=1024, description="Height of the image. Far from the training size, shapes repeat or break.",
        json_schema_extra=hint(label="Height", cost="side", step=8, unit="px", group="Size"),
    )  # fmt: skip
    variation_strength: float = Field(
        0.0, ge=0.0, le=1.0, description="Blends this seed's noise with the variation seed's. 0.1: a close "
                                         "variation; 1: the variation seed's image.",
        json_schema_extra=hint(label="Variation strength", neutral=0.0, step=0.05, group="Sampling", live=True,
                               shown_if={"task": ["text to image"]}),
    )  # fmt: skip
    variation_seed: int = Field(
        1, ge=0, le=2**32 - 1, description="The seed to vary towards.",
        json_schema_extra=hint(label="Variation seed", group="Sampling",
                               shown_if={"variation_strength": above(0.0)}),
    )  # fmt: skip
    sigmas: Literal["default", "karras", "exponential", "beta"] = Field(
        "default", description="How noise levels (sigmas) are spread over the steps. Karras gives fine detail more "
                               "steps.",
        json_schema_extra=hint(label="Noise schedule (sigmas)", neutral="default", advanced=True,
                               shown_if={"scheduler": _WITH_SIGMAS}),
    )  # fmt: skip
    timestep_spacing: Literal["default", "leading", "linspace", "trailing"] = Field(
        "default", description="Which training timesteps are used. Matters most with few steps: “trailing” starts "
                               "from full noise.",
        json_schema_extra=hint(label="Timestep spacing", neutral="default", advanced=True,
                               shown_if={"scheduler": _WITH_SPACING}),
    )  # fmt: skip
    eta: float = Field(
        0.0, ge=0.0, le=1.0, description="Fresh noise at each DDIM step. 0: none; 1: as much as DDPM adds.",
        json_schema_extra=hint(label="Eta", neutral=0.0, step=0.05, advanced=True,
                               shown_if={"scheduler": ["DDIMScheduler"]}),
    )  # fmt: skip
    clip_skip: int | None = Field(
        None, ge=1, le=11, description="Skips this many last layers of the text encoder: a looser reading of the "
                                       "prompt. 1 here equals “Clip skip 2” in stable-diffusion-webui.",
        json_schema_extra=hint(label="Clip skip", advanced=True),
    )  # fmt: skip


class TextToImage(Family[TextToImageParams]):
    """Run any text-to-image pipeline of diffusers that predicts noise, v or flow on latents."""

    name: ClassVar[str] = "text_to_image"
    saves: ClassVar[tuple[str, ...]] = ("png",)
    title: ClassVar[str] = "Text-to-image diffusion"
    task: ClassVar[str] = "text to image"
    in_short: ClassVar[str] = (
        "Trained to tell the noise in a noisy picture from the picture; it draws by taking noise away, step by step."
    )
    reentrant: ClassVar[bool] = True
    presets: ClassVar[tuple[Preset, ...]] = DIFFUSION
    modality: ClassVar[Modality] = "image"
    Params: ClassVar[type[Params]] = TextToImageParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField(
            "prompt", label="Prompt", lists=True,
            help="What to draw. `(word:1.3)` weighs a word up, `[word]` down; `{red|blue}` draws one of a list by the "
                 "seed, `__animal__` one of a saved list.",
        ),
        InputField(
            "prompt_to", "text", False, "Second prompt", "The other prompt for “Prompt blend”.",
            lists=True, shown_if={"prompt_mix": above(0.0)},
        ),
        InputField(
            "image", "image", False, "Image", "The image to start from.", shown_if={"task": _FROM_PICTURE},
            limits=files.LIMITS,
        ),
        InputField(
            "mask", "mask", False, "Mask", "White is redrawn, black stays.", shown_if={"task": ["inpaint"]},
            limits=files.LIMITS,
        ),
        InputField("steps", "file", False, "Saved steps"),
    )  # fmt: skip
    studies: ClassVar[Mapping[str, str]] = {"steps": "study_steps", "words": "study_words"}
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000

    def run_bytes(self, spec: ModelSpec, request: Request, params: TextToImageParams) -> int:
        """Forecast from the size of one image, as they are made in turn, and the kept steps; see `Family.run_bytes`.

        Measured with emoji-diffusion: 10 MB at 64 × 64, 38 MB at 128 × 128, 59 MB for eight of these. A study works on
        a private copy of the weights.
        """
        pixels = params.width * params.height
        copy = self.needed_bytes(spec) if request.study else 0
        return 12_000_000 + 2_000 * pixels + 200 * pixels * params.num_images + copy

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the model's table of settings: schedulers and tasks that run for it, sizes in its steps."""
        facts = spec.facts
        table = []
        for item in super().fields(spec):
            if item.name == "scheduler" and "schedulers" in facts:
                item = limited(item, choices=facts["schedulers"])
            elif item.name == "task" and "tasks" in facts:
                item = limited(item, choices=facts["tasks"])
            elif item.name in ("width", "height") and "size_step" in facts:
                item = replace(item, step=float(facts["size_step"]))
            elif item.name == "num_inference_steps" and "max_steps" in facts:
                item = limited(item, le=int(facts["max_steps"]))
            elif item.name == "clip_skip":
                layers = int(facts.get("clip_layers", 0))
                if layers < 2:
                    continue
                item = limited(item, le=layers - 1)
            table.append(item)
        return tuple(table)

    def load(self, spec: ModelSpec) -> Loaded:
        """Read the pipeline into float32 (small) or its stored dtype, with the colours of its previews."""
        import torch
        from diffusers import DiffusionPipeline

        from models.image.sampling.previews import load_colours
        from models.tokens.turns import take_turns

        folder = spec.folder()
        small = spec.weights_bytes() < (self.stored_above_bytes or 0)
        pipeline = DiffusionPipeline.from_pretrained(
            folder, dtype=torch.float32 if small else "auto", use_safetensors=True, local_files_only=True,
            trust_remote_code=False,
        )  # fmt: skip
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
            take_turns(part)
        mend_clip(pipeline)
        colours = load_colours(folder / "vae", pipeline.vae)
        return Loaded({"pipeline": pipeline, **pipeline.components, "colours": colours})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return sizes, tasks and the schedulers that run, read from the folder's configs."""
        from models.image.facts import describe_folder

        try:
            return describe_folder(spec.folder())
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise WeightsError(f"{spec.id}: a config of the pipeline is missing or damaged. {restore()}") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: TextToImageParams) -> None:
        """Check prompt, sizes and the pictures that a task needs; see `Family.check_inputs`."""
        prompt = check_text(request.inputs["prompt"])
        if not prompt.strip() and not (params.task != "text to image" and "image" in request.inputs):
            raise BadInput("The prompt is empty. Write what to draw, such as “red heart”.")
        if params.prompt_mix > 0 and not check_text(request.inputs.get("prompt_to", ""), "second prompt").strip():
            raise BadInput("There is no second prompt to blend with. Write one, or set “Prompt blend” to 0.")
        step = spec.facts.get("size_step", 8)
        for name, value in (("width", params.width), ("height", params.height)):
            if value % step:
                raise BadInput(f"The {name} is {value} px; {spec.id} takes whole multiples of {step}. "
                               f"Choose {value // step * step or step} or {(value // step + 1) * step}.")  # fmt: skip
        if params.task != "text to image":
            needed = ["image", "mask"] if params.task == "inpaint" else ["image"]
            for name in needed:
                if name not in request.inputs:
                    what = "an image to start from" if name == "image" else "a mask that says what to repaint"
                    raise BadInput(f"“{params.task}” needs {what}. Upload one, or choose the task “text to image”.")
            if int(params.num_inference_steps * params.strength) < 1:
                raise BadInput(
                    f"Strength {params.strength:g} of {params.num_inference_steps} steps leaves no step to take. "
                    "Raise the strength or the steps."
                )
        if request.study == "steps" and "steps" not in request.inputs:
            raise BadInput("Input “steps” is missing: pass the sha256 reference of the run's “steps” output.")

    def script(self, spec: ModelSpec, request: Request, params: TextToImageParams) -> Script:
        """Return a pipeline of diffusers with the request's settings; see `Family.script`."""
        from models.image.scripts import text_to_image

        return text_to_image.script(spec, request, params, self.stored_above_bytes or 0)

    def generate(
        self, spec: ModelSpec, request: Request, params: TextToImageParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Denoise and decode, with previews, one output per picture and the kept steps; see `Family.generate`."""
        from models.image.sampling.drawing import draw

        yield from draw(spec, request, params, loaded, context)

    def study_steps(
        self, spec: ModelSpec, request: Request, params: TextToImageParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Decode a run's kept steps (input `steps`): two strips of tiles, of x0 and of x_t."""
        from models.image.looking.making import decode_steps

        yield from decode_steps(request, loaded, context)

    def study_words(
        self, spec: ModelSpec, request: Request, params: TextToImageParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Run the request again on a private copy and return the picture and one heat map per word of the prompt."""
        from models.image.looking.making import word_maps

        yield from word_maps(request, params, loaded, context)


def mend_clip(pipeline: Any) -> None:
    """Let diffusers find the last norm of transformers 5's CLIP, which lost its inner `text_model`, for clip skip.

    The name goes past `nn.Module`, which would take the net for a part of itself.
    """
    for name in ("text_encoder", "text_encoder_2"):
        encoder = getattr(pipeline, name, None)
        if encoder is not None and not hasattr(encoder, "text_model") and hasattr(encoder, "final_layer_norm"):
            object.__setattr__(encoder, "text_model", encoder)
