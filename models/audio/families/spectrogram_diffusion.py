"""Diffusion on mel spectrograms of labelled sounds: words of a small vocabulary, each in a chosen voice."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import Field

from models import plain_text
from models.audio import loudness, sounds
from models.audio.loudness import Loudness, loudness_field
from models.audio.sound_family import SPEAKS, SoundFamily, with_speakers
from models.diffusion import samplers
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, InputField, Loaded
from models.params import Params, hint
from models.types import SEED_MAX, Output, Request, RunStats

if TYPE_CHECKING:
    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

Scheduler = Literal[
    "DPMSolverMultistepScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler", "DDPMScheduler",
]  # fmt: skip
WORDS_MAX = 12
VOCODER = "vocoder"  # the folder of a trained one, beside the U-Net's
_NAMES = {"zero": "0", "oh": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
          "seven": "7", "eight": "8", "nine": "9"}  # fmt: skip
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  N[noise] --> U
  L[digit and speaker] --> U[U-Net]
  U -->|a little less noise, many times| S[mel spectrogram]
  S --> G[Griffin-Lim] --> W[sound]
  G -.-> V[trained vocoder] -.-> W
```

A [mel spectrogram](https://en.wikipedia.org/wiki/Mel_scale) is a picture of sound: time runs to the right, frequency
upwards, brightness is loudness; the mel scale is spaced as the ear hears. So what draws pictures can draw sound: a
[diffusion model](https://arxiv.org/abs/2006.11239) starts from noise and takes a little of it away, many times, until a
spectrogram of the asked-for digit in the asked-for voice stands there. [Guidance](https://arxiv.org/abs/2207.12598)
says how strongly digit and voice are followed.

A spectrogram says how loud each frequency is, not where its waves begin (the phase). [Griffin and
Lim](https://ieeexplore.ieee.org/document/1164317) found these phases by going back and forth until sound and
spectrogram agree: few rounds ring like a tin can, many sound nearly natural. A vocoder is a net that has learnt from
recordings how sound goes with spectrograms. The one here has the shape of
[Vocos](https://arxiv.org/abs/2306.00814) and goes on from what Griffin and Lim's way came to: it says by how much each
level and each phase is off.
"""


class SpectrogramParams(Params):
    """Declare voice, denoising and the way from spectrogram to sound."""

    speaker: str = Field(
        "", max_length=60, description="The speaker's voice.", json_schema_extra=hint(group="Voice"),
    )  # fmt: skip
    pause_s: float = Field(
        0.12, ge=0.0, le=0.6, description="Silence between two words.",
        json_schema_extra=hint(label="Pause", step=0.02, unit="s", group="Voice"),
    )  # fmt: skip
    num_takes: int = Field(
        1, ge=1, le=4, description="How many takes. Take n uses seed + n − 1.",
        json_schema_extra=hint(label="Takes", neutral=1, counts=True, cost="each", group="Voice"),
    )  # fmt: skip
    num_inference_steps: int = Field(
        20, ge=1, le=100, description="Number of denoising steps. Few: slurred or hissing; many: clear, slower.",
        json_schema_extra=hint(label="Steps", cost="each", group="Denoising"),
    )  # fmt: skip
    guidance_scale: float = Field(
        2.0, ge=0.0, le=10.0, description="Classifier-free guidance. 0: any digit, any voice; 1: the model as "
                                          "trained; higher: clearer, then over-articulated.",
        json_schema_extra=hint(label="Guidance", step=0.1, group="Denoising"),
    )  # fmt: skip
    scheduler: Scheduler = Field(
        "DPMSolverMultistepScheduler", description="The sampler: how each step removes noise. Ancestral ones (and "
                                                   "DDPM) add fresh noise, so more steps keep changing the sound.",
        json_schema_extra=hint(group="Denoising",
                               names={name: samplers.webui_name(name) for name in get_args(Scheduler)}),
    )  # fmt: skip
    vocoder: Literal["griffin-lim", "trained"] = Field(
        "griffin-lim", description="What turns the spectrogram into sound. Griffin-Lim: searches the phases step by "
                                   "step; trained: a network then mends its sound, as recordings taught it.",
        json_schema_extra=hint(label="Vocoder", group="Sound", names={"griffin-lim": "Griffin-Lim"}),
    )  # fmt: skip
    griffin_lim_rounds: int = Field(
        64, ge=1, le=200, description="Iterations that recover the sound's phase. Few: metallic; many: more "
                                      "natural, slower.",
        json_schema_extra=hint(label="Griffin-Lim iterations", group="Sound", advanced=True),
    )  # fmt: skip
    loudness: Loudness = loudness_field()


