"""Speech recognisers that generate text token by token: Whisper and Moonshine of transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.audio import sounds
from models.seeds import seeded
from models.watching import Interrupted, Watch

if TYPE_CHECKING:
    from models.audio.families.speech_to_text import SpeechToTextParams

SETTINGS = {"whisper": ("language", "task", "temperature", "num_beams"), "moonshine": ("temperature", "num_beams")}
TOKENS_PER_S = 6.5  # of speech: Moonshine's authors stop there, for it may repeat itself without end


def describe(kind: str, config: dict[str, Any], generation: dict[str, Any]) -> dict[str, Any]:
    """Return the catalogue's facts from a folder's config.json and generation_config.json."""
    languages = sorted(name.strip("<|>") for name in generation.get("lang_to_id") or {})
    settings = [name for name in SETTINGS[kind] if languages or name not in ("language", "task")]
    return {"kind": kind, "settings": settings, **({"languages": languages} if languages else {})}


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
) -> tuple[str, list[dict[str, Any]]]:
    """Return the text and its segments, with start and end in seconds; Moonshine gives segments of long sounds alone.

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
            return watch.text, []


def _moonshine(
    model: Any,
    processor: Any,
    samples: np.ndarray,
    rate: int,
    params: SpeechToTextParams,
    watch: RecognitionWatch,
    common: dict[str, Any],
) -> tuple[str, list[dict[str, Any]]]:
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
    return " ".join(str(one["label"]) for one in parts), parts if len(samples) / rate > sounds.PIECE_MAX_S else []


def _whisper(
    model: Any,
    processor: Any,
    samples: np.ndarray,
    rate: int,
    params: SpeechToTextParams,
    watch: RecognitionWatch,
    common: dict[str, Any],
) -> tuple[str, list[dict[str, Any]]]:
    long = len(samples) / rate > processor.feature_extractor.chunk_length
    more = {"truncation": False, "padding": "longest"} if long else {}
    given = processor(samples, sampling_rate=rate, return_tensors="pt", return_attention_mask=True, **more)
    words: dict[str, Any] = {}
    if getattr(model.generation_config, "lang_to_id", None):
        words = {"task": params.task, "language": None if params.language == "found out" else params.language}
    out = model.generate(
        **_cast(given, model), **words, **common, temperature=params.temperature, return_timestamps=True,
        return_segments=True, monitor_progress=watch.progress,
    )  # fmt: skip
    parts: list[dict[str, Any]] = [
        {"label": str(processor.decode(one["tokens"], skip_special_tokens=True)).strip(),
         "start_s": round(float(one["start"]), 2), "end_s": round(float(one["end"]), 2)}
        for one in out["segments"][0]
    ]  # fmt: skip
    parts = [one for one in parts if one["label"]]
    return " ".join(str(one["label"]) for one in parts), parts


def _cast(given: Any, model: Any) -> dict[str, Any]:
    dtype = next(model.parameters()).dtype
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in given.items()}
