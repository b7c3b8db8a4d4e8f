"""Variational autoencoders: squeeze a picture to a few numbers, take them in hand, rebuild it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from models.errors import BadInput
from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.image import files
from models.image.sampling.one_pass import check_prompts, read_config, run_stats
from models.params import Params, above, hint
from models.types import SEED_MAX, Output, Request

if TYPE_CHECKING:
    from models.scripts import Script
    from models.spec import ModelSpec

COMPONENTS = 6
_DRAWN = {"task": ["sample"]}
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  I[picture] --> E[encoder]
  E --> Z[a few hundred numbers]
  Z --> D[decoder]
  D --> O[picture again]
  S[seed] -.->|sample| Z
  H[your sliders] -.-> Z
```

A [variational autoencoder](https://arxiv.org/abs/1312.6114) compresses an image into a few hundred numbers, the latent,
and rebuilds it from them. It is trained on both ends at once, with a little noise on the numbers and a pull towards the
normal distribution ([β](https://openreview.net/forum?id=Sy2fzU9gl) says how strong), so that near numbers mean near
pictures. What it rebuilds is a little soft: among all pictures that fit, it gives their average.

The sliders move the latent along the principal components of the training pictures' latents: the directions in which
they differ most. To sample, numbers are drawn at random and decoded; with a name, from where pictures of such words
lie. Temperature says how far from the middle. The autoencoder itself was never told a name.
"""


def _component(number: int) -> Any:
    return Field(
        0.0, ge=-4.0, le=4.0,
        description=f"Moves the latent along principal component {number}, in standard deviations. 0: unchanged. Try "
                    "it: what changes is learnt, not named.",
        json_schema_extra=hint(label=f"Component {number}", step=0.1, group="Latent", neutral=0.0),
    )  # fmt: skip


class VAEParams(Params):
    """Declare what can be done with a latent. β-VAE: Higgins et al. 2017."""

    task: Literal["sample", "reconstruct", "interpolate"] = Field(
        "sample", description="Sample: a random image. Reconstruct: compress and rebuild yours. Interpolate: morph "
                              "between two images.",
        json_schema_extra=hint(label="Task", group="Task", live=True),
    )  # fmt: skip
    temperature: float = Field(
        0.6, ge=0.0, le=1.5, description="Scales the random latent. 0: the average image; 1: full variety, often "
                                         "unclear.",
        json_schema_extra=hint(label="Temperature", step=0.05, group="Latent", shown_if=_DRAWN),
    )  # fmt: skip
    mix: float = Field(
        0.5, ge=0.0, le=1.0, description="Mixes two images. 0: the first; 1: the second; between: a morph of both.",
        json_schema_extra=hint(label="Mix", step=0.05, group="Latent", shown_if={"task": ["interpolate"]}),
    )  # fmt: skip
    component_1: float = _component(1)
    component_2: float = _component(2)
    component_3: float = _component(3)
    component_4: float = _component(4)
    component_5: float = _component(5)
    component_6: float = _component(6)
    num_images: int = Field(
        1, ge=1, le=8, description="How many images. Image n uses seed + n − 1, as if run alone.",
        json_schema_extra=hint(label="Images", neutral=1, counts=True, cost="each", group="Sampling", shown_if=_DRAWN),
    )  # fmt: skip
    variation_strength: float = Field(
        0.0, ge=0.0, le=1.0, description="Blends this seed's random latent with the variation seed's. 0.1: a close "
                                         "variation; 1: the variation seed's image.",
        json_schema_extra=hint(label="Variation strength", neutral=0.0, step=0.05, group="Sampling", live=True,
                               shown_if=_DRAWN),
    )  # fmt: skip
    variation_seed: int = Field(
        1, ge=0, le=2**32 - 1, description="The seed to vary towards.",
        json_schema_extra=hint(label="Variation seed", group="Sampling", shown_if={"variation_strength": above(0.0)}),
    )  # fmt: skip
    prompt_mix: float = Field(
        0.0, ge=0.0, le=1.0, description="Blends the latents of two prompts. 0: first prompt; 1: second.",
        json_schema_extra=hint(label="Prompt blend", neutral=0.0, step=0.05, group="Prompt", live=True,
                               advanced=True, shown_if=_DRAWN),
    )  # fmt: skip


