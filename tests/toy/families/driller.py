"""A second family of the same room, on a page of its own: it marches to an order."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from PIL import Image
from pydantic import Field

from models.events import Event, Final
from models.family import Context, Family, InputField, Loaded
from models.params import Params
from models.types import Output, Request

if TYPE_CHECKING:
    from models.spec import ModelSpec


class DrillParams(Params):
    """Set a march."""

    ranks: int = Field(2, ge=1, le=8, description="How many ranks march: more make the march longer.")


class Driller(Family[DrillParams]):
    """March to an order."""

    name: ClassVar[str] = "driller"
    title: ClassVar[str] = "Driller"
    modality: ClassVar[str] = "dance"
    Params: ClassVar[type[DrillParams]] = DrillParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("order", main=True),
        InputField("image", "image", False, "Ground", "A picture of where to march."),
        InputField("mask", "mask", False, "Where to march"),
    )

    def load(self, spec: ModelSpec) -> Loaded:
        """Load nothing: a march needs no weights."""
        return Loaded({})

    def needed_bytes(self, spec: ModelSpec) -> int:
        """Say that nothing is needed."""
        return 16

    def generate(
        self, spec: ModelSpec, request: Request, params: DrillParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """March rank by rank."""
        chance = random.Random(request.seed)
        notes = []
        if (ground := request.inputs.get("image")) is not None and context.open_ref is not None:
            picture = Image.open(io.BytesIO(context.open_ref(ground)))
            notes = [f"Marched on {picture.width} × {picture.height} px."]
        ranks = [chance.choice(("halt", "march")) for _ in range(params.ranks)]
        data = json.dumps({**context.stamp, "ranks": ranks}, sort_keys=True).encode()
        march = Output(
            "dance", 0, " ".join(ranks), data, "application/json", hashlib.sha256(data).hexdigest(),
            {"bars": len(ranks)},
        )  # fmt: skip
        yield Final((march,), {"steps": len(ranks), "stopped": context.stopped(), "notes": notes})
