"""Generators of adversarial nets: a picture in one pass, from noise and words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.image.sampling.one_pass import check_prompts, read_config, run_stats
from models.params import Params, above, hint
from models.types import SEED_MAX, Output, Request

if TYPE_CHECKING:
    from models.scripts import Script
    from models.spec import ModelSpec

FREE = 0.7  # truncation from which on images differ as the model would have them
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  N[noise from the seed] --> G[generator]
  W[words] --> G
  G --> P[picture]
  P --> D[discriminator]
  R[real picture] --> D
  D -->|how real does it look?| G
```

A [generative adversarial network](https://arxiv.org/abs/1406.2661) is two networks. The generator turns noise and words
into a picture; the discriminator, which is left behind after training, learnt to tell its pictures from real ones. Each
got better because the other did. Drawing takes one pass: no steps, no scheduler, and so it is fast.

Noise and words become a [style](https://arxiv.org/abs/1812.04948) that steers every layer. Truncation pulls the style
towards the mean style of the same words: safer pictures, more alike. Where training pictures are few, the discriminator
can be shown [randomly changed (augmented) copies](https://arxiv.org/abs/2006.10738), so that it does not learn them by
heart.
"""


class GANParams(Params):
    """Declare what steers a conditional generator. Truncation: Brock et al. 2019; Karras et al. 2019."""

    truncation: float = Field(
        1.0, ge=0.0, le=1.5, description="Pulls each image towards the prompt's average. 0: always the same safe "
                                         "image; 1: full variety; above: wilder, often broken.",
        json_schema_extra=hint(label="Truncation", step=0.05, group="Style"),
    )  # fmt: skip
    num_images: int = Field(
        1, ge=1, le=8, description="How many images. Image n uses seed + n − 1, as if run alone.",
        json_schema_extra=hint(label="Images", neutral=1, counts=True, cost="each", group="Style"),
    )  # fmt: skip
    variation_strength: float = Field(
        0.0, ge=0.0, le=1.0, description="Blends this seed's noise with the variation seed's. 0.1: a close "
                                         "variation; 1: the variation seed's image.",
        json_schema_extra=hint(label="Variation strength", neutral=0.0, step=0.05, group="Sampling", live=True),
    )  # fmt: skip
    variation_seed: int = Field(
        1, ge=0, le=2**32 - 1, description="The seed to vary towards.",
        json_schema_extra=hint(label="Variation seed", group="Sampling", shown_if={"variation_strength": above(0.0)}),
    )  # fmt: skip
    prompt_mix: float = Field(
        0.0, ge=0.0, le=1.0, description="Blends the word vectors of two prompts. 0: first prompt; 1: second.",
        json_schema_extra=hint(label="Prompt blend", neutral=0.0, step=0.05, group="Prompt", live=True,
                               advanced=True),
    )  # fmt: skip


class GAN(Family[GANParams]):
    """Run a `GANGenerator`."""

    name: ClassVar[str] = "gan"
    saves: ClassVar[tuple[str, ...]] = ("png",)
    title: ClassVar[str] = "Generative adversarial network"
    task: ClassVar[str] = "text to image"
    in_short: ClassVar[str] = (
        "Two networks trained against each other: the generator draws, the discriminator tells drawn from real. Draws "
        "in one pass."
    )
    reentrant: ClassVar[bool] = True
    modality: ClassVar[Modality] = "image"
    Params: ClassVar[type[Params]] = GANParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="Prompt", help="What to draw.", lists=True),
        InputField(
            "prompt_to", required=False, label="Second prompt", help="The other prompt for “Prompt blend”.",
            shown_if={"prompt_mix": above(0.0)},
        ),
    )  # fmt: skip
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def load(self, spec: ModelSpec) -> Loaded:
        """Read the generator into float32."""
        from models.image.nets.generator import GANGenerator

        return Loaded({"model": GANGenerator.from_pretrained(spec.folder()).float().eval()})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return sizes and the number of words, read from config.json."""
        config = read_config(spec)
        return {"noise_size": config["noise_size"], "vocabulary_size": len(config["vocabulary"]), "size": 64}

    def check_inputs(self, spec: ModelSpec, request: Request, params: GANParams) -> None:
        """Refuse an empty prompt; see `Family.check_inputs`."""
        check_prompts(request, params.prompt_mix)

    def script(self, spec: ModelSpec, request: Request, params: GANParams) -> Script:
        """Return the generator's own source and one pass through it; see `Family.script`."""
        from models.image.scripts import one_pass

        return one_pass.gan(spec, request, params)

    def generate(
        self, spec: ModelSpec, request: Request, params: GANParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Draw one picture after another, each from its own seed; see `Family.generate`."""
        import torch

        from models.image import files
        from models.image.nets.word_bag import word_ids
        from models.image.sampling import alike
        from models.image.sampling.pixels import seeded_noise, to_pixels

        model = loaded.parts["model"]
        vocabulary = model.config.vocabulary
        started = time.monotonic()
        rows, unknown = [], []
        for name in ("prompt", "prompt_to")[: 2 if params.prompt_mix > 0 else 1]:
            ids, strange = word_ids(vocabulary, request.inputs[name])
            rows.append(ids)
            unknown += strange
        outputs: list[Output] = []
        drawn = []
        stopped = False
        with torch.inference_mode():
            meanings = model.words(rows)  # 1 or 2 × word_size
            meaning = torch.lerp(meanings[:1], meanings[-1:], params.prompt_mix)
            centre = model.centre(meaning)
            for number in range(params.num_images):
                if context.stopped():
                    stopped = True
                    break
                noise = seeded_noise((1, model.config.noise_size), request.seed, number, params)
                style = model.style(noise, meaning)
                style = torch.lerp(centre, style, params.truncation)
                pixels = to_pixels(model.draw(style)[0])
                drawn.append(pixels)
                meta = {"seed": (request.seed + number) % (SEED_MAX + 1)}
                outputs.append(files.image_output(pixels, context.stamp, number, meta))
                yield Progress("generate", number + 1, params.num_images, unit="images")
                if number + 1 < params.num_images:
                    yield Preview(tuple(outputs))
        stats = run_stats(len(outputs), started, stopped, unknown)
        # below that it is the truncation, and not the model, that makes them alike
        if params.truncation >= FREE and params.variation_strength == 0 and alike.remembered(drawn):
            stats["notes"].append(alike.REMEMBERED)
        yield Final(tuple(outputs), stats)
