"""Text-to-speech by VITS and MMS models of transformers, sentence by sentence."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from models import media, sounds
from models.errors import BadInput, WeightsError
from models.events import Event, Final, Preview, Progress
from models.family import Context, InputField, Loaded
from models.params import Params, hint, in_effect
from models.sound_family import SoundFamily, with_speakers
from models.types import Output, Request

if TYPE_CHECKING:
    import numpy as np

    from models.catalog import ModelSpec
    from models.params import ParamField

TEXT_MAX_CHARS = 5000
SENTENCE_MAX_CHARS = 400
_SENTENCE = re.compile(r"[^.!?…\n]+(?:[.!?…]+[\"”’')\]]*|\n|$)\s*")
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  T[text] --> E[Transformer encoder]
  E --> D[how long each sound lasts, by chance]
  D --> F[normalising flow]
  N[noise] --> F
  F --> V[vocoder]
  V --> S[sound]
```

[VITS](https://arxiv.org/abs/2106.06103) goes from text to sound in one net. An encoder reads the letters; a predictor
draws how long each of their sounds lasts; a flow turns noise into a hidden picture of the voice; and a generator,
trained against a critic, makes waves of it. [MMS](https://arxiv.org/abs/2305.13516) trained one such net for each of a
thousand languages.

Two kinds of chance are in it. One is how long sounds last (rhythm), the other what they sound like (colour): each has a
slider of its own, and at 0 every seed gives the same. A long text is said sentence by sentence, each with a seed of its
own, and joined.
"""


class SpeechParams(Params):
    """Declare what the call of a VITS model honours, and how sentences are joined."""

    speaker: str = Field("", max_length=20, description="Whose voice it is.", json_schema_extra=hint(group="Voice"))
    speaking_rate: float = Field(
        1.0, ge=0.3, le=3.0, description="How fast it speaks.", json_schema_extra=hint(step=0.05, group="Voice"),
    )  # fmt: skip
    noise_scale: float = Field(
        0.667, ge=0.0, le=2.0, description="How much chance is in the colour of the voice. 0: flat and always alike; "
        "high: lively, then hoarse.",
        json_schema_extra=hint(label="Variation of colour", step=0.01, group="Chance"),
    )  # fmt: skip
    noise_scale_duration: float = Field(
        0.8, ge=0.0, le=2.0, description="How much chance is in the rhythm. 0: even; high: it halts and hurries.",
        json_schema_extra=hint(label="Variation of rhythm", step=0.01, group="Chance"),
    )  # fmt: skip
    pause_s: float = Field(
        0.25, ge=0.0, le=2.0, description="Silence between two sentences. 0: they run into one another.",
        json_schema_extra=hint(label="Pause", step=0.05, unit="s", group="Voice"),
    )  # fmt: skip


class TextToSpeech(SoundFamily):
    """Run a `VitsModel` on a text."""

    name: ClassVar[str] = "text_to_speech"
    title: ClassVar[str] = "Text to speech"
    Params: ClassVar[type[Params]] = SpeechParams
    inputs: ClassVar[tuple[InputField, ...]] = (InputField("prompt", label="What to say", help="A text to be spoken."),)
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the model's table of settings; the speaker alone where there are several."""
        count = int(spec.facts.get("speakers", 1))  # type: ignore[arg-type]
        return with_speakers(super().fields(spec), [str(number) for number in range(count)])

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoTokenizer, VitsModel

        folder = spec.folder()
        small = spec.weights_bytes() < 100_000_000
        model = VitsModel.from_pretrained(folder, dtype=torch.float32 if small else "auto", use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the sample rate and the number of speakers, read from config.json."""
        try:
            config = json.loads((spec.folder() / "config.json").read_text("utf-8"))
            return {"sample_rate": int(config["sampling_rate"]), "speakers": int(config.get("num_speakers", 1))}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{spec.id}: config.json is missing or damaged. Restore it.") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: Any) -> None:
        """Refuse an empty and an endless text; see `Family.check_inputs`."""
        text = media.check_text(request.inputs.get("prompt", ""))
        if not text.strip():
            raise BadInput("There is nothing to say. Write a sentence.")
        if len(text) > TEXT_MAX_CHARS:
            raise BadInput(f"The text has {len(text):,} characters; at most {TEXT_MAX_CHARS:,} are spoken. Shorten it.")

    def generate(
        self, spec: ModelSpec, request: Request, params: Any, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Say one sentence after another, sentence k from seed + k, and join them; see `Family.generate`."""
        from models.sampling.sound_views import mel_view

        rate = int(loaded.parts["model"].config.sampling_rate)
        rows = sentences(request.inputs["prompt"])
        parts: list[np.ndarray] = []
        begun, stopped, unread = time.monotonic(), False, 0
        for number, row in enumerate(rows):
            if context.stopped():
                stopped = True
                break
            yield Progress("generate", number, len(rows))
            said = _say(loaded, row, request.seed + number, params)
            unread += said is None
            if said is not None:
                parts.append(said)
            sound = joined(parts, rate, params.pause_s)
            so_far = {"peaks": sounds.peaks(sound), "seconds": round(len(sound) / rate, 3)}
            yield Preview((Output("audio", 0, " ".join(rows[: number + 1]), meta=so_far),))
        yield Progress("generate", len(rows), len(rows))
        sound = joined(parts, rate, params.pause_s)
        meta: dict[str, Any] = {"seed": request.seed, "peaks": sounds.peaks(sound), "sentences": len(parts)}
        if stopped:
            meta["finish"] = "stopped"
        outputs = (
            (sounds.sound_output(sound, rate, context.stamp, 0, " ".join(rows), meta), mel_view(sound, rate, 0))
            if len(sound) else ()
        )  # fmt: skip
        values = {**params.model_dump(mode="json"), "seed": request.seed}
        seconds = time.monotonic() - begun
        stats = {
            "steps": len(parts), "steps_per_s": round(len(parts) / seconds, 2) if seconds > 0 else 0.0,
            "stopped": stopped, "notes": [f"{unread} sentences had no letter that it can say."] if unread else [],
            "in_effect": {name: values[name] for name in in_effect(self.fields(spec), values)},
        }  # fmt: skip
        yield Final(outputs, stats)


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


def _say(loaded: Loaded, text: str, seed: int, params: Any) -> np.ndarray | None:
    """Return one sentence as float32, −1 … 1, or None where the tokenizer knows none of its letters."""
    import torch

    from models.seeds import seeded
    from models.types import SEED_MAX

    model, tokenizer = loaded.parts["model"], loaded.parts["tokenizer"]
    ids = tokenizer(text, return_tensors="pt")
    if ids["input_ids"].shape[1] < 2:
        return None
    # the model reads these from itself: one run has it at a time
    model.noise_scale, model.noise_scale_duration = params.noise_scale, params.noise_scale_duration
    speaker = int(params.speaker) if params.speaker and model.config.num_speakers > 1 else None
    with torch.inference_mode(), seeded(seed % (SEED_MAX + 1)):
        wave = model(**ids, speaker_id=speaker, speaking_rate=params.speaking_rate).waveform[0].float()
    peak = wave.abs().max().clamp(min=1e-6)
    out: np.ndarray = (wave / peak * 0.89 if peak > 1 else wave).numpy()
    return out
