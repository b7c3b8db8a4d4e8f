"""Text-to-speech, sentence by sentence: VITS, MMS, SpeechT5, Bark, Pocket TTS and Phonon, by transformers."""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from models import outside, plain_text
from models.audio import loudness, phonemes, sounds
from models.audio.loudness import Loudness, loudness_field
from models.audio.sound_family import SPEAKS, SPEAKS_ANY, SoundFamily, with_speakers
from models.errors import BadInput, BadParam, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, InputField, Loaded
from models.params import Params, check, hint
from models.types import SEED_MAX, Output, Request, RunStats
from models.watching import Interrupted

if TYPE_CHECKING:
    import numpy as np

    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

TEXT_MAX_CHARS = 5000
SENTENCE_MAX_CHARS = 400
ROWS_MAX_CHARS = 20_000
SAID_MAX_BYTES = 30_000_000
SILENT = "{} of {} sentences produced no sound: no known letters, or the model ended at once."
STOPPED = "Stopped during the first sentence; only complete sentences are saved."
_SENTENCE = re.compile(r"[^.!?…\n]+(?:[.!?…]+[\"”’')\]]*|\n|$)\s*")
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  T[text] --> E[Transformer encoder]
  E --> D[random length of each sound]
  D --> F[normalising flow]
  N[noise] --> F
  F --> V[vocoder]
  V --> S[sound]
