"""Speech recognisers that generate text token by token: Whisper and Moonshine of transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.audio import sounds
from models.seeds import seeded
from models.watching import Interrupted, Watch

if TYPE_CHECKING:
    from models.audio.families.speech_to_text import SpeechToTextParams

SETTINGS = {
    "whisper": ("language", "task", "temperature", "num_beams", "timestamps", "no_speech_threshold"),
    "moonshine": ("temperature", "num_beams"),
}
LOG_PROB = -1.0  # a part is silence only where the text is less sure than that, as OpenAI has it
TOKENS_PER_S = 6.5  # of speech: Moonshine's authors stop there, for it may repeat itself without end


def describe(kind: str, config: dict[str, Any], generation: dict[str, Any]) -> dict[str, Any]:
    """Return the catalogue's facts from a folder's config.json and generation_config.json."""
    languages = sorted(name.strip("<|>") for name in generation.get("lang_to_id") or {})
    settings = [name for name in SETTINGS[kind] if languages or name not in ("language", "task")]
    timed = {"word_times": True} if kind == "whisper" and generation.get("alignment_heads") else {}
    return {"kind": kind, "settings": settings, **({"languages": languages} if languages else {}), **timed}


@dataclass(frozen=True)
class Heard:
    """Hold a text, its segments and its words, each a label with `start_s` and `end_s` in seconds."""

    text: str
    segments: list[dict[str, Any]] = field(default_factory=list)
    words: list[dict[str, Any]] = field(default_factory=list)


def load(folder: Path, dtype: Any) -> dict[str, Any]:
    """Return model and processor."""
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    model = AutoModelForSpeechSeq2Seq.from_pretrained(
        folder, dtype=dtype, trust_remote_code=False, use_safetensors=True
    )
    return {"model": model.eval(), "processor": AutoProcessor.from_pretrained(folder, trust_remote_code=False)}


class RecognitionWatch(Watch):
    """Watch a recogniser's `generate()`, from token to token: the text so far, and how much of the sound is done.

    It is passed as a stopping criterion. `share` is the part of the recording that is done, 0 … 1.
    """

    def __init__(self, processor: Any, stopped: Callable[[], bool]) -> None:
        super().__init__(stopped)
        self.ended = False
        self.share = 0.0
        self._processor = processor
        self._done: list[int] = []  # tokens of finished windows of 30 s
        self._now: list[int] = []

    @property
    def text(self) -> str:
        """Return the text so far."""
        return str(self._processor.decode([*self._done, *self._now], skip_special_tokens=True)).strip()

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Take the tokens (beams × tokens) where `generate()` asks whether it is done."""
        self.step += 1
        self._now = input_ids[0].tolist()
        self.changed.set()
        if self.ending():
            self.ended = True
            raise Interrupted
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)

    def progress(self, frames: torch.Tensor) -> None:
        """Take how many frames of how many are done (1 × 2): Whisper's `monitor_progress`."""
        self.advance(float(frames[0, 0] / frames[0, 1].clamp(min=1)))

    def advance(self, share: float) -> None:
        """Mark a part of the sound as done: the next tokens belong to the next part."""
        self._done, self._now = [*self._done, *self._now], []
        self.share = share
        self.changed.set()


def transcribe(
    model: Any,
    processor: Any,
    samples: np.ndarray,
    rate: int,
    params: SpeechToTextParams,
    seed: int,
    watch: RecognitionWatch,
) -> Heard:
    """Return the text with segments, and words where they are asked for; Moonshine gives segments of long sounds alone.

    `samples` are mono float32 at `rate`, of any length. After Stop, the text so far.
    """
    whisper = model.config.model_type == "whisper"
    common = {"num_beams": params.num_beams, "stopping_criteria": [watch]}
    with torch.inference_mode(), seeded(seed):
        try:
            if whisper:
                return _whisper(model, processor, samples, rate, params, watch, common)
            return _moonshine(model, processor, samples, rate, params, watch, common)
        except Interrupted:
            return Heard(watch.text)


