"""A table of texts that changes in place: facts side by side, a long text under each row; narrow, one card a row."""

from __future__ import annotations

from collections.abc import Sequence

from components import frontend

_component = frontend.component(
    "playground_lesson", __file__, html='<div class="frame"><table><thead><tr></tr></thead></table></div>'
)


def draw(columns: Sequence[str], long: str, rows: Sequence[Sequence[str]], key: str) -> None:
    """Draw rows of texts: one under each of the columns, the first names its row, and one more below, called `long`."""
    _component(key=key, data={"columns": list(columns), "long": long, "rows": [list(row) for row in rows]})
