"""Sound and music from a description: AudioLDM 2, Stable Audio, LongCat, ACE-Step and MusicGen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from models import plain_text
from models.audio import loudness, sounds
from models.audio.loudness import Loudness, loudness_field
from models.audio.sound_family import SoundFamily
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, InputField, Loaded
from models.params import Params, above, hint, limited
from models.stamps import TEXT_MAX_CHARS
from models.types import Output, Request, RunStats
from models.watching import follow

if TYPE_CHECKING:
    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

KEPT_STEPS = 50  # of the latents that can be looked at afterwards
_CHANNELS_LAST = ("LongCatAudioDiTPipeline", "AceStepPipeline")  # latents are sounds × frames × channels
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  T[description] --> E[text encoder]
  N[noise from the seed] --> D[denoiser]
  E --> D
  D -->|a little less noise| D
  D --> V[decoder]
  V --> S[sound]
```

There are two ways from words to music. A latent diffusion model ([AudioLDM 2](https://arxiv.org/abs/2308.05734),
[Stable Audio](https://arxiv.org/abs/2407.14358)) starts from noise in a latent, a small grid of numbers for the whole
sound, and takes it away step by step; guidance says how strongly the words are followed. All of the sound is refined at
once, so nothing can be heard before the end.

[MusicGen](https://arxiv.org/abs/2306.05284) writes music as a text model writes words: a codec turns sound into a few
rows of audio tokens, fifty columns per second, and a Transformer predicts the next column. The rows are shifted against
each other, so that each token sees those it depends on. Temperature and top-k work as they do on text.
"""


class TextToAudioParams(Params):
    """Declare the settings of which each model's call honours some: those alone are shown."""

    seconds: float = Field(
        8.0, ge=0.5, le=120.0, description="How long the sound is.",
        json_schema_extra=hint(label="Length", step=0.5, unit="s", group="Sound"),
    )  # fmt: skip
    loudness: Loudness = loudness_field()
    num_inference_steps: int = Field(
        50, ge=1, le=200, description="Number of denoising steps. More: finer and slower; few: dull or noisy.",
        json_schema_extra=hint(label="Steps", cost="each", group="Denoising"),
    )  # fmt: skip
    guidance_scale: float = Field(
        3.5, ge=1.0, le=20.0, description="Classifier-free guidance: how strongly the sound follows the "
                                          "description. 1: off; higher: closer, then harsh.",
        json_schema_extra=hint(label="Guidance", step=0.1, group="Denoising", live=True, was=(0.0, 20.0)),
    )  # fmt: skip
    negative_prompt: str = Field(
        "", max_length=TEXT_MAX_CHARS,
        description="What the sound should not be, such as “low quality”. Needs guidance above 1.",
        json_schema_extra=hint(label="Negative prompt", group="Denoising", shown_if={"guidance_scale": above(1.0)}),
    )  # fmt: skip
    shift: float = Field(
        3.0, ge=1.0, le=6.0, description="Shifts denoising steps towards the noisy start, where the overall plan "
                                         "forms. 1: evenly spread; higher: more steps there, fewer for detail.",
        json_schema_extra=hint(label="Shift", step=0.1, group="Denoising", advanced=True),
    )  # fmt: skip
    lyrics: str = Field(
        "", max_length=2000, description="Words to be sung, with marks such as [verse]. Empty: no singing.",
        json_schema_extra=hint(label="Lyrics", group="Music", live=True),
    )  # fmt: skip
    vocal_language: Literal["en", "de", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh"] = Field(
        "en", description="The language of the lyrics.", json_schema_extra=hint(label="Lyrics language", group="Music"),
    )  # fmt: skip
    bpm: int | None = Field(
        None, ge=30, le=300, description="Beats per minute. Off: the model chooses.",
        json_schema_extra=hint(label="Tempo", unit="bpm", group="Music"),
    )  # fmt: skip
    keyscale: str = Field(
        "", max_length=20, description="Key, such as “C major”. Empty: the model chooses.",
        json_schema_extra=hint(label="Key", group="Music"),
    )  # fmt: skip
    timesignature: Literal["any", "2", "3", "4", "6"] = Field(
        "any", description="Time signature: how each bar is counted. Any: the model chooses.",
        json_schema_extra=hint(label="Metre", neutral="any", group="Music"),
    )  # fmt: skip
    temperature: float = Field(
        1.0, ge=0.0, le=2.0,
        description="Sampling temperature. 0: always the likeliest audio token, which soon loops. Higher: more varied.",
        json_schema_extra=hint(label="Temperature", step=0.05, group="Sampling", live=True),
    )  # fmt: skip
    top_k: int = Field(
        250, ge=0, le=2048, description="Draws only from this many likeliest audio tokens. Small: safe, "
                                        "repetitive; 0: all.",
        json_schema_extra=hint(label="Top-k", group="Sampling", shown_if={"temperature": above(0.0)}),
    )  # fmt: skip
    top_p: float = Field(
        1.0, ge=0.01, le=1.0, description="Nucleus sampling: only the likeliest audio tokens whose probabilities "
                                          "add up to this. 1: off.",
        json_schema_extra=hint(label="Top-p", step=0.01, group="Sampling", shown_if={"temperature": above(0.0)}),
    )  # fmt: skip


