"""What a family declares of a setting beside its type, bounds and description: `json_schema_extra=hint(...)`."""

from __future__ import annotations

import typing
from typing import Any, Literal

Cost = Literal["", "each", "side", "limit"]
_HINTS = {"label", "step", "group", "advanced", "live", "log", "shown_if", "unit", "neutral", "neutral_unless", "cost",
          "names", "was", "counts", "instead"}  # fmt: skip


def hint(**hints: Any) -> dict[str, Any]:
    """Build the `json_schema_extra` of a params field.

    `label` (else made from the name), `step`, `group` (heading), `advanced` (folded away), `live` (a move redraws
    the form), `log` (logarithmic slider), `unit`, `names` (from each choice to what pages call it), and
    `shown_if={"other": [values]}`: the field acts, and is shown, only while every named field has one of the listed
    values, or is `above` a number. At the value `neutral`, or one of a tuple of them, it has no effect, unless
    `neutral_unless` holds, written as `shown_if` is; off (None), an empty text and an empty list never have one.
    `cost`: "each", the run's time grows in proportion to the number; "side", with its root; "limit", it is as long as
    it likes up to the number. `was=(least, most)`: the range of older requests; what lies outside of today's had the
    effect of its nearest end and is taken for that. `counts`: it says how many outputs are made, or how
    many answers are listed, and nothing of what they are. `instead`: what does the same as a value below the range, in
    a few words ("do_sample=false is greedy"), told where one is refused. Raises `TypeError` for any other hint.
    """
    unknown = set(hints) - _HINTS
    if unknown:
        raise TypeError(f"unknown hint {sorted(unknown)}; allowed: {sorted(_HINTS)}")
    if hints.get("cost", "") not in typing.get_args(Cost):
        raise TypeError(f"cost is {hints['cost']!r}; allowed: each, side, limit")
    return hints
