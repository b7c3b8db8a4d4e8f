"""An engine that makes short sounds at once and hears what it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from models import plain_text
from models.audio import sounds
from models.events import Preview, Progress
from models.image import files
from models.types import Output, Request, RunStats
from tests.fakes import FakeWords, Script, Turn, view

if TYPE_CHECKING:
    from numpy.typing import NDArray

TUNE = "M:6/8 K:Dmaj R:jig |: d2 f a2 f | g2 e c2 A :|"
RATE = 8000


class FakeSounds(FakeWords):
    """Write `TUNE`, say the prompt's words, or hear `hears`; waits at the gate after the first preview.

    A text is written in words. The comparison of two sounds shows `picture`, the SHA-256 of a kept view.
    """

    hears = "407"
    picture = ""

    def play(self, turn: Turn) -> Script:
        model = turn.request.model
        if model.startswith("text/"):
            yield from super().play(turn)
        elif hearing(model):
            yield from self.heard(turn)
        else:
            yield from self.sound(turn)

    def counted(self, request: Request) -> RunStats:
        return {} if hearing(request.model) else {"tokens": 20, "tokens_per_s": 200.0}

    def sound(self, turn: Turn) -> Script:
        request, tune = turn.request, "folk" in turn.request.model
        text = TUNE if tune else " ".join(request.inputs["prompt"].split())
        growing = Output("audio", 0, " ".join(text.split()[:8]))
        yield Preview((growing, drawn("steps", count=1, tile=[8, 8])))
        yield Progress(self.stage, 5, 20, unit=self.unit)
        turn.hold()
        rows = spoken_rows(request) if "voice" in request.model else []
        meta = {"seed": request.seed, "rows": rows, "tempo": 112, "bars": 2, "bars_filled": 2, "finish": "eos",
                "peaks": sounds.peaks(tone(request), 50)}  # fmt: skip
        yield sounds.sound_output(tone(request), RATE, turn.stamp, 0, text, meta)
        yield drawn("mel", seconds=0.4, top_hz=4000.0)
        if not tune:
            yield drawn("steps", count=2, tile=[4, 8], timesteps=[900.0, 400.0])

    def heard(self, turn: Turn) -> Iterator[Output]:
        segments = [{"label": one, "start_s": at, "end_s": at + 0.1, "confidence": 0.9}
                    for at, one in enumerate(self.hears)]  # fmt: skip
        yield plain_text.text_output(self.hears, turn.stamp, 0, {"segments": segments, "finish": ""})
        yield drawn("mel", seconds=0.4, top_hz=4000.0)
        table = [[0.1, 0.9, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
        odds = {"seconds": 1.0, "labels": ["<pad>", "4", "0", "7"], "odds": table}
        yield view(json.dumps(odds).encode(), "application/json", what="odds")

    def tool_compare(self, data: dict[str, Any]) -> dict[str, Any]:
        numbers = {"seconds": 0.4, "loudness_lufs": -20.0, "peak_db": -8.0, "centroid_hz": 300.0, "f0_hz": None}
        return {"numbers": [numbers, {**numbers, "seconds": 0.5}], "scale_db": 40.0, "top_hz": 8000.0,
                **{name: {"ref": self.picture, "seconds": 0.5} for name in ("begun", "aligned")}}  # fmt: skip

    def tool_effects(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"ref": data["ref"], "seconds": 0.4, "peaks": [], "clipped": data["effects"].get("gain_db", 0) > 12}


def hearing(model: str) -> bool:
    return "recogniser" in model or "ear" in model


def tone(request: Request, seconds: float = 0.4) -> NDArray[np.float32]:
    """Return a tone whose pitch tells the seed."""
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * (200 + 20 * request.seed) * time)).astype(np.float32)


def spoken_rows(request: Request) -> list[dict[str, Any]]:
    """Return what a speaking model says of its sentences."""
    own = json.loads(request.inputs.get("rows") or "{}")
    texts = [f"{text.strip()}." for text in request.inputs["prompt"].split(".") if text.strip()]
    return [
        {"sentence": at, "text": text, "seed": own.get(str(at), {}).get("seed", request.seed + at),
         "own": own.get(str(at), {}), "seconds": 0.2}
        for at, text in enumerate(texts)
    ]  # fmt: skip


def drawn(what: str, **meta: Any) -> Output:
    return view(files.image_output(np.zeros((8, 8, 3), np.uint8), {}).data, "image/png", what=what, **meta)
