"""Speech recognisers: what was said in a recording, by CTC models of transformers and our own."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from models import media, sounds
from models.errors import BadInput, WeightsError
from models.events import Event, Final, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.params import Params, hint, in_effect
from models.types import Output, Request

if TYPE_CHECKING:
    import numpy as np

    from models.catalog import ModelSpec

_FRAMES_MAX = 1500  # of probabilities that are kept for drawing
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  W[sound] --> M[log-mel spectrogram]
  M --> C[convolutions]
  C --> R[recurrent layer]
  R --> P[odds of each label, 50 times a second]
  P --> T[labels, repeats and blanks taken out]
```

A recogniser cuts sound into short frames and gives, for each frame, odds over its labels and a blank: "nothing new
here". [Connectionist temporal classification](https://dl.acm.org/doi/10.1145/1143844.1143891) (CTC) lets it learn from
recordings whose labels are known but not when each was said: all ways of stretching the labels over the frames count
together. To read the result, take the likeliest label of each frame, drop repeats, then blanks.

The odds are shown over time. Where two labels compete, the recording is unclear, or the model has not met such a voice:
this one heard six speakers say ten digits, 2,520 recordings in all, mixed into rows with noise and rooms.
"""


class SpeechToTextParams(Params):
    """Declare what is kept of what was heard."""

    min_confidence: float = Field(
        0.0, ge=0.0, le=0.99, description="Leaves out labels that it was less sure of than this. High: only what is "
        "clear; 0: everything.",
        json_schema_extra=hint(label="Least confidence", step=0.01, group="Reading"),
    )  # fmt: skip


class SpeechToText(Family):
    """Run any `AutoModelForCTC` with its processor on a recording."""

    name: ClassVar[str] = "speech_to_text"
    title: ClassVar[str] = "Speech recognition"
    modality: ClassVar[Modality] = "audio"
    Params: ClassVar[type[Params]] = SpeechToTextParams
    seed_shown_if: ClassVar[dict[str, tuple[Any, ...]]] = {"min_confidence": ()}  # no chance is in it
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("audio", "audio", True, "Recording", "Speak, or give a WAV, FLAC, MP3 or OGG file."),
    )
    how_it_works: ClassVar[str] = _HOW_IT_WORKS

    def load(self, spec: ModelSpec) -> Loaded:
        """Read weights and processor; see `Family.load`."""
        import torch
        from transformers import AutoModelForCTC, AutoProcessor

        import models.nets  # noqa: F401 - registers our own

        folder = spec.folder()
        small = spec.weights_bytes() < 100_000_000
        model = AutoModelForCTC.from_pretrained(
            folder, dtype=torch.float32 if small else "auto", trust_remote_code=False, use_safetensors=True
        )
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "processor": processor})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the sample rate and the labels, read from the folder."""
        folder = spec.folder()
        try:
            settings = folder / "processor_config.json"
            if not settings.exists():
                settings = folder / "preprocessor_config.json"
            found = json.loads(settings.read_text("utf-8"))
            rate = found.get("feature_extractor", found)["sampling_rate"]
            labels = json.loads((folder / "vocab.json").read_text("utf-8"))
            return {"sample_rate": int(rate), "labels": len(labels)}
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise WeightsError(f"{spec.id}: its processor's files are missing or damaged. Restore them.") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: Any) -> None:
        """Refuse a request without a recording; see `Family.check_inputs`."""
        if not request.inputs.get("audio", "").startswith("sha256:"):
            raise BadInput("There is no recording. Record one, or give a file.")

    def generate(
        self, spec: ModelSpec, request: Request, params: Any, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Hear a recording: one text, its odds over time and its spectrogram; see `Family.generate`."""
        import torch

        from models.sampling import sound_views

        model, processor = loaded.parts["model"], loaded.parts["processor"]
        rate = int(processor.feature_extractor.sampling_rate)
        assert context.open_ref is not None
        begun = time.monotonic()
        samples, rate = sounds.decode_upload(context.open_ref(request.inputs["audio"]), rate)
        yield Progress("listen", 0, 1)
        if context.stopped():
            yield Final((), {"steps": 0, "stopped": True, "notes": [], "in_effect": {}})
            return
        given = processor(samples, sampling_rate=rate, return_tensors="pt")
        with torch.inference_mode():
            odds = model(given["input_values"].to(next(model.parameters()).dtype)).logits[0].float().softmax(-1).numpy()
        blank = model.config.pad_token_id or 0
        names = [processor.tokenizer.convert_ids_to_tokens(at) for at in range(odds.shape[1])]
        found = segments(odds, blank, len(samples) / rate)
        kept = [one for one in found if one["confidence"] >= params.min_confidence]
        text = _text(processor, [one["label"] for one in kept], blank)
        for one in found:
            one["label"] = names[one["label"]]
        meta = {
            "segments": kept,
            "seconds": round(len(samples) / rate, 3),
            "finish": "",
            "left_out": len(found) - len(kept),
        }
        output = media.text_output(text, context.stamp, 0, meta)
        view = sound_views.mel_view(samples, rate, 0)
        drawn = _odds_view(odds, names, len(samples) / rate)
        values = {**params.model_dump(mode="json")}
        stats = {
            "steps": 0, "stopped": False, "listen_s": round(time.monotonic() - begun, 4),
            "notes": [] if text else ["Nothing was heard that it knows."],
            "in_effect": {name: values[name] for name in in_effect(self.fields(spec), values) if values.get(name)},
        }  # fmt: skip
        yield Final((output, view, drawn), stats)


def segments(odds: np.ndarray, blank: int, seconds: float) -> list[dict[str, Any]]:
    """Return what CTC's odds (frames × labels) say, greedily: label, when (seconds), and its highest odds."""
    best = odds.argmax(1)
    frame = seconds / len(odds)
    found: list[dict[str, Any]] = []
    before = blank
    for at, label in enumerate(best.tolist()):
        if label != blank:
            chance = float(odds[at, label])
            if label == before:
                found[-1]["end_s"] = round((at + 1) * frame, 3)
                found[-1]["confidence"] = max(found[-1]["confidence"], round(chance, 4))
            else:
                found.append({"label": label, "start_s": round(at * frame, 3), "end_s": round((at + 1) * frame, 3),
                              "confidence": round(chance, 4)})  # fmt: skip
        before = label
    return found


def _text(processor: Any, labels: list[int], blank: int) -> str:
    # a blank between any two, so that the tokenizer takes none for a repeat
    spaced = [one for label in labels for one in (label, blank)]
    return str(processor.tokenizer.decode(spaced)).strip() if spaced else ""


def _odds_view(odds: np.ndarray, names: list[str], seconds: float) -> Output:
    step = -(-len(odds) // _FRAMES_MAX)
    content = {
        "seconds": seconds,
        "labels": names,
        "odds": [[round(float(one), 3) for one in row] for row in odds[::step]],
    }
    data = json.dumps(content, separators=(",", ":")).encode()
    return Output(
        kind="view", index=0, data=data, media_type="application/json", sha256=hashlib.sha256(data).hexdigest(),
        meta={"what": "odds", "frames": -(-len(odds) // step)},
    )  # fmt: skip
