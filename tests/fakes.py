"""An engine without torch: it speaks the protocol and does what a script of events says."""

import hashlib
import json
import threading
import time
from collections import Counter

import numpy as np

from models import plain_text
from models.errors import WorkerDied
from models.events import Final, Preview, Progress
from models.image import files
from models.runtime.engine import EngineState, StopSignal
from models.types import Output


class FakeEngine:
    """Count words, one per step. `gate` holds every run before its first step while it is cleared."""

    def __init__(self, steps=3, step_s=0.0):
        self.steps = steps
        self.step_s = step_s
        self.gate = threading.Event()
        self.gate.set()
        self.ran = []  # requests in the order in which they began
        self.allowed = Counter()
        self.fail_with = None
        self.phase = "ready"

    def generate(self, request, stop=None):
        stop = stop or StopSignal()
        self.ran.append(request)
        yield Progress("start")
        while not self.gate.wait(0.01):
            if stop.asked:
                yield Final((), {"stopped": True, "seconds": 0.0})
                return
        chat = bool(request.inputs.get("messages"))
        prompt = "" if chat else request.inputs["prompt"]  # an answer stands alone
        meta = {"prompt_chars": len(prompt)}
        text = f"{request.seed}:" if chat else prompt
        for step in range(self.steps):
            if stop.asked:
                break
            time.sleep(self.step_s)
            text += f" word{step}"
            yield Progress("generate", step + 1, self.steps)
            yield Preview((Output("text", 0, text, meta=meta),))
        if self.fail_with is not None:
            raise self.fail_with
        finish = "stopped" if stop.asked else "eos"
        stats = {"tokens": self.steps, "tokens_per_s": 100.0, "seconds": 0.1, "stopped": stop.asked,
                 "in_effect": {**request.params, "seed": request.seed}, "notes": []}  # fmt: skip
        yield Final((plain_text.text_output(text, {"seed": request.seed}, 0, {**meta, "finish": finish}),), stats)

    def die(self, reason="killed"):
        self.fail_with = WorkerDied("The worker process was ended from outside.", reason=reason)

    def call(self, model, tool, data):
        said = [one["content"] for one in json.loads(data.get("messages") or "[]")]
        tokens = len(" ".join([*said, data["text"]]).split())
        problem = f"The prompt has {tokens} tokens." if tokens >= 512 else ""
        return {"tokens": tokens, "context_length": 512, "problem": problem}

    def state(self):
        return EngineState(self.phase, time.time(), 1, (), 0, 1_000_000_000)

    def unload(self, model):
        pass

    def allow(self, model):
        self.allowed[model] += 1

    def close(self):
        pass


class FakeImageEngine(FakeEngine):
    """Draw pictures of one colour, which tells their seed; `steps` steps each, one after another.

    A picture begins when the gate is open. Skip leaves the picture at hand, Stop gives what there is.
    """

    def generate(self, request, stop=None):
        stop = stop or StopSignal()
        self.ran.append(request)
        count = request.params.get("num_images", 1)
        outputs, skipped = [], 0
        for number in range(count):
            yield Preview((*outputs, files.preview_output(pixels(request, number), number)))
            yield Progress("denoise", 1, self.steps, f"picture {number + 1} of {count}")
            passed_over = False
            while not (stop.asked or passed_over or self.gate.wait(0.01)):
                passed_over = stop.take_skip()
            if self.fail_with is not None:
                raise self.fail_with
            if passed_over:
                skipped += 1
                continue
            finish = {"finish": "stopped"} if stop.asked else {}
            stamp = {"request": request.model_dump()}
            meta = {"seed": request.seed + number, **finish}
            outputs.append(files.image_output(pixels(request, number), stamp, number, meta))
            if stop.asked:
                break
        if request.model.endswith("diffusion") and outputs:
            meta = {"index_of": 0, "count": 1, "timesteps": [999], "change": [1.0], "settled": None}
            data, kind = b"latents", "application/safetensors"
            sha256 = hashlib.sha256(data).hexdigest()
            outputs.append(Output("steps", len(outputs), "", data, kind, sha256, meta))
        notes = [f"{skipped} of {count} pictures were skipped."] if skipped else []
        yield Final(tuple(outputs), {
            "steps": self.steps, "steps_per_s": 10.0, "seconds": 0.5, "stopped": stop.asked, "notes": notes,
            "in_effect": {**request.params, "seed": request.seed},
        })  # fmt: skip


def pixels(request, number=0):
    """Return what the fake draws: the seed's own colour in the size that was asked for."""
    seed = request.seed + number
    colour = (seed * 37 % 256, seed * 101 % 256, int(request.params.get("variation_strength", 0) * 255))
    size = (request.params.get("height", 64), request.params.get("width", 64), 3)
    return np.full(size, colour, np.uint8)
