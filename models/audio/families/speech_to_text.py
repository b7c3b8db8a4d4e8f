"""Speech recognisers: what was said in a recording, by our own CTC model and those of transformers, or by Whisper."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from models import plain_text
from models.audio import sounds, subtitles
from models.audio.sound_family import HEARS
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.measures import Measure
from models.params import Params, above, hint, limited
from models.types import Output, Request, RunStats
from models.watching import follow

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

_FRAMES_MAX = 1500  # of probabilities that are kept for drawing
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  W[sound] --> M[log-mel spectrogram]
  M --> C[convolutions]
  C --> R[recurrent layer]
  R --> P[probability of each label, 50 times per second]
  P --> T[labels, repeats and blanks taken out]
```

A recogniser cuts sound into short frames and gives, for each frame, a probability for each label and for a blank
("nothing new here"). [Connectionist temporal classification](https://dl.acm.org/doi/10.1145/1143844.1143891) (CTC) lets
it learn from recordings whose labels are known but not when each was said: all ways of stretching the labels over the
frames count together. To read the result, take the likeliest label of each frame, drop repeats, then blanks.

The probabilities are shown over time. Where two labels compete, the recording is unclear, or the model has not met such
a voice.

[Whisper](https://arxiv.org/abs/2212.04356) and [Moonshine](https://arxiv.org/abs/2410.15608) write token by token as a
text model does, looking back at the encoded sound: they know whole languages, and may make up words in silence.
"""
FOUND_OUT = "found out"  # the value, which links and files carry; pages call it “auto-detect”


def _said(output: Output, asked: str, folder: Path) -> float | None:
    from models.audio.looking import hearing

    return hearing.said_odds(output, asked, folder)


class SpeechToTextParams(Params):
    """Declare what is kept of what was heard, and how it is written down."""

    language: str = Field(
        FOUND_OUT, max_length=20, description="The spoken language. Auto-detect: the model finds it out.",
        json_schema_extra=hint(label="Language", group="Reading", names={FOUND_OUT: "auto-detect"}),
    )  # fmt: skip
    task: Literal["transcribe", "translate"] = Field(
        "transcribe", description="Transcribe: writes what is said. Translate: writes it in English.",
        json_schema_extra=hint(label="Task", group="Reading"),
    )  # fmt: skip
    num_beams: int = Field(
        1, ge=1, le=8, description="Beam search: how many candidate transcripts are followed at once. More: "
                                   "slower, sometimes more accurate.",
        json_schema_extra=hint(label="Beams", group="Reading"),
    )  # fmt: skip
    temperature: float = Field(
        0.0, ge=0.0, le=1.5,
        description="Sampling temperature. 0: always the likeliest word. Higher: bolder guesses, more errors.",
        json_schema_extra=hint(label="Temperature", neutral=0.0, step=0.05, group="Sampling", live=True),
    )  # fmt: skip

    timestamps: Literal["none", "segments", "words"] = Field(
        "segments", description="When it was said. Segments: each stretch of speech; words: each word, which takes a "
                                "little longer.",
        json_schema_extra=hint(label="Times", group="Reading"),
    )  # fmt: skip
    no_speech_threshold: float | None = Field(
        None, ge=0.0, le=1.0, description="Skips stretches that are silence or noise with at least this probability, "
                                          "where words would be made up. Higher: skips less; off: nothing.",
        json_schema_extra=hint(label="Silence threshold", step=0.05, group="Reading"),
    )  # fmt: skip
    min_confidence: float = Field(
        0.0, ge=0.0, le=0.99, description="Drops labels below this confidence. High: only clear ones; 0: "
                                          "everything.",
        json_schema_extra=hint(label="Minimum confidence", neutral=0.0, step=0.01, group="Reading"),
    )  # fmt: skip
    max_outlier: float | None = Field(
        None, ge=0.0, le=10.0, description="Leaves out sounds more unlike the learnt ones than this, in standard "
                                           "deviations. Higher: new voices pass, other words too; off: everything.",
        json_schema_extra=hint(label="Outlier limit", step=0.1, group="Reading"),
    )  # fmt: skip


