"""A family that makes dances: steps to the left and right, and a poster of them."""

from __future__ import annotations

import hashlib
import io
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import Field

from models.events import Event, Final, Preview, Progress
from models.family import Context, Family, InputField, Loaded
from models.params import Params, hint
from models.types import Output, Request

if TYPE_CHECKING:
    from models.spec import ModelSpec


class DanceParams(Params):
    """Set a dance."""

    bars: int = Field(
        4, ge=1, le=16, description="How many bars the dance has: more make it longer.",
        json_schema_extra=hint(cost="each"),
    )  # fmt: skip
    swing: float = Field(
        0.0, ge=0, le=1, description="0: even steps; 1: many turns.", json_schema_extra=hint(step=0.1, neutral=0.0)
    )
    on_floor: bool = Field(False, description="On: the dance starts from the picture of a floor.",
                           json_schema_extra=hint(live=True))  # fmt: skip


class Dancer(Family[DanceParams]):
    """Make dances."""

    name: ClassVar[str] = "dancer"
    title: ClassVar[str] = "Dancer"
    modality: ClassVar[str] = "dance"
    Params: ClassVar[type[DanceParams]] = DanceParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="Name of the dance"),
        InputField("floor", "floor", False, "Floor", "A picture of the floor.", shown_if={"on_floor": (True,)}),
    )

    def load(self, spec: ModelSpec) -> Loaded:
        """Load nothing: a dancer needs no weights."""
        return Loaded({})

    def needed_bytes(self, spec: ModelSpec) -> int:
        """Say that nothing is needed."""
        return 16

    def generate(
        self, spec: ModelSpec, request: Request, params: DanceParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Dance bar by bar; hold after the first one while the folder of the weights has a file `hold`."""
        chance, steps = random.Random(request.seed), list[str]()
        hold = Path(spec.folder()) / "hold"
        for bar in range(params.bars):
            if context.stopped():
                break
            steps.append("turn" if chance.random() < params.swing else chance.choice(("left", "right")))
            yield Progress("generate", bar + 1, params.bars, unit="bars")
            yield Preview((Output("dance", 0, " ".join(steps), meta={"bars": bar + 1}),))
            while hold.exists() and not context.stopped():
                time.sleep(0.01)
        data = json.dumps({**context.stamp, "steps": steps}, sort_keys=True).encode()
        dance = Output(
            "dance", 0, " ".join(steps), data, "application/json", hashlib.sha256(data).hexdigest(),
            {"bars": len(steps)},
        )  # fmt: skip
        yield Final(
            (dance, _poster(len(steps), context.stamp)),
            {"steps": len(steps), "stopped": context.stopped(), "notes": []},
        )


def _poster(bars: int, stamp: dict[str, Any]) -> Output:
    """Return a picture of a dance with all that caused it inside: a result's file carries its stamp, in any room."""
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("playground", json.dumps({"index": 1, "stamp": stamp}, sort_keys=True))
    Image.new("RGB", (64, 64), (40 * bars % 256,) * 3).save(buffer, "PNG", pnginfo=info)
    data = buffer.getvalue()
    return Output("image", 1, "", data, "image/png", hashlib.sha256(data).hexdigest(), {"width": 64, "height": 64})
