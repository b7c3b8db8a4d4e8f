"""What training wrote of a language model beside its weights: how it learnt, and how well. No torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models.errors import WeightsError, restore

if TYPE_CHECKING:
    from models.spec import ModelSpec

LEARNT = ("text", "supervised", "preferred")


def read(spec: ModelSpec) -> dict[str, Any]:
    """Return what training wrote to marks.json beside the weights, {} where there is none. Raises `WeightsError`.

    `learnt` is "text" (the next word), "supervised" (answers shown) or "preferred" (answers preferred); `marks` are
    numbers by name: shares of held-out instructions (`passed`, …, of `instructions`), `bits_per_character`,
    `divergence` (KL from the supervised model in nats, 1.44 bits each, per token).
    """
    file = spec.folder() / "marks.json"
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
        marks = {str(name): value for name, value in found["marks"].items()}
        if found["learnt"] not in LEARNT or not all(type(value) in (int, float) for value in marks.values()):
            raise ValueError("not of this form")
        return {"learnt": found["learnt"], "marks": marks}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{spec.id}: marks.json is damaged. {restore()}") from error