def _moonshine(
    model: Any,
    processor: Any,
    samples: np.ndarray,
    rate: int,
    params: SpeechToTextParams,
    watch: RecognitionWatch,
    common: dict[str, Any],
) -> Heard:
    """Transcribe a long recording part by part: the model was trained on less than a minute at a time."""
    chance = {"do_sample": True, "temperature": params.temperature} if params.temperature > 0 else {
        "do_sample": False}  # fmt: skip
    parts: list[dict[str, Any]] = []
    for start, end in sounds.pieces(samples, rate):
        given = processor(samples[start:end], sampling_rate=rate, return_tensors="pt")
        most = max(4, round((end - start) / rate * TOKENS_PER_S))
        out = model.generate(**_cast(given, model), **chance, **common, max_new_tokens=most)
        said = str(processor.decode(out[0], skip_special_tokens=True)).strip()
        parts.append({"label": said, "start_s": round(start / rate, 2), "end_s": round(end / rate, 2)})
        watch.advance(end / len(samples))
    parts = [one for one in parts if one["label"]]
    return Heard(_joined(parts), parts if len(samples) / rate > sounds.PIECE_MAX_S else [])


def _whisper(
    model: Any,
    processor: Any,
    samples: np.ndarray,
    rate: int,
    params: SpeechToTextParams,
    watch: RecognitionWatch,
    common: dict[str, Any],
) -> Heard:
    long = len(samples) / rate > processor.feature_extractor.chunk_length
    more = {"truncation": False, "padding": "longest"} if long else {}
    given = processor(samples, sampling_rate=rate, return_tensors="pt", return_attention_mask=True, **more)
    words: dict[str, Any] = {}
    if getattr(model.generation_config, "lang_to_id", None):
        words = {"task": params.task, "language": None if params.language == "found out" else params.language}
    timed: dict[str, Any] = {"return_token_timestamps": True} if params.timestamps == "words" else {}
    if params.no_speech_threshold is not None:
        timed |= {"no_speech_threshold": params.no_speech_threshold, "logprob_threshold": LOG_PROB}
    attention = model.config._attn_implementation
    try:  # always with marks of time, so that the text is the same whether they are shown or not
        out = model.generate(
            **_cast(given, model), **words, **common, **timed, temperature=params.temperature, return_segments=True,
            return_timestamps=True, monitor_progress=watch.progress,
        )  # fmt: skip
    finally:  # to read attention out `generate()` changes how the model computes it, and leaves it so
        if model.config._attn_implementation != attention:
            model.set_attn_implementation(attention)
    found = out["segments"][0]
    parts: list[dict[str, Any]] = [
        {"label": str(processor.decode(one["tokens"], skip_special_tokens=True)).strip(),
         "start_s": round(float(one["start"]), 2), "end_s": round(float(one["end"]), 2)}
        for one in found
    ]  # fmt: skip
    parts = [one for one in parts if one["label"]]
    if params.timestamps == "none":
        return Heard(_joined(parts))
    spoken: list[dict[str, Any]] = []
    if params.timestamps == "words":
        for one in found:
            spoken += words_of(processor.tokenizer, one, words.get("language"))
    return Heard(_joined(parts), parts, _in_order(spoken, len(samples) / rate))


def _in_order(words: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Return words of which none begins before the one before it, or ends after the recording: windows overlap."""
    at = 0.0
    found = []
    for one in words:
        at = min(seconds, max(at, one["start_s"]))
        found.append({**one, "start_s": round(at, 2), "end_s": round(min(seconds, max(at, one["end_s"])), 2)})
    return found


def words_of(tokenizer: Any, segment: Any, language: str | None = None) -> list[dict[str, Any]]:
    """Return a segment's words with start and end in seconds, from when each of its tokens ended.

    Those times are from cross-attention and dynamic time warping (`return_token_timestamps` of `generate()`, Radford et
    al. 2022). `language` is a code such as "zh": some are written without spaces. A word holds its marks.
    """
    from transformers.models.whisper.tokenization_whisper import LANGUAGES, _combine_tokens_into_words

    ends = [round(float(one), 2) for one in segment["token_timestamps"]]
    tokens = segment["tokens"].tolist()
    kept = [at for at, token in enumerate(tokens) if token < tokenizer.eos_token_id]  # marks of time and end are above
    if not kept:
        return []
    name = LANGUAGES.get(language, "english") if language else "english"
    texts, _, places = _combine_tokens_into_words(tokenizer, [tokens[at] for at in kept], name)
    found: list[dict[str, Any]] = []
    for text, indices in zip(texts, places, strict=True):
        if not text.strip() or not indices:
            continue
        first, last = kept[indices[0]], kept[indices[-1]]
        start_s = ends[first - 1] if first else round(float(segment["start"]), 2)
        found.append({"label": text.strip(), "start_s": start_s, "end_s": max(start_s, ends[last])})
    return found


def _joined(parts: list[dict[str, Any]]) -> str:
    return " ".join(str(one["label"]) for one in parts)


def _cast(given: Any, model: Any) -> dict[str, Any]:
    dtype = next(model.parameters()).dtype
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in given.items()}
