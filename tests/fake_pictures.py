"""An engine that draws pictures of one colour, which tells their seed, and serves the looks into them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from models.events import Preview, Progress
from models.image import files
from models.types import Output, Request, RunStats
from tests.fakes import FakeEngine, Script, Turn, catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 64
COUNT = 5  # steps that a picture keeps


class FakePictures(FakeEngine):
    """Draw one picture after another. Skip leaves the picture at hand, Stop gives what there is."""

    stage = "denoise"

    def play(self, turn: Turn) -> Script:
        request, skipped = turn.request, 0
        count = request.params.get("num_images", 1)
        assert isinstance(count, int)
        for number in range(count):
            went = "on"
            for step in range(self.steps):
                meta = {"step": step + 1, "total": self.steps}
                yield Preview((*turn.made, files.preview_output(pixels(request, number), number, meta)))
                yield Progress(self.stage, step + 1, self.steps, f"image {number + 1} of {count}")
                if (went := turn.hold()) != "on":
                    break
            if went == "skipped":
                skipped += 1
                continue
            finish = {"finish": "stopped"} if turn.stopped else {}
            made = {"seed": request.seed + number, **finish}
            yield files.image_output(pixels(request, number), turn.stamp, number, made)
            if turn.stopped:
                break
        if skipped:
            turn.notes.append(f"{skipped} of {count} images were skipped.")
        if turn.made and catalog()[request.model].family == "text_to_image":
            yield self.kept(request, len(turn.made))

    def counted(self, request: Request) -> RunStats:
        return {"steps": self.steps, "steps_per_s": 10.0}

    def kept(self, request: Request, index: int) -> Output:
        meta = {"index_of": 0, "count": COUNT, "timesteps": [900.0, 700.0, 500.0, 300.0, 100.0],
                "distance": [0.7, 0.3, 0.08, 0.01, 0.0], "settled": 3}  # fmt: skip
        data = f"steps of {request.canonical()}".encode()
        return Output("steps", index, "", data, "application/safetensors", hashlib.sha256(data).hexdigest(), meta)

    def on_steps(self, request: Request) -> Iterable[Output]:
        meta = {"count": COUNT, "tile": [SIDE, SIDE]}
        for index, what in enumerate(("x0", "x_t")):
            yield files.image_output(flat(90, COUNT * SIDE), {}, index, {"what": what, **meta})

    def on_words(self, request: Request) -> Iterable[Output]:
        heat = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)
        yield files.image_output(flat(40), {}, 0, {"what": "picture"})
        for index, word in enumerate(request.inputs["prompt"].split(), 1):
            yield files.heat_output(heat, index, {"word": word, "what": "heat"})


def flat(shade: int, width: int = SIDE) -> NDArray[np.uint8]:
    return np.full((SIDE, width, 3), shade, np.uint8)


def pixels(request: Request, number: int = 0) -> NDArray[np.uint8]:
    """Return what the fake draws: the seed's own colour in the size that was asked for."""
    seed, params = request.seed + number, request.params
    strength, height, width = (params.get("variation_strength", 0), params.get("height", SIDE),
                               params.get("width", SIDE))  # fmt: skip
    assert isinstance(strength, int | float) and isinstance(height, int) and isinstance(width, int)
    return np.full((height, width, 3), (seed * 37 % 256, seed * 101 % 256, int(strength * 255)), np.uint8)