class TextToAudio(SoundFamily[TextToAudioParams]):
    """Run a text-to-audio pipeline of diffusers, or a `MusicgenForConditionalGeneration`."""

    name: ClassVar[str] = "text_to_audio"
    title: ClassVar[str] = "Text to sound and music"
    task: ClassVar[str] = "text to audio"
    Params: ClassVar[type[Params]] = TextToAudioParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="Description", help="What it should sound like."),
    )
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings that the model's call honours, the length as far as it goes."""
        honoured = {"loudness", "seed", *spec.facts.get("settings", [])}
        longest = spec.facts.get("max_s")
        table = []
        for item in super().fields(spec):
            if item.name not in honoured:
                continue
            if item.name == "seconds" and isinstance(longest, int | float):
                item = limited(item, le=longest)
            if not set(item.shown_if) <= honoured:
                item = replace(item, shown_if={})
            if item.name == "seed" and "temperature" in honoured:
                item = replace(item, shown_if={"temperature": above(0.0)})
            table.append(item)
        return tuple(table)

    def load(self, spec: ModelSpec) -> Loaded:
        """Read the pipeline, or model and processor; see `Family.load`."""
        import torch

        from models.audio.sampling import music

        small = spec.weights_bytes() < (self.stored_above_bytes or 0)
        return Loaded(music.load(spec.folder(), torch.float32 if small else "auto"))

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return kind, sample rate, honoured settings and longest length, read from the folder's configs."""
        from models.audio.sampling.music import describe_folder

        try:
            return describe_folder(spec.folder())
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise WeightsError(f"{spec.id}: a config is missing, damaged or of another kind. {restore()}") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: TextToAudioParams) -> None:
        """Refuse an empty description; see `Family.check_inputs`."""
        if not plain_text.check_text(request.inputs.get("prompt", "")).strip():
            raise BadInput("The description is empty. Write what it should sound like, such as “soft rain”.")

    def script(self, spec: ModelSpec, request: Request, params: TextToAudioParams) -> Script:
        """Return a pipeline of diffusers, or MusicGen; see `Family.script`."""
        from models.audio.scripts import text_to_audio

        return text_to_audio.script(spec, request, params, self.stored_above_bytes or 0)

    def generate(
        self, spec: ModelSpec, request: Request, params: TextToAudioParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Make one sound; diffusion shows its latents on the way, codes what they sound like so far."""
        begun = time.monotonic()
        rate = spec.facts["sample_rate"]
        run = self._codes if "model" in loaded.parts else self._diffusion
        sound, views, steps, stopped = yield from run(request, params, loaded, context, rate)
        meta: dict[str, Any] = {"seed": request.seed, **({"finish": "stopped"} if stopped else {})}
        outputs: tuple[Output, ...] = ()
        if sound is not None and len(sound):
            from models.audio.looking.sound_views import mel_view

            sound, facts = loudness.level(sound, rate, params.loudness)
            meta |= {"peaks": sounds.peaks(sound), **facts}
            made = sounds.sound_output(sound, rate, context.stamp, 0, request.inputs["prompt"], meta)
            outputs = (made, mel_view(sound, rate, 0), *views)
        seconds = time.monotonic() - begun
        stats: RunStats = {
            "steps": steps, "steps_per_s": round(steps / seconds, 2) if seconds > 0 else 0.0, "stopped": stopped,
            "notes": _notes(steps, stopped, bool(outputs), "model" in loaded.parts),
        }  # fmt: skip
        yield Final(outputs, stats)

    def _diffusion(
        self, request: Request, params: TextToAudioParams, loaded: Loaded, context: Context, rate: int
    ) -> Any:
        from models.audio.looking import sound_views
        from models.audio.sampling import music

        pipeline = loaded.parts["pipeline"]
        watch = music.LatentWatch(context.stopped, type(pipeline).__name__ in _CHANNELS_LAST)
        made: list[Any] = []

        def work() -> None:
            made.append(music.run_pipeline(pipeline, request.inputs["prompt"], params, request.seed, watch))

        for _ in follow(work, watch):
            if watch.ended:
                yield Progress("decode", 0, 1)
                continue
            yield Progress("denoise", watch.step, watch.total)
            if watch.pictures:
                newest = sound_views.steps_view(
                    [watch.pictures[-1]], [watch.times[len(watch.pictures) - 1]], 0, "latents"
                )
                yield Preview((Output("audio", 0, meta={"seconds": params.seconds, "at_once": True}), newest))
        sound = made[0]
        every = -(-len(watch.pictures) // KEPT_STEPS) or 1
        views = (
            (sound_views.steps_view(watch.pictures[::every], watch.times[::every], 0, "latents"),)
            if watch.pictures
            else ()
        )
        return sound, views, watch.step, watch.ended

    def _codes(self, request: Request, params: TextToAudioParams, loaded: Loaded, context: Context, rate: int) -> Any:
        from models.audio.sampling import music

        model, processor = loaded.parts["model"], loaded.parts["processor"]
        watch = music.CodeWatch(model, music.frames_of(model, params.seconds), context.stopped)
        made: list[Any] = []

        def work() -> None:
            made.append(music.generate_codes(model, processor, request.inputs["prompt"], params, request.seed, watch))

        for _ in follow(work, watch):
            yield Progress("generate", min(watch.step, watch.total), watch.total, unit="frames")
            if watch.sound is not None and len(watch.sound):
                so_far = {"peaks": sounds.peaks(watch.sound), "seconds": round(len(watch.sound) / rate, 3)}
                yield Preview((Output("audio", 0, meta=so_far),))
        return made[0], (), watch.step, watch.ended


def _notes(steps: int, stopped: bool, there: bool, codes: bool) -> list[str]:
    """Return what there is to be told of a run's end."""
    if not there:
        return ["It was stopped before there was a sound."]
    if stopped and not codes:
        return [f"Stopped after {steps} steps. Diffusion refines the whole clip at once, so this one is still noisy."]
    return []
