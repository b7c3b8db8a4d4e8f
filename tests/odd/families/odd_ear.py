"""A family that hears how long a recording is, and says so in words, slowly enough to be stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from models import plain_text
from models.audio import sounds
from models.audio.sound_family import HEARS
from models.events import Event, Final, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.params import Params
from models.spec import ModelSpec
from models.types import Request

STEPS = 10


class OddEar(Family):
    name: ClassVar[str] = "odd_ear"
    title: ClassVar[str] = "Odd ear"
    roles: ClassVar[frozenset[str]] = frozenset({HEARS})
    modality: ClassVar[Modality] = "audio"
    Params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[InputField, ...]] = (InputField("audio", "audio", True, "Recording"),)

    def load(self, spec: ModelSpec) -> Loaded:
        return Loaded({})

    def needed_bytes(self, spec: ModelSpec) -> int:
        return 16

    def generate(
        self, spec: ModelSpec, request: Request, params: Any, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        samples, rate = sounds.open_recording(context, request.inputs["audio"], 16_000)
        for step in range(STEPS):
            if context.stopped():
                break
            time.sleep(0.2)
            yield Progress("listen", 10 * (step + 1), 100, unit="%")
        loud = float(np.sqrt((samples**2).mean()))
        long = "some" if len(samples) > rate / 2 else "little"
        text = "" if context.stopped() else f"heard {long} {'sound' if loud > 0.001 else 'silence'}"
        words = [{"label": one, "start_s": 0.5 * at, "end_s": 0.5 * (at + 1)} for at, one in enumerate(text.split(), 1)]
        meta = {"words": words, "segments": [{"label": text, "start_s": 0.5, "end_s": 2.0}]} if text else {}
        stats = {"stopped": context.stopped(), "notes": []}
        yield Final((plain_text.text_output(text, context.stamp, 0, meta),), stats)
