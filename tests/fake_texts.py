"""An engine that writes texts, keeps their logits and answers the looks into them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save

from models import plain_text
from models.events import Progress
from models.text.kept import Kept, pack
from models.types import Output, Request
from tests.fakes import FakeEngine, Script, Turn, view

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYERS, HEADS, SIDE = 3, 2, 4
TENSORS = "application/safetensors"


class FakeTexts(FakeEngine):
    """Write texts of `pieces`, the first of them `given`, of which `first` are left out of the looks."""

    stage = "layers"
    pieces = ("<|story|>", "A", " *b*", " <i>c</i>", "\n", " end")
    given = 2
    first = 0

    def play(self, turn: Turn) -> Script:
        yield Progress(self.stage, 1, LAYERS)
        if turn.hold() != "stopped":
            yield from self.texts(turn.request)

    def texts(self, request: Request) -> Iterable[Output]:
        """Return the texts, each with what was kept of it."""
        count = request.params.get("num_variants", 1)
        assert isinstance(count, int)
        for index in range(count):
            yield plain_text.text_output("A *b*", {"variant": index}, index, {"prompt_chars": 1, "finish": "eos"})
        for index in range(count):
            kept = Kept(np.zeros((2, 8), np.float16), np.array([3, index], np.int32), np.array([1], np.int32))
            yield view(pack(kept), TENSORS, index, what="logits", tokens=2)

    def place(self) -> dict[str, Any]:
        return {"pieces": list(self.pieces), "first": self.first, "of": self.first + len(self.pieces),
                "prompt": self.given}  # fmt: skip

    def attention(self) -> NDArray[np.float16]:
        """Return layers × heads × tokens × tokens: head h of layer l gives its own share to itself."""
        count = len(self.pieces)
        table = np.zeros((LAYERS, HEADS, count, count), np.float16)
        for layer in range(LAYERS):
            for head in range(HEADS):
                table[layer, head] = np.eye(count) * (layer + 1) / (head + 4)
        return table

    def on_attention(self, request: Request) -> Iterable[Output]:
        table = self.attention()
        means = np.concatenate([table.mean(1), table.mean((0, 1))[None]])
        thumbs = np.full((LAYERS, HEADS, SIDE, SIDE), 9, np.uint8)
        before = np.full(table.shape[:3], 0.25 if self.first else 0, np.float16)
        parts = {"attention": table, "before": before, "means": means, "thumbs": thumbs}
        return [looked("attention", parts, heads=HEADS, **self.place())]

    def on_lens(self, request: Request) -> Iterable[Output]:
        count = len(self.pieces)
        top = np.tile(np.arange(5, dtype=np.int32), (LAYERS + 1, count, 1))
        top_p = np.tile(np.array([0.5, 0.2, 0.1, 0.05, 0.01], np.float16), (LAYERS + 1, count, 1))
        came = np.linspace(0, 1, (LAYERS + 1) * count, dtype=np.float32).reshape(LAYERS + 1, count)
        words = {token: f" <b>w{token}</b>" for token in range(5)}
        parts: dict[str, NDArray[Any]] = {
            "top": top, "top_p": top_p, "came_p": came, "rank": np.full((LAYERS + 1, count), 2, np.int32),
            "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
        }  # fmt: skip
        return [looked("lens", parts, settled=[0, 1, 2, 3, 3, 3], **self.place())]

    def on_state(self, request: Request) -> Iterable[Output]:
        count = len(self.pieces)
        table = np.arange(LAYERS * 2 * 4 * count, dtype=np.float16).reshape(LAYERS, 2, 4, count) / 100
        units = np.arange(LAYERS * 2 * 4, dtype=np.int16).reshape(LAYERS, 2, 4)
        change = np.arange(LAYERS * 2 * count, dtype=np.float32).reshape(LAYERS, 2, count)
        return [looked("state", {"state": table, "units": units, "change": change}, units=100, **self.place())]

    def on_rescore(self, request: Request) -> Iterable[Output]:
        data = json.dumps({"kl": [0.5, 1.5], "bits": {"kl": 1.0}}).encode()
        return [view(data, "application/json", what="rescore")]

    def tool_tokens(self, data: dict[str, Any]) -> dict[str, Any]:
        texts = list(self.pieces) if "ref" in data else ["<|story|>", *data["text"].split()]
        pieces = [{"id": place, "text": text, "bytes": text.encode().hex(" "), "special": place == 0}
                  for place, text in enumerate(texts)]  # fmt: skip
        found = {"pieces": pieces, "tokens": len(pieces), "special": 1, "bytes": 40, "chars": 40, "left_out": 0,
                 "distinct": len(pieces)}  # fmt: skip
        return {**found, "prompt": self.given, "anew": len(pieces) - 2} if "ref" in data else found


def looked(what: str, parts: Mapping[str, NDArray[Any]], **meta: Any) -> Output:
    data = save({name: np.ascontiguousarray(one) for name, one in parts.items()})
    return view(data, TENSORS, what=what, layers=LAYERS, **meta)
