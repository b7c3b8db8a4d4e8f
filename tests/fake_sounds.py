"""An engine that makes short sounds at once and hears what it is told to."""

import hashlib
import json

import numpy as np

from models import plain_text
from models.audio import sounds
from models.events import Final, Preview, Progress
from models.image import files
from models.runtime.engine import StopSignal
from models.types import Output
from tests.fakes import FakeEngine

TUNE = "M:6/8 K:Dmaj R:jig |: d2 f a2 f | g2 e c2 A :|"
RATE = 8000


def tone(request, seconds=0.4):
    """Return a tone whose pitch tells the seed."""
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * (200 + 20 * request.seed) * time)).astype(np.float32)


def spoken_rows(request):
    """Return what a speaking model says of its sentences."""
    own = json.loads(request.inputs.get("rows") or "{}")
    texts = [f"{text.strip()}." for text in request.inputs["prompt"].split(".") if text.strip()]
    return [
        {"sentence": at, "text": text, "seed": own.get(str(at), {}).get("seed", request.seed + at),
         "own": own.get(str(at), {}), "seconds": 0.2}
        for at, text in enumerate(texts)
    ]  # fmt: skip


class FakeSoundEngine(FakeEngine):
    """Write `TUNE`, say the prompt's words, or hear `hears`; waits at the gate after the first preview."""

    hears = "407"

    def __init__(self):
        super().__init__()
        self.called = []

    def generate(self, request, stop=None):
        stop = stop or StopSignal()
        if request.model.startswith("text/"):
            yield from super().generate(request, stop)
            return
        self.ran.append(request)
        if "recogniser" in request.model or "ear" in request.model:
            yield Final(tuple(self._heard(request)), {"seconds": 0.1, "stopped": False, "notes": [], "in_effect": {}})
            return
        text = TUNE if "folk" in request.model else " ".join(request.inputs["prompt"].split())
        growing = Output("audio", 0, " ".join(text.split()[:8]))
        yield Preview((growing, _view("steps", count=1, tile=[8, 8])))
        yield Progress("generate", 5, 20)
        while not (stop.asked or self.gate.wait(0.01)):
            pass
        if self.fail_with is not None:
            raise self.fail_with
        rows = spoken_rows(request) if "voice" in request.model else []
        meta = {"seed": request.seed, "rows": rows, "tempo": 112, "bars": 2, "bars_filled": 2, "finish": "eos",
                "peaks": sounds.peaks(tone(request), 50)}  # fmt: skip
        made = sounds.sound_output(tone(request), RATE, {"request": request.model_dump()}, 0, text, meta)
        views = [_view("mel", seconds=0.4, top_hz=4000.0)]
        if "folk" not in request.model:
            views.append(_view("steps", count=2, tile=[4, 8], timesteps=[900.0, 400.0]))
        yield Final((made, *views), {
            "tokens": 20, "tokens_per_s": 200.0, "seconds": 0.5, "stopped": stop.asked, "notes": [],
            "in_effect": {**request.params, "seed": request.seed},
        })  # fmt: skip

    def call(self, model, tool, data):
        self.called.append((model, tool, data))
        if tool == "compare":
            numbers = {"seconds": 0.4, "loudness_lufs": -20.0, "peak_db": -8.0, "centroid_hz": 300.0, "f0_hz": None}
            return {"numbers": [numbers, {**numbers, "seconds": 0.5}], "scale_db": 40.0, "top_hz": 8000.0,
                    **{name: {"ref": self.picture, "seconds": 0.5} for name in ("begun", "aligned")}}  # fmt: skip
        return {"ref": data["ref"], "seconds": 0.4, "peaks": [], "clipped": data["effects"].get("gain_db", 0) > 12}

    def _heard(self, request):
        segments = [{"label": one, "start_s": at, "end_s": at + 0.1, "confidence": 0.9}
                    for at, one in enumerate(self.hears)]  # fmt: skip
        yield plain_text.text_output(
            self.hears, {"request": request.model_dump()}, 0, {"segments": segments, "finish": ""}
        )
        yield _view("mel", seconds=0.4, top_hz=4000.0)
        table = [[0.1, 0.9, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
        odds = {"seconds": 1.0, "labels": ["<pad>", "4", "0", "7"], "odds": table}
        data = json.dumps(odds).encode()
        yield Output("view", 0, "", data, "application/json", hashlib.sha256(data).hexdigest(), {"what": "odds"})


def _view(what, **meta):
    drawn = files.image_output(np.zeros((8, 8, 3), np.uint8), {}, 0)
    return Output("view", 0, "", drawn.data, "image/png", drawn.sha256, {"what": what, **meta})