class SpectrogramDiffusion(SoundFamily[SpectrogramParams]):
    """Run a `UNet2DModel` with class labels whose pictures are folded mel spectrograms."""

    name: ClassVar[str] = "spectrogram_diffusion"
    reentrant: ClassVar[bool] = True
    title: ClassVar[str] = "Spectrogram diffusion"
    task: ClassVar[str] = "text to speech"
    roles: ClassVar[frozenset[str]] = frozenset({SPEAKS})
    Params: ClassVar[type[Params]] = SpectrogramParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="What to say", help="Digits, such as “4 0 7”, or their names."),
    )
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the model's table of settings, with the speakers that it knows, and vocoders where it has its own."""
        table = with_speakers(super().fields(spec), spec.facts.get("speakers", []))
        if spec.facts.get("vocoder"):
            return table
        kept = (item for item in table if item.name != "vocoder")
        return tuple(replace(item, shown_if={}) if item.name == "griffin_lim_rounds" else item for item in kept)

    def run_bytes(self, spec: ModelSpec, request: Request, params: SpectrogramParams) -> int:
        """Forecast from the words, which are drawn together, and the kept steps; see `Family.run_bytes`."""
        words = min(WORDS_MAX, len(re.findall(r"[a-z]+|\d", request.inputs.get("prompt", "").lower())) or 1)
        return 16_000_000 + 5_000_000 * words + 30_000 * words * params.num_inference_steps * params.num_takes

    def load(self, spec: ModelSpec) -> Loaded:
        """Read U-Net, schedule and, where there is one, vocoder into float32."""
        import torch
        from diffusers import DDPMScheduler, UNet2DModel

        from models.audio.sampling.mels import Mels
        from models.audio.sampling.spectrograms import read_layout

        folder = spec.folder()
        unet = UNet2DModel.from_pretrained(folder / "unet", torch_dtype=torch.float32, use_safetensors=True).eval()
        layout = read_layout(folder)
        schedule = DDPMScheduler.from_pretrained(folder / "scheduler")
        vocoder = None
        if spec.facts.get("vocoder"):
            from models.audio.nets.vocoder import Vocoder

            vocoder = Vocoder.from_pretrained(folder / VOCODER, torch_dtype=torch.float32, use_safetensors=True).eval()
        parts = {"unet": unet, "schedule": schedule, "layout": layout, "mels": Mels(layout.mel), "vocoder": vocoder}
        return Loaded(parts)

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return words, speakers, rate, length, and whether there is a vocoder, read from the folder."""
        from models.audio.sampling.spectrograms import read_layout

        try:
            layout = read_layout(spec.folder())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{spec.id}: spectrogram.json is missing or damaged. {restore()}") from error
        rate = layout.mel.sample_rate
        found = {"speakers": list(layout.speakers), "words": list(layout.labels), "sample_rate": rate,
                 "word_s": round(layout.frames * layout.mel.hop_length / rate, 3)}  # fmt: skip
        return {**found, "vocoder": True} if (spec.folder() / VOCODER).is_dir() else found

    def check_inputs(self, spec: ModelSpec, request: Request, params: SpectrogramParams) -> None:
        """Refuse what the model has no sound for; see `Family.check_inputs`."""
        parse_words(request.inputs.get("prompt", ""), tuple(spec.facts["words"]))

    def script(self, spec: ModelSpec, request: Request, params: SpectrogramParams) -> Script:
        """Return a U-Net of diffusers and how it is sampled; see `Family.script`."""
        from models.audio.scripts import spectrogram_diffusion

        words = parse_words(request.inputs["prompt"], tuple(spec.facts["words"]))
        return spectrogram_diffusion.script(spec, request, params, words)

    def generate(
        self, spec: ModelSpec, request: Request, params: SpectrogramParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Draw the words' spectrograms together, one take after another, and make them sound; see `Family.generate`."""
        import torch

        from models import seeds
        from models.audio.looking import sound_views
        from models.audio.sampling import spectrograms
        from models.diffusion import schedulers

        layout, mels = loaded.parts["layout"], loaded.parts["mels"]
        words = parse_words(request.inputs["prompt"], layout.labels)
        classes = layout.classes(words, params.speaker)
        config = {**loaded.parts["schedule"].config, "_class_name": "DDPMScheduler"}
        outputs: list[Output] = []
        views: list[Output] = []
        begun, steps, stopped = time.monotonic(), 0, False
        for take in range(params.num_takes):
            if stopped or (take and context.stopped()):
                stopped = True
                break
            # word k of take t has chance of its own, and take t is a single run with seed + t
            base = seeds.generator(request.seed, take)
            generators = [seeds.generator(int(torch.randint(0, 2**31, (1,), generator=base))) for _ in words]
            scheduler = schedulers.make(config, params.scheduler)
            kept: list[Any] = []
            times: list[float] = []
            step = None
            with torch.inference_mode():
                for step in spectrograms.denoise(
                    loaded.parts["unet"], scheduler, classes, layout.unconditional, params.guidance_scale,
                    params.num_inference_steps, generators, context.stopped,
                ):  # fmt: skip
                    mel = torch.cat(list(layout.unfold(step.x0)), 1).numpy()  # bands × frames of all words
                    kept.append(mel)
                    times.append(step.time)
                    steps += 1
                    yield Progress(
                        "denoise", step.number, step.total, f"take {take + 1}" if params.num_takes > 1 else ""
                    )
                    view = sound_views.steps_view([mel], [step.time], take)
                    seconds = round(mel.shape[1] * layout.mel.hop_length / layout.mel.sample_rate, 2)
                    growing = Output("audio", take, meta={"seconds": seconds, "at_once": True})
                    yield Preview((*outputs, growing, view))
                assert step is not None
                stopped = step.number < step.total
                yield Progress("decode", take, params.num_takes)
                vocoder = loaded.parts["vocoder"] if params.vocoder == "trained" else None
                sound = spectrograms.speak(
                    mels, layout.unfold(step.x0), params.pause_s, params.griffin_lim_rounds, vocoder)  # fmt: skip
            sound, facts = loudness.level(sound, layout.mel.sample_rate, params.loudness)
            meta = {"seed": (request.seed + take) % (SEED_MAX + 1), "peaks": sounds.peaks(sound), **facts}
            if stopped:
                meta["finish"] = "stopped"
            said = " ".join(words)
            outputs.append(sounds.sound_output(sound, layout.mel.sample_rate, context.stamp, take, said, meta))
            views += [sound_views.mel_view(sound, layout.mel.sample_rate, take),
                      sound_views.steps_view(kept, times, take)]  # fmt: skip
        spent = time.monotonic() - begun
        stats: RunStats = {
            "steps": steps, "steps_per_s": round(steps / spent, 2) if spent > 0 else 0.0, "stopped": stopped,
            "notes": [],
        }  # fmt: skip
        yield Final((*outputs, *views), stats)


def parse_words(text: str, labels: tuple[str, ...]) -> list[str]:
    """Return the words of a text as labels: "407", "4 0 7" and "four oh seven" alike. Raises `BadInput`."""
    words: list[str] = []
    for word in re.findall(r"[a-z]+|\d|[^\s,.;:!?-]", plain_text.check_text(text).lower()):
        label = word if word in labels else _NAMES.get(word, "")
        if label not in labels:
            raise BadInput(f"This model cannot say “{word[:20]}”. It knows: {', '.join(labels)}.")
        words.append(label)
    if not words:
        raise BadInput("There is nothing to say. Write digits, such as “4 0 7”.")
    if len(words) > WORDS_MAX:
        raise BadInput(f"There are {len(words)} words; at most {WORDS_MAX} can be said at once. Say fewer.")
    return words