class SpeechToText(Family[SpeechToTextParams]):
    """Run any `AutoModelForCTC`, a Whisper or a Moonshine, with its processor, on a recording."""

    name: ClassVar[str] = "speech_to_text"
    saves: ClassVar[tuple[str, ...]] = ("txt", "md", *subtitles.ENDINGS)
    title: ClassVar[str] = "Speech recognition"
    task: ClassVar[str] = "speech recognition"
    roles: ClassVar[frozenset[str]] = frozenset({HEARS})
    called: ClassVar[str] = "transcribe transcription dictate dictation listen asr stt"
    modality: ClassVar[Modality] = "audio"
    Params: ClassVar[type[Params]] = SpeechToTextParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("audio", "audio", True, "Recording",
                   "Record yourself or upload a file: WAV, FLAC, MP3, OGG, M4A, AAC or WebM.", limits=sounds.LIMITS),
    )  # fmt: skip
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000
    architectures: ClassVar[frozenset[str]] = frozenset({
        "HubertForCTC", "MoonshineForConditionalGeneration", "Wav2Vec2ForCTC", "WhisperForConditionalGeneration",
    })  # fmt: skip
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("recognised", "Recognised", _said, "", ("audio",), "judged", heavy=True,
                help="Probability that a recogniser hears exactly what was to be said. Near 0: something else."),
    )  # fmt: skip

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings that act: for CTC what is kept, for the others how they write."""
        honoured = {*spec.facts.get("settings", ["min_confidence"])}
        if spec.facts.get("outliers"):
            honoured.add("max_outlier")
        table = []
        for item in super().fields(spec):
            if item.name == "seed":  # no chance is in CTC
                item = replace(item, shown_if={"temperature": above(0.0)} if "temperature" in honoured else
                               {"min_confidence": ()})  # fmt: skip
            elif item.name == "language":
                names = (FOUND_OUT, *spec.facts.get("languages", []))
                item = limited(replace(item, type="choice", choices=names), choices=names)
            elif item.name == "timestamps" and not spec.facts.get("word_times"):
                item = limited(item, choices=("none", "segments"))
            if item.name == "seed" or item.name in honoured:
                table.append(item)
        return tuple(table)

    def load(self, spec: ModelSpec) -> Loaded:
        """Read weights and processor; see `Family.load`."""
        import torch
        from transformers import AutoModelForCTC, AutoProcessor

        import models.audio.nets.speech_ctc  # noqa: F401 - registers ours with the Auto classes
        from models.audio.looking import outliers

        folder = spec.folder()
        dtype: Any = torch.float32 if spec.weights_bytes() < (self.stored_above_bytes or 0) else "auto"
        if "kind" in spec.facts:
            from models.audio.sampling import transcribing

            return Loaded(transcribing.load(folder, dtype))
        model = AutoModelForCTC.from_pretrained(folder, dtype=dtype, trust_remote_code=False, use_safetensors=True)
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "processor": processor, "outliers": outliers.read(folder)})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the sample rate, and the labels (CTC) or kind, settings and languages, read from the folder."""
        folder = spec.folder()
        try:
            settings = folder / "processor_config.json"
            if not settings.exists():
                settings = folder / "preprocessor_config.json"
            found = json.loads(settings.read_text("utf-8"))
            rate = {"sample_rate": int(found.get("feature_extractor", found)["sampling_rate"])}
            config = json.loads((folder / "config.json").read_text("utf-8"))
            if config["model_type"] in ("whisper", "moonshine"):
                from models.audio.sampling.transcribing import describe

                file = folder / "generation_config.json"
                generation = json.loads(file.read_text("utf-8")) if file.exists() else {}
                return {**rate, **describe(config["model_type"], config, generation)}
            labels = json.loads((folder / "vocab.json").read_text("utf-8"))
            from models.audio.looking import outliers

            strange = outliers.what(folder)
            return {**rate, "labels": len(labels), **({"outliers": strange} if strange else {})}
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise WeightsError(f"{spec.id}: its processor's files are missing or damaged. {restore()}") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: SpeechToTextParams) -> None:
        """Refuse a request without a recording; see `Family.check_inputs`."""
        if not request.inputs.get("audio", "").startswith("sha256:"):
            raise BadInput("There is no recording. Record one, or upload a file.")

    def save(self, request: Request, output: Output, ending: str) -> bytes:
        """Return what was heard as subtitles without a word of how they were made, or as text; see `Family.save`."""
        return subtitles.write(output.meta, ending) if ending in subtitles.ENDINGS else output.data

    def script(self, spec: ModelSpec, request: Request, params: SpeechToTextParams) -> Script:
        """Return a recogniser of transformers; see `Family.script`."""
        from models.audio.scripts import speech_to_text

        return speech_to_text.script(spec, request, params, FOUND_OUT, self.stored_above_bytes or 0)

    def generate(
        self, spec: ModelSpec, request: Request, params: SpeechToTextParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Hear a recording: one text, its odds over time (CTC) and its spectrogram; see `Family.generate`."""
        from models.audio.looking import sound_views

        rate = int(loaded.parts["processor"].feature_extractor.sampling_rate)
        begun = time.monotonic()
        samples, rate = sounds.open_recording(context, request.inputs["audio"], rate)
        if "kind" in spec.facts:
            yield Progress("listen", 0, 100, unit="%")
        if context.stopped():
            yield Final((), {"steps": 0, "stopped": True, "notes": []})
            return
        if "kind" in spec.facts:
            text, meta, steps, stopped = yield from self._write(request, params, loaded, context, samples, rate)
            drawn: tuple[Output, ...] = ()
        else:
            text, meta, drawn, stopped = yield from self._spell(params, loaded, context, samples, rate)
            steps = 0
        meta |= {"seconds": round(len(samples) / rate, 3), "finish": "stopped" if stopped else ""}
        output = plain_text.text_output(text, context.stamp, 0, meta)
        stats: RunStats = {
            "steps": steps, "stopped": stopped, "listen_s": round(time.monotonic() - begun, 4),
            "notes": [] if text or stopped else [strange_words(meta.get("strange", []), loaded)],
        }  # fmt: skip
        yield Final((output, sound_views.mel_view(samples, rate, 0), *drawn), stats)

    def _write(
        self, request: Request, params: SpeechToTextParams, loaded: Loaded, context: Context, samples: np.ndarray,
        rate: int,
    ) -> Any:  # fmt: skip
        from models.audio.sampling import transcribing

        model, processor = loaded.parts["model"], loaded.parts["processor"]
        watch = transcribing.RecognitionWatch(processor, context.stopped)
        found: list[Any] = []

        def work() -> None:
            found.append(transcribing.transcribe(model, processor, samples, rate, params, request.seed, watch))

        for _ in follow(work, watch):
            yield Progress("listen", round(100 * watch.share), 100, unit="%")
            yield Preview((Output("text", 0, watch.text, meta={"settled": 0} if params.num_beams > 1 else {}),))
        heard = found[0]
        meta = {"segments": heard.segments, **({"words": heard.words} if heard.words else {})}
        return heard.text, meta, watch.step, watch.ended

    def _spell(
        self, params: SpeechToTextParams, loaded: Loaded, context: Context, samples: np.ndarray, rate: int
    ) -> Any:
        """Return a CTC model's text, what there is to say of it, its odds over time, and whether it was stopped."""
        import numpy as np

        model, processor = loaded.parts["model"], loaded.parts["processor"]
        blank = model.config.pad_token_id or 0
        parts = sounds.pieces(samples, rate)
        found: list[dict[str, Any]] = []
        tables: list[np.ndarray] = []
        heard_s = 0.0
        text = ""
        kept: list[dict[str, Any]] = []
        strange: list[dict[str, Any]] = []
        for number, (start, end) in enumerate(parts):
            yield Progress("listen", number, len(parts), unit="parts")
            if context.stopped():
                break
            odds, hidden = _odds(model, processor, samples[start:end], rate)
            begin_s, heard_s = start / rate, end / rate
            found += segments(odds, blank, heard_s - begin_s, begin_s, _judge(loaded, odds, hidden))
            tables.append(odds)
            clear = [one for one in found if one["confidence"] >= params.min_confidence]
            kept, strange = without_strange(clear, params.max_outlier)
            text = _text(processor, [one["label"] for one in kept], blank)
            if len(parts) > 1:
                yield Preview((Output("text", 0, text),))
        if not tables:
            return "", {"segments": [], "left_out": 0}, (), True
        names = [processor.tokenizer.convert_ids_to_tokens(at) for at in range(tables[0].shape[1])]
        for one in found:
            one["label"] = names[one["label"]]
        meta: dict[str, Any] = {"segments": kept, "left_out": len(found) - len(kept) - len(strange)}
        if loaded.parts.get("outliers") is not None:
            meta |= {"strange": strange, "what": loaded.parts["outliers"].what}
        return text, meta, (_odds_view(np.concatenate(tables), names, heard_s),), len(tables) < len(parts)


def _odds(model: Any, processor: Any, samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the odds of each label (frames × labels), and the net's features (frames × width)."""
    import torch

    given = processor(samples, sampling_rate=rate, return_tensors="pt")
    with torch.inference_mode():
        found = model(given["input_values"].to(next(model.parameters()).dtype), output_hidden_states=True)
    return found.logits[0].float().softmax(-1).numpy(), found.hidden_states[-1][0].float().numpy()


def _judge(loaded: Loaded, odds: np.ndarray, hidden: np.ndarray) -> Callable[[int, int], float] | None:
    """Return what says of a label and its peak's frame how strange the sound there is; None where nobody can."""
    from models.audio.looking import outliers

    measured = loaded.parts.get("outliers")
    if measured is None:
        return None
    return lambda label, peak: measured.score(outliers.around(hidden, peak), label)


def segments(
    odds: np.ndarray, blank: int, seconds: float, begin_s: float = 0.0,
    judge: Callable[[int, int], float] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return what CTC's odds (frames × labels) say, greedily: label, when (seconds), and its highest odds.

    The frames span `seconds` from `begin_s` on. `judge(label, peak)` adds the `outlier` score at a label's likeliest
    frame.
    """
    found: list[dict[str, Any]] = []
    frame = seconds / len(odds)
    for label, first, end in label_runs(odds, blank):
        peak = first + int(odds[first:end, label].argmax())
        start_s, end_s = (round(begin_s + edge * frame, 3) for edge in (first, end))
        one = {"label": label, "start_s": start_s, "end_s": end_s, "confidence": round(float(odds[peak, label]), 4)}
        found.append({**one, "outlier": round(judge(label, peak), 2)} if judge is not None else one)
    return found


def label_runs(odds: np.ndarray, blank: int) -> list[tuple[int, int, int]]:
    """Return the runs of frames with one likeliest label other than the blank: label, first frame, frame after it."""
    best = odds.argmax(1).tolist()
    edges = [at for at in range(1, len(best)) if best[at] != best[at - 1]]
    return [
        (best[first], first, end) for first, end in zip([0, *edges], [*edges, len(best)], strict=True)
        if best[first] != blank
    ]  # fmt: skip


def without_strange(
    found: list[dict[str, Any]], limit: float | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the labels whose outlier score is within `limit`, and the strange ones; None: nothing is strange.

    Where fewer than half are within it, all are strange: talk has a piece that sounds like a label now and then.
    """
    if limit is None:
        return found, []
    kept = [one for one in found if one.get("outlier", 0.0) <= limit]
    if 2 * len(kept) < len(found):
        return [], found
    return kept, [one for one in found if one not in kept]


def strange_words(strange: list[dict[str, Any]], loaded: Loaded) -> str:
    """Say why there is no text: nothing was heard, or nothing that the model learnt."""
    if not strange:
        return "Nothing was recognised."
    what = loaded.parts["outliers"].what
    return (
        f"This is not a {what}: nothing here is like the {what}s that the model learnt. Say a {what} clearly, or raise "
        "“Outlier limit” (max_outlier) for a voice that is new to it."
    )


def _text(processor: Any, labels: list[int], blank: int) -> str:
    # a blank between any two, so that the tokenizer takes none for a repeat
    spaced = [one for label in labels for one in (label, blank)]
    return str(processor.tokenizer.decode(spaced)).strip() if spaced else ""


def _odds_view(odds: np.ndarray, names: list[str], seconds: float) -> Output:
    import numpy as np

    step = -(-len(odds) // _FRAMES_MAX)
    # a label's peak is a frame or two wide: of each stretch the highest odds are kept
    shown = np.maximum.reduceat(odds, np.arange(0, len(odds), step))
    content = {
        "seconds": seconds,
        "labels": names,
        "odds": [[round(float(one), 3) for one in row] for row in shown],
    }
    data = json.dumps(content, separators=(",", ":")).encode()
    return Output(
        kind="view", index=0, data=data, media_type="application/json", sha256=hashlib.sha256(data).hexdigest(),
        meta={"what": "odds", "frames": len(shown)},
    )  # fmt: skip
