"""A family whose tool takes as long, and as much memory, as it is told."""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

from models.family import Cost, Family, Loaded
from models.params import Params


class SlowTool(Family):
    name: ClassVar[str] = "slow_tool"
    title: ClassVar[str] = "Slow tool"
    modality: ClassVar[str] = "text"
    Params: ClassVar[type[Params]] = Params
    tools: ClassVar[dict[str, str]] = {"work": "work"}
    costs: ClassVar[dict[str, str]] = {"work": "work_cost"}

    def load(self, spec: Any) -> Loaded:
        return Loaded({})

    def generate(self, spec: Any, request: Any, params: Any, loaded: Any, context: Any) -> Any:
        yield from ()

    def work_cost(self, spec: Any, data: dict[str, Any], blobs: Any) -> Cost:
        return Cost(data["forecast_s"], data.get("forecast_bytes", 0), "a long story")

    def work(self, spec: Any, data: dict[str, Any], blobs: Any) -> dict[str, Any]:
        if begun := data.get("begun"):
            with open(begun, "w") as file:
                file.write(str(os.getpid()))
        held = bytearray(data.get("take_bytes", 0))
        until = time.monotonic() + data.get("take_s", 0)
        while time.monotonic() < until:
            pass
        if data.get("exit"):
            os._exit(3)
        return {"pid": os.getpid(), "bytes": len(held)}
