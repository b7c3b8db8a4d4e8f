"""How near texts are in meaning: the nearest as bars, and each of the first beside each as a map of colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import streamlit as st

from components.escape import plain
from components.text import lesson_table
from components.widgets import charts
from models.labels import shorten
from models.text import similar

if TYPE_CHECKING:
    from models.types import Output

BAR_PX = 26
_AXIS_PX = 70  # the horizontal axis with its title
_CELL_PX, _NAMES_PX = 28, 40
ROWS_PX = 420
NAME_CHARS = 34
WORDS_MOST = 12  # texts up to which the map's cells say their numbers


def fits(output: Output) -> bool:
    """Say whether an output is a ranking of texts by their similarity."""
    return output.kind == "text" and output.meta.get("what") == similar.WHAT


def draw(output: Output, key: str) -> None:
    """Draw the nearest texts with their similarities, and how near all are to one another."""
    meta = output.meta
    what = "Cosine similarity" if meta["cosine"] else "Dot product"
    st.markdown(f"#### {plain(meta['text'])}")
    if not meta["top"]:
        st.caption(plain(output.text))
    else:
        left = meta["texts"] - len(meta["top"])
        more = f" {left:,} more {'is' if left == 1 else 'are'} in the CSV download." if left else ""
        st.caption(f"The nearest of {meta['texts']:,} text{'s' * (meta['texts'] != 1)} come first.{more}")
        charts.draw(_bars(meta, what), f"{key}-bars")
        rows = [(str(rank), similar.number(score), text) for rank, (score, text) in enumerate(meta["top"], 1)]
        with st.container(height=ROWS_PX if len(rows) > 6 else "content"):
            lesson_table.draw(("Rank", what), "Text", rows, f"{key}-rows")
    if len(meta["grid"]) > 2:
        with st.expander(f"Each beside each ({len(meta['grid'])} texts)"):
            beyond = meta["texts"] + 1 - len(meta["grid"])
            st.caption(
                "Deeper colour: nearer. Columns have the rows’ numbers; 0 is the text that others are compared with."
                + (f" The first {len(meta['grid'])} texts; the other {beyond:,} are left out." if beyond else "")
            )
            charts.draw(_map(meta, what), f"{key}-map")


def _bars(meta: dict[str, Any], what: str) -> alt.LayerChart:
    rows = [
        {"name": _name(rank, text), "score": score, "said": similar.number(score), "text": text}
        for rank, (score, text) in enumerate(meta["top"], 1)
    ]
    scores = [row["score"] for row in rows]
    ends = [min(0.0, *scores), max(1.0, *scores)] if meta["cosine"] else [min(0.0, *scores), max(0.0, *scores)]
    y = alt.Y("name:N", sort=[row["name"] for row in rows], title=None,
              axis=alt.Axis(labelLimit=220, labelOverlap=False))  # fmt: skip
    x = alt.X("score:Q", title=what, scale=alt.Scale(domain=ends))
    seen = [alt.Tooltip("text:N", title="Text"), alt.Tooltip("said:N", title=what)]
    bars = alt.Chart(alt.Data(values=rows)).mark_bar().encode(x=x, y=y, tooltip=seen)
    said = alt.Chart(alt.Data(values=rows)).mark_text(align="left", dx=4).encode(
        x=alt.X("end:Q", title=what), y=y, text="said:N"
    ).transform_calculate(end="max(datum.score, 0)")  # fmt: skip
    layers: list[alt.Chart] = [bars, said]
    if meta["cosine"] and meta["threshold"] is not None and meta["threshold"] > -1:
        mark = [{"score": meta["threshold"], "said": f"threshold {similar.number(meta['threshold'])}"}]
        layers.append(alt.Chart(alt.Data(values=mark)).mark_rule(strokeDash=[4, 4]).encode(x=x, tooltip="said:N"))
    return alt.layer(*layers).properties(
        height=BAR_PX * len(rows) + _AXIS_PX,
        description=f"{what} of the nearest texts: " + ", ".join(f"{row['text']} {row['said']}" for row in rows[:8]),
    )


def _map(meta: dict[str, Any], what: str) -> alt.LayerChart:
    names = [_name(at, text) for at, text in enumerate(meta["named"])]
    numbers = [str(at) for at in range(len(names))]
    rows = [
        {"a": names[at], "b": numbers[other], "score": score, "said": similar.number(score),
         "row": meta["named"][at], "column": meta["named"][other]}
        for at, line in enumerate(meta["grid"]) for other, score in enumerate(line)
    ]  # fmt: skip
    data = alt.Data(values=rows)
    y = alt.Y("a:N", sort=names, title=None, axis=alt.Axis(labelLimit=160, labelOverlap=False))
    x = alt.X("b:N", sort=numbers, title=None, axis=alt.Axis(labelAngle=0, orient="top"))
    seen = [alt.Tooltip("row:N", title="Row"), alt.Tooltip("column:N", title="Column"),
            alt.Tooltip("said:N", title=what)]  # fmt: skip
    ends = [0.0, 1.0] if meta["cosine"] else sorted((0.0, max(row["score"] for row in rows)))
    cells = alt.Chart(data).mark_rect().encode(
        x=x, y=y, tooltip=seen,
        opacity=alt.Opacity("score:Q", legend=None, scale=alt.Scale(domain=ends, range=[0.04, 0.75], clamp=True)),
    )  # fmt: skip
    words = alt.Chart(data).mark_text().encode(x=x, y=y, text="said:N", tooltip=seen)
    layers = [cells, *([words] if len(names) <= WORDS_MOST else [])]
    return alt.layer(*layers).properties(
        height=_CELL_PX * len(names) + _NAMES_PX, description=f"{what} of each text and each other"
    )


def _name(number: int, text: str) -> str:
    """Return a text's name on an axis: it may stand there twice, so its number goes before it."""
    return f"{number}  {shorten(text, NAME_CHARS)}"