class VAE(Family[VAEParams]):
    """Run a `ConvVAE`."""

    name: ClassVar[str] = "vae"
    saves: ClassVar[tuple[str, ...]] = ("png",)
    title: ClassVar[str] = "Variational autoencoder"
    task: ClassVar[str] = "text to image"
    in_short: ClassVar[str] = (
        "Learnt to compress images into a few hundred numbers (a latent) and rebuild them; it draws by decoding a "
        "random latent."
    )
    reentrant: ClassVar[bool] = True
    modality: ClassVar[Modality] = "image"
    Params: ClassVar[type[Params]] = VAEParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", "text", False, "Prompt", "What to draw; empty: anything.", shown_if=_DRAWN, lists=True),
        InputField(
            "prompt_to", "text", False, "Second prompt", "The other prompt for “Prompt blend”.",
            shown_if={"prompt_mix": above(0.0)},
        ),
        InputField(
            "image", "image", False, "Image", "The image to reconstruct, or the first of two.",
            shown_if={"task": ["reconstruct", "interpolate"]}, limits=files.LIMITS,
        ),
        InputField(
            "image_to", "image", False, "Second image", "The second of two images.",
            shown_if={"task": ["interpolate"]}, limits=files.LIMITS,
        ),
    )  # fmt: skip
    seed_shown_if: ClassVar[Any] = {"task": ("sample",)}
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def load(self, spec: ModelSpec) -> Loaded:
        """Read the net into float32."""
        from models.image.nets.conv_vae import ConvVAE

        return Loaded({"model": ConvVAE.from_pretrained(spec.folder()).float().eval()})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return sizes and the number of words, read from config.json."""
        config = read_config(spec)
        return {"axes": config["axes"], "vocabulary_size": len(config["vocabulary"]), "size": 64}

    def check_inputs(self, spec: ModelSpec, request: Request, params: VAEParams) -> None:
        """Check that the pictures which a task needs are there; see `Family.check_inputs`."""
        # prompts act in sampling alone
        check_prompts(request, params.prompt_mix if params.task == "sample" else 0.0, required=False)
        needed = {"sample": [], "reconstruct": ["image"], "interpolate": ["image", "image_to"]}[params.task]
        for name in needed:
            if name not in request.inputs:
                which = "a second image" if name == "image_to" else "an image"
                raise BadInput(f"“{params.task}” needs {which}. Upload one, or choose the task “sample”.")

    def script(self, spec: ModelSpec, request: Request, params: VAEParams) -> Script:
        """Return the net's own source and a decoding; see `Family.script`."""
        from models.image.scripts import one_pass

        return one_pass.vae(spec, request, params, COMPONENTS)

    def generate(
        self, spec: ModelSpec, request: Request, params: VAEParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Decode points of the latent space; see `Family.generate`."""
        import torch

        from models.image.sampling.pixels import to_pixels

        model = loaded.parts["model"]
        started = time.monotonic()
        unknown: list[str] = []
        shift = torch.tensor([[getattr(params, f"component_{number}") for number in range(1, COMPONENTS + 1)]])
        count = params.num_images if params.task == "sample" else 1
        outputs: list[Output] = []
        stopped = False
        with torch.inference_mode():
            places = self._places(request, params, model, context, unknown)
            for number in range(count):
                if context.stopped():
                    stopped = True
                    break
                place, rest = places(number)
                place = place.clone()
                place[:, :COMPONENTS] += shift
                pixels = to_pixels(model.decode(model.from_axes(place) + rest)[0])
                meta = {"seed": (request.seed + number) % (SEED_MAX + 1)}
                outputs.append(files.image_output(pixels, context.stamp, number, meta))
                yield Progress("generate", number + 1, count, unit="images")
                if number + 1 < count:
                    yield Preview(tuple(outputs))
        yield Final(tuple(outputs), run_stats(len(outputs), started, stopped, unknown))

    def _places(self, request: Request, params: VAEParams, model: Any, context: Context, unknown: list[str]) -> Any:
        """Return a function from a picture's number to its coordinates (1 × axes) and what lies outside."""
        import torch

        from models.image.nets.word_bag import word_ids
        from models.image.sampling.pixels import seeded_noise

        if params.task != "sample":
            latents = [self._latent(model, context, request.inputs[name]) for name in ("image", "image_to")
                       if name in request.inputs]  # fmt: skip
            share = params.mix if params.task == "interpolate" else 0.0
            latent = torch.lerp(latents[0], latents[-1], share) if params.task == "interpolate" else latents[0]
            place = model.to_axes(latent)
            return lambda number: (place, latent - model.from_axes(place))

        def where(text: str) -> tuple[Any, Any]:
            if not text.strip():  # anything: the whole space
                return torch.zeros(1, model.config.axes), torch.ones(1, model.config.axes)
            ids, strange = word_ids(model.config.vocabulary, text)
            unknown.extend(strange)
            found: tuple[Any, Any] = model.where([ids])
            return found

        mean, spread = where(request.inputs.get("prompt", ""))
        if params.prompt_mix > 0:
            second_mean, second_spread = where(request.inputs["prompt_to"])
            mean = torch.lerp(mean, second_mean, params.prompt_mix)
            spread = torch.lerp(spread, second_spread, params.prompt_mix)

        def place_of(number: int) -> tuple[Any, Any]:
            noise = seeded_noise((1, model.config.axes), request.seed, number, params)
            return mean + params.temperature * spread * noise, 0.0

        return place_of

    def _latent(self, model: Any, context: Context, ref: str) -> Any:
        """Return the latent of an upload, 1 × channels × 4 × 4."""
        from models.image.sampling.pixels import to_tensor

        assert context.open_ref is not None
        picture = files.fit(files.decode_upload(context.open_ref(ref)), 64, 64)
        return model.encode(to_tensor(picture))[0]
