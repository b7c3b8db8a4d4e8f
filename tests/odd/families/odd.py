"""A family that does what its prompt says: count, hang, crash, eat memory."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from models import plain_text
from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.params import Params, hint
from models.spec import ModelSpec
from models.types import Request

VERSION = 1  # a test edits this line


class OddParams(Params):
    steps: int = Field(20, ge=1, le=10_000, description="How many words to count.")
    step_s: float = Field(0.02, ge=0, le=10, description="How long each word takes.", json_schema_extra=hint(unit="s"))
    megabytes: int = Field(64, ge=1, le=100_000, description="How much memory `allocate` takes.")


class Odd(Family):
    name: ClassVar[str] = "odd"
    title: ClassVar[str] = "Odd"
    modality: ClassVar[Modality] = "text"
    Params: ClassVar[type[Params]] = OddParams
    inputs: ClassVar[tuple[InputField, ...]] = (InputField("prompt"), InputField("messages", required=False))
    tools: ClassVar[dict[str, str]] = {"length": "length", "version": "version"}

    def load(self, spec: ModelSpec) -> Loaded:
        if spec.id == "text/slow-load":
            time.sleep(60)
        if spec.id == "text/damaged":
            raise OSError("the weights are damaged")
        return Loaded({})

    def needed_bytes(self, spec: ModelSpec) -> int:
        return 16

    def length(self, spec: ModelSpec, data: dict[str, Any], blobs: Any) -> dict[str, Any]:
        return {"length": len(data["text"])}

    def version(self, spec: ModelSpec, data: dict[str, Any], blobs: Any) -> dict[str, Any]:
        return {"version": VERSION, "pid": os.getpid()}

    def generate(
        self, spec: ModelSpec, request: Request, params: Any, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        what = request.inputs["prompt"].split()[0]
        words: list[str] = []
        for step in range(params.steps):
            if context.stopped() and what != "deaf":
                break
            time.sleep(params.step_s)
            words.append(f"{request.inputs['prompt']}-{request.seed}-{step}")
            yield Progress("generate", step + 1, params.steps, unit="tokens")
            yield Preview((plain_text.text_output(" ".join(words), context.stamp, 0, {}),))
            if step == 2:
                self._misbehave(what, params)
        text = " ".join(words)
        stats = {"tokens": len(words), "stopped": context.stopped(), "version": VERSION, "pid": os.getpid()}
        yield Final((plain_text.text_output(text, context.stamp, 0, {}),), stats)

    def _misbehave(self, what: str, params: Any) -> None:
        if what == "segfault":
            ctypes.string_at(0)
        elif what == "raise":
            raise RuntimeError("a secret detail for the log")
        elif what == "exit":
            os._exit(3)
        elif what in ("hang", "deaf"):
            time.sleep(3600)
        elif what == "hold":  # keeps the interpreter lock for good
            ctypes.pythonapi.usleep(3_600_000_000)
        elif what == "allocate":
            import torch

            torch.ones(params.megabytes * 1_000_000, dtype=torch.uint8).sum()
