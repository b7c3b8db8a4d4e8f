"""An engine without torch: it speaks the protocol and does what a script of events says."""

import threading
import time
from collections import Counter

from models import media
from models.engine import EngineState, StopSignal
from models.errors import WorkerDied
from models.events import Final, Preview, Progress
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
        prompt = request.inputs["prompt"]
        meta = {"prompt_chars": len(prompt)}
        text = prompt
        for step in range(self.steps):
            if stop.asked:
                break
            time.sleep(self.step_s)
            text += f" word{step}"
            yield Progress("generate", step + 1, self.steps)
            yield Preview((Output("text", 0, text, meta=meta),))
        if self.fail_with is not None:
            raise self.fail_with
        stats = {"tokens": self.steps, "tokens_per_s": 100.0, "seconds": 0.1, "stopped": stop.asked,
                 "in_effect": {**request.params, "seed": request.seed}, "notes": []}  # fmt: skip
        yield Final((media.text_output(text, {"seed": request.seed}, 0, {**meta, "finish": "eos"}),), stats)

    def die(self, reason="killed"):
        self.fail_with = WorkerDied("The worker process was ended from outside.", reason=reason)

    def call(self, model, tool, data):
        tokens = len(data["text"].split())
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
