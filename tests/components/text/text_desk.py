"""A session with a finished text, over an engine that keeps logits and answers the looks into them."""

import hashlib
import json

import numpy as np
from safetensors.numpy import save
from streamlit.testing.v1 import AppTest

from models import plain_text
from models.catalog import load_catalog
from models.errors import BadInput
from models.events import Final, Progress
from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.text.kept import Kept, pack
from models.types import Output, Request
from tests.components.image_desk import Desk
from tests.fakes import FakeEngine

CATALOG = load_catalog(Settings(), strict=False)
STORY = "text/story-gpt"
LAYERS, HEADS, SIDE = 3, 2, 4


def looked(what, parts, **meta):
    data = save({name: np.ascontiguousarray(one) for name, one in parts.items()})
    return view(data, "application/safetensors", what=what, layers=LAYERS, **meta)


def view(data, media_type, index=0, **meta):
    return Output("view", index, "", data, media_type, hashlib.sha256(data).hexdigest(), meta)


class Texts(FakeEngine):
    """Write texts of `pieces`, the first of them given, and keep what is kept; serve the looks into them."""

    pieces = ("<|story|>", "A", " *b*", " <i>c</i>", "\n", " end")
    given = 2
    first = 0
    tool_error = None

    def generate(self, request, stop=None):
        self.ran.append(request)
        yield Progress("layers", 1, LAYERS)
        while not self.gate.wait(0.005):
            if stop is not None and stop.asked:
                yield Final((), {"stopped": True})
                return
        if self.fail_with is not None:
            raise self.fail_with
        outputs = getattr(self, f"on_{request.study or 'text'}")(request)
        yield Final(tuple(outputs), {"stopped": False, "seconds": 0.1, "notes": [], "in_effect": {}})

    def on_text(self, request):
        for index in range(request.params.get("num_variants", 1)):
            yield plain_text.text_output("A *b*", {"variant": index}, index, {"prompt_chars": 1, "finish": "eos"})
        for index in range(request.params.get("num_variants", 1)):
            kept = Kept(np.zeros((2, 8), np.float16), np.array([3, index], np.int32), np.array([1], np.int32))
            yield view(pack(kept), "application/safetensors", index, what="logits", tokens=2)

    def place(self):
        return {"pieces": list(self.pieces), "first": self.first, "of": self.first + len(self.pieces),
                "prompt": self.given}  # fmt: skip

    def attention(self):
        """Return layers × heads × tokens × tokens: head h of layer l gives its own share to itself."""
        count = len(self.pieces)
        table = np.zeros((LAYERS, HEADS, count, count), np.float16)
        for layer in range(LAYERS):
            for head in range(HEADS):
                table[layer, head] = np.eye(count) * (layer + 1) / (head + 4)
        return table

    def on_attention(self, request):
        table = self.attention()
        means = np.concatenate([table.mean(1), table.mean((0, 1))[None]])
        thumbs = np.full((LAYERS, HEADS, SIDE, SIDE), 9, np.uint8)
        before = np.full(table.shape[:3], 0.25 if self.first else 0, np.float16)
        parts = {"attention": table, "before": before, "means": means, "thumbs": thumbs}
        return [looked("attention", parts, heads=HEADS, **self.place())]

    def on_lens(self, request):
        count = len(self.pieces)
        top = np.tile(np.arange(5, dtype=np.int32), (LAYERS + 1, count, 1))
        top_p = np.tile(np.array([0.5, 0.2, 0.1, 0.05, 0.01], np.float16), (LAYERS + 1, count, 1))
        came = np.linspace(0, 1, (LAYERS + 1) * count, dtype=np.float32).reshape(LAYERS + 1, count)
        words = {token: f" <b>w{token}</b>" for token in range(5)}
        parts = {"top": top, "top_p": top_p, "came_p": came, "rank": np.full((LAYERS + 1, count), 2, np.int32),
                 "words": np.frombuffer(json.dumps(words).encode(), np.uint8)}  # fmt: skip
        return [looked("lens", parts, settled=[0, 1, 2, 3, 3, 3], **self.place())]

    def on_state(self, request):
        count = len(self.pieces)
        table = np.arange(LAYERS * 2 * 4 * count, dtype=np.float16).reshape(LAYERS, 2, 4, count) / 100
        units = np.arange(LAYERS * 2 * 4, dtype=np.int16).reshape(LAYERS, 2, 4)
        change = np.arange(LAYERS * 2 * count, dtype=np.float32).reshape(LAYERS, 2, count)
        return [looked("state", {"state": table, "units": units, "change": change}, units=100, **self.place())]

    def on_rescore(self, request):
        data = json.dumps({"kl": [0.5, 1.5], "bits": {"kl": 1.0}}).encode()
        return [view(data, "application/json", what="rescore")]

    def call(self, model, tool, data):
        if tool != "tokens":
            return super().call(model, tool, data)
        if self.tool_error is not None:
            raise self.tool_error
        texts = list(self.pieces) if "ref" in data else ["<|story|>", *data["text"].split()]
        pieces = [{"id": place, "text": text, "bytes": text.encode().hex(" "), "special": place == 0}
                  for place, text in enumerate(texts)]  # fmt: skip
        found = {"pieces": pieces, "tokens": len(pieces), "special": 1, "bytes": 40, "chars": 40, "left_out": 0,
                 "distinct": len(pieces)}  # fmt: skip
        return {**found, "prompt": self.given, "anew": len(pieces) - 2} if "ref" in data else found


def page():
    """Draw what the Text page draws under the newest text."""
    from components import look_closer
    from components import session as sessions

    session = sessions.here()
    view = [one for one in session.jobs.jobs_of(session.owner) if not one.requests[0].study][-1]
    for run in view.runs:
        look_closer.draw(session, run, f"after-{run.id}")


class TextDesk(Desk):
    """Hold one session: its jobs, its page."""

    def __init__(self, folder):
        settings = Settings(data_dir=folder)
        self.engine = Texts()
        self.store = Store(settings)
        self.jobs = Jobs(self.engine, self.store, settings, CATALOG.validate)
        self.page = AppTest.from_function(page, default_timeout=20)

    def finished(self, **params):
        """Run one request to its end and draw it."""
        self.submit(Request(model=STORY, inputs={"prompt": "A"}, params=params, seed=7))
        self.wait()
        return self.draw()

    def kept(self, index=0):
        """Return the references of what the text's run kept."""
        run = next(one for one in self.store.runs("ann") if not one.request.study)
        return [f"sha256:{one.sha256}" for one in run.outputs if one.kind == "view"][index]

    def looks(self):
        return [request.study for request in self.engine.ran if request.study]


REFUSED = BadInput("The text is *too* long.")