```

[VITS](https://arxiv.org/abs/2106.06103) goes from text to sound in one network. An encoder reads the letters; a
predictor draws how long each of their sounds lasts; a flow turns noise into a latent of the voice; and a generator,
trained against a discriminator, makes waves of it. [MMS](https://arxiv.org/abs/2305.13516) trained one such network for
each of a thousand languages.

Two things in it are random: how long sounds last (rhythm), and how they sound (tone and melody). Each has its own
slider; with both at 0, every seed sounds the same.

Others write speech as a text model writes words: [SpeechT5](https://arxiv.org/abs/2110.07205) frame by frame of a
spectrogram, Bark in three stages of audio tokens, [Pocket TTS](https://arxiv.org/abs/2509.06926) in latent frames that
a small flow draws from noise. A long text is said sentence by sentence, each with its own seed, and joined: any of them
can be regenerated alone.
"""


class SpeechParams(Params):
    """Declare the settings of which each model's call honours some, and how sentences are joined."""

    speaker: str = Field("", max_length=60, description="The speaker's voice.", json_schema_extra=hint(group="Voice"))
    voice_number: int = Field(
        0, ge=0, le=9999, description="Picks an invented voice: each number is one random speaker embedding.",
        json_schema_extra=hint(label="Voice number", group="Voice"),
    )  # fmt: skip
    speaking_rate: float = Field(
        1.0, ge=0.3, le=3.0, description="How fast it speaks.", json_schema_extra=hint(step=0.05, group="Voice"),
    )  # fmt: skip
    pause_s: float = Field(
        0.25, ge=0.0, le=2.0, description="Silence between two sentences. 0: they run into one another.",
        json_schema_extra=hint(label="Pause", step=0.05, unit="s", group="Voice"),
    )  # fmt: skip
    loudness: Loudness = loudness_field()
    noise_scale: float = Field(
        0.667, ge=0.0, le=2.0, description="Randomness of tone and melody. 0: flat, always the same; high: lively, "
                                           "then hoarse.",
        json_schema_extra=hint(label="Voice variation (noise scale)", step=0.01, group="Sampling"),
    )  # fmt: skip
    noise_scale_duration: float = Field(
        0.8, ge=0.0, le=2.0, description="Randomness of sound lengths. 0: even; high: hesitates and hurries.",
        json_schema_extra=hint(label="Rhythm variation (duration noise)", step=0.01, group="Sampling"),
    )  # fmt: skip
    temperature: float = Field(
        0.7, ge=0.0, le=2.0, description="Noise that each frame starts from. 0: none, always the same; high: lively.",
        json_schema_extra=hint(label="Temperature", step=0.05, group="Sampling"),
    )  # fmt: skip
    semantic_temperature: float = Field(
        0.7, ge=0.0, le=2.0, description="Randomness of words and intonation. 0: always the same.",
        json_schema_extra=hint(label="Semantic temperature", step=0.05, group="Sampling"),
    )  # fmt: skip
    coarse_temperature: float = Field(
        0.7, ge=0.0, le=2.0, description="Randomness of the voice's sound. 0: always the same.",
        json_schema_extra=hint(label="Coarse temperature", step=0.05, group="Sampling"),
    )  # fmt: skip
    fine_temperature: float = Field(
        0.5, ge=0.0, le=2.0, description="Randomness of the finest detail. 0: always the same; high: noisy.",
        json_schema_extra=hint(label="Fine temperature", step=0.05, group="Sampling"),
    )  # fmt: skip
    num_flow_steps: int = Field(
        1, ge=1, le=16, description="Flow steps per frame. More: slower, sometimes cleaner.",
        json_schema_extra=hint(label="Flow steps", group="Length", advanced=True),
    )  # fmt: skip
    eos_threshold: float = Field(
        -4.0, ge=-10.0, le=10.0, description="Stop once the end is at least this likely. Low: sentences may end early.",
        json_schema_extra=hint(label="End threshold", step=0.5, group="Length", advanced=True),
    )  # fmt: skip
    threshold: float = Field(
        0.5, ge=0.0, le=1.0, description="Stop once the end is at least this likely. Low: sentences may end early.",
        json_schema_extra=hint(label="End threshold", step=0.05, group="Length", advanced=True),
    )  # fmt: skip
    min_eos_p: float | None = Field(
        None, ge=0.01, le=1.0, description="Stop once the end is at least this likely. Low: stops early, adds "
                                           "fewer words of its own.",
        json_schema_extra=hint(label="End threshold", step=0.01, group="Length", advanced=True),
    )  # fmt: skip
    maxlenratio: float = Field(
        20.0, ge=1.0, le=40.0, description="Upper limit on a sentence's length, in frames per letter.",
        json_schema_extra=hint(label="Max length ratio", step=1.0, group="Length", advanced=True),
    )  # fmt: skip
    max_seconds: float = Field(
        14.0, ge=0.5, le=30.0, description="How long a sentence may last at most.",
        json_schema_extra=hint(label="Longest sentence", step=0.5, unit="s", group="Length", advanced=True),
    )  # fmt: skip


class TextToSpeech(SoundFamily[SpeechParams]):
    """Run a text-to-speech model of transformers on a text."""

    name: ClassVar[str] = "text_to_speech"
    title: ClassVar[str] = "Text to speech"
    task: ClassVar[str] = "text to speech"
    roles: ClassVar[frozenset[str]] = frozenset({SPEAKS, SPEAKS_ANY})
    called: ClassVar[str] = "speak speech voice tts read aloud"
    Params: ClassVar[type[Params]] = SpeechParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="What to say", help="A text to be spoken.", max_chars=TEXT_MAX_CHARS),
        InputField("rows", "rows", required=False, inline=True),
    )
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000
    architectures: ClassVar[frozenset[str]] = frozenset({"VitsModel"})

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings that the model's call honours; the speaker alone where there are several."""
        honoured = {"pause_s", "loudness", "seed", *spec.facts.get("settings", [])}
        own = [item for item in super().fields(spec) if item.name in honoured]
        return with_speakers(own, spec.facts.get("speakers", []))

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch

        from models.audio.sampling import voices

        folder = spec.folder()
        small = spec.weights_bytes() < (self.stored_above_bytes or 0)
        voice = voices.kind_of(voices.read_config(folder))(folder, torch.float32 if small else "auto")
        return Loaded({**voice.parts, "voice": voice, "said": SentenceCache()})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return kind, honoured settings, sample rate and speakers, read from the folder."""
        from models.audio.sampling.voices import describe_folder

        try:
            return describe_folder(spec.folder())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{spec.id}: a config is missing, damaged or of another kind. {restore()}") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: SpeechParams) -> None:
        """Refuse an empty and an endless text, and rows that are none; see `Family.check_inputs`."""
        text = plain_text.check_text(request.inputs.get("prompt", ""))
        if not text.strip():
            raise BadInput("There is nothing to say. Write a sentence.")
        if _reads_sounds(spec) and (said := phonemes.missing()):
            raise BadInput(said)
        own = read_rows(request.inputs.get("rows", ""))
        count = len(sentences(text))
        for number, values in own.items():
            if number >= count:
                raise BadInput(
                    f"There are settings for sentence {number + 1}, but only {count} sentences. Remove them (“Reset”)."
                )
            row_params(self, spec, params, values)

    def warnings(self, spec: ModelSpec, request: Request, params: SpeechParams) -> list[str]:
        """Say what has to be installed beside the model; see `Family.warnings`."""
        said = phonemes.missing() if _reads_sounds(spec) else ""
        return [*super().warnings(spec, request, params), *([said] if said else [])]

    def script(self, spec: ModelSpec, request: Request, params: SpeechParams) -> Script:
        """Return a speaking model of transformers, its sentences in turn; see `Family.script`."""
        from models.audio.scripts import text_to_speech

        own, said = read_rows(request.inputs.get("rows", "")), []
        for number, text in enumerate(sentences(request.inputs["prompt"])):
            seed, settings = row_params(self, spec, params, own.get(number, {}))
            said.append((text, (request.seed + number) % (SEED_MAX + 1) if seed is None else seed, settings))
        return text_to_speech.script(spec, request, params, said, self.stored_above_bytes or 0)

    def generate(
        self, spec: ModelSpec, request: Request, params: SpeechParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Say one sentence after another, sentence k from seed + k, and join them; see `Family.generate`.

        Input `rows` may give sentences a seed and settings of their own. What was said before is not said anew.
        """
        from models.audio.looking.sound_views import mel_view
        from models.audio.sampling import voices

        voice, before = loaded.parts["voice"], loaded.parts["said"]
        texts, own = sentences(request.inputs["prompt"]), read_rows(request.inputs.get("rows", ""))
        parts: list[np.ndarray] = []
        rows: list[dict[str, Any]] = []
        begun, stopped, unread = time.monotonic(), False, 0
        tick = voices.stop_at(context.stopped)
        for number, text in enumerate(texts):
            yield Progress("generate", number, len(texts), unit="sentences")
            seed, settings = row_params(self, spec, params, own.get(number, {}))
            seed = (request.seed + number) % (SEED_MAX + 1) if seed is None else seed
            key = json.dumps([text, seed, settings.model_dump(mode="json", exclude={"pause_s", "loudness"})])
            try:
                tick()
                said = before.get(key, lambda text=text, seed=seed, settings=settings: voice.say(
                    text, seed, settings, tick))  # fmt: skip
            except Interrupted:
                stopped = True
                break
            unread += said is None
            if said is not None:
                parts.append(said)
                rows.append({"sentence": number, "text": text, "seed": seed, "own": own.get(number, {}),
                             "seconds": round(len(said) / voice.rate, 3)})  # fmt: skip
            sound = joined(parts, voice.rate, params.pause_s)
            so_far = {"peaks": sounds.peaks(sound), "seconds": round(len(sound) / voice.rate, 3)}
            yield Preview((Output("audio", 0, " ".join(texts[: number + 1]), meta=so_far),))
        yield Progress("generate", len(rows) + unread, len(texts), unit="sentences")
        sound, facts = loudness.level(joined(parts, voice.rate, params.pause_s), voice.rate, params.loudness)
        meta: dict[str, Any] = {"seed": request.seed, "peaks": sounds.peaks(sound), "sentences": len(parts),
                                "rows": rows, **facts}  # fmt: skip
        if stopped:
            meta["finish"] = "stopped"
        outputs = (
            (sounds.sound_output(sound, voice.rate, context.stamp, 0, " ".join(texts), meta),
             mel_view(sound, voice.rate, 0))
            if len(sound) else ()
        )  # fmt: skip
        seconds = time.monotonic() - begun
        stats: RunStats = {
            "steps": len(parts), "counted": "sentence" if len(parts) == 1 else "sentences",
            "steps_per_s": round(len(parts) / seconds, 2) if seconds > 0 else 0.0,
            "stopped": stopped, "notes": [*([SILENT.format(unread, len(texts))] if unread else []),
                                          *([STOPPED] if stopped and not parts else [])],
        }  # fmt: skip
        yield Final(outputs, stats)


def _reads_sounds(spec: ModelSpec) -> bool:
    """Say whether a voice reads letters of sound, which another program makes."""
    return spec.facts.get("kind") == "piper"


class SentenceCache:
    """Cache the newest sentences of a loaded model, at most `SAID_MAX_BYTES`: a changed sentence is computed alone."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, np.ndarray | None] = OrderedDict()

    def get(self, key: str, say: Callable[[], np.ndarray | None]) -> np.ndarray | None:
        """Return the sound cached under `key`, else the one that `say` makes."""
        if key not in self._kept:
            self._kept[key] = say()
        self._kept.move_to_end(key)
        while (
            len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values() if one is not None) > SAID_MAX_BYTES
        ):
            self._kept.popitem(last=False)
        return self._kept[key]


def read_rows(text: str) -> dict[int, dict[str, Any]]:
    """Return what the input `rows` says: a sentence's number, from 0, and its own `seed` and settings.

    It is JSON: `{"2": {"seed": 5, "speaking_rate": 1.2}}`. Raises `BadInput` for anything else.
    """
    if not text.strip():
        return {}
    wrong = BadInput("The per-sentence settings are damaged. Remove them and generate the whole text again.")
    if len(text) > ROWS_MAX_CHARS:
        raise wrong
    try:
        found = outside.read_json(text)
        rows = {int(number): values for number, values in found.items()}
    except (ValueError, AttributeError) as error:
        raise wrong from error
    if any(number < 0 or not isinstance(values, dict) for number, values in rows.items()):
        raise wrong
    return rows


def row_params(
    family: TextToSpeech, spec: ModelSpec, params: SpeechParams, values: dict[str, Any]
) -> tuple[int | None, SpeechParams]:
    """Return a sentence's seed (None: the text's) and settings: its own over the text's. Raises `BadInput`."""
    if not values:
        return None, params
    seed = values.get("seed")
    if seed is not None and not (type(seed) is int and 0 <= seed <= SEED_MAX):
        raise BadInput(f"The seed of a sentence is {seed!r}; a whole number from 0 to {SEED_MAX} is allowed.")
    own = {name: value for name, value in values.items() if name not in ("seed", "pause_s", "loudness")}
    fields = family.fields(spec)
    known = {item.name for item in fields}
    given = {name: value for name, value in params.model_dump().items() if name in known}
    try:
        return seed, check(SpeechParams, fields, {**given, **own}, spec.id)
    except BadParam as error:
        raise BadInput(f"The settings of a sentence are wrong: {error}") from error


def sentences(text: str) -> list[str]:
    """Return a text's sentences, each at most `SENTENCE_MAX_CHARS` long: longer ones are cut at a comma or a space."""
    found = []
    for match in _SENTENCE.finditer(text):
        row = " ".join(match[0].split())
        while len(row) > SENTENCE_MAX_CHARS:
            cut = max(row.rfind(mark, 0, SENTENCE_MAX_CHARS) for mark in (", ", "; ", ": "))
            cut = cut + 1 if cut > 0 else row.rfind(" ", 0, SENTENCE_MAX_CHARS)
            cut = cut if cut > 0 else SENTENCE_MAX_CHARS
            found.append(row[:cut].strip())
            row = row[cut:].strip()
        if row:
            found.append(row)
    return found


def joined(parts: list[np.ndarray], rate: int, pause_s: float, fade_s: float = 0.02) -> np.ndarray:
    """Return one sound (float32) of several: with pauses, or without one run into another over `fade_s`."""
    import numpy as np

    if not parts:
        return np.zeros(0, np.float32)
    fade = int(fade_s * rate)
    out = parts[0].astype(np.float32)
    for part in parts[1:]:
        if pause_s > 0:
            out = np.concatenate([out, np.zeros(int(pause_s * rate), np.float32), part])
            continue
        over = min(fade, len(out), len(part))
        ramp = np.linspace(0, 1, over, dtype=np.float32)
        mixed = out[len(out) - over :] * (1 - ramp) + part[:over] * ramp
        out = np.concatenate([out[: len(out) - over], mixed, part[over:]])
    return out.astype(np.float32)
