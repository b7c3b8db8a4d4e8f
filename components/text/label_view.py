"""What a classifier answered: its label with the whole distribution as bars, or a table of labelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import streamlit as st

from components.escape import plain
from components.text import lesson_table
from components.widgets import charts
from models.text import answers

if TYPE_CHECKING:
    from models.types import Output

BARS_MOST = 30  # labels; the others stand together in a last bar
BAR_PX = 26
ROWS_PX = 420
_AXIS_PX = 70  # the horizontal axis with its title


def fits(output: Output) -> bool:
    """Say whether an output is a text's label, with the distribution that it came of."""
    return output.kind == "text" and bool(output.meta.get("scores"))


def draw(output: Output, key: str) -> None:
    """Draw a text's label, and the probability of all labels as bars."""
    meta = output.meta
    st.markdown(f"#### {plain(output.text[:1].upper() + output.text[1:])}")
    sure = max(meta["scores"].values())
    if meta.get("unread"):
        st.caption(plain(f"{meta['unread']}, so it does not answer. What it makes of it all the same:"))
    elif meta["abstained"]:
        st.caption(
            f"The likeliest label has {sure:.1%}, below the threshold of {meta['threshold']:.0%}: the model does "
            "not answer."
        )
    shown = min(BARS_MOST, max(1, len(meta.get("top") or meta["scores"])))
    charts.draw(_bars(meta["scores"], float(meta["threshold"]), shown), f"{key}-bars")
    if meta["threshold"] > 0:
        st.caption(f"Dashed line: the threshold, {meta['threshold']:.0%}. Below it the model gives no label.")
    if parts := meta.get("parts"):
        with st.expander(f"By part ({len(parts):,})"):
            rows = [(str(at), answers.readable(one["label"]), f"{one['chance']:.1%}", one["text"])
                    for at, one in enumerate(parts[:200], 1)]  # fmt: skip
            lesson_table.draw(("Part", "Label", "Probability"), "Text", rows, f"{key}-parts")


def _bars(scores: dict[str, float], threshold: float, shown: int) -> alt.LayerChart:
    listed = list(scores.items())
    rows: list[dict[str, Any]] = [
        {"label": answers.readable(label), "p": chance, "said": f"{chance:.1%}"} for label, chance in listed[:shown]
    ]
    if rest := [chance for _, chance in listed[shown:]]:
        rows.append({"label": f"{len(rest):,} others", "p": sum(rest), "said": f"{sum(rest):.1%} together"})
    order = [row["label"] for row in rows]
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=240, labelOverlap=False))
    x = alt.X("p:Q", title="Probability", scale=alt.Scale(domain=[0, max(1.0, *(row["p"] for row in rows))]),
              axis=alt.Axis(format="%"))  # fmt: skip
    bars = alt.Chart(alt.Data(values=rows)).mark_bar().encode(
        x=x, y=y, tooltip=[alt.Tooltip("label:N", title="Label"), alt.Tooltip("said:N", title="Probability")]
    )  # fmt: skip
    said = alt.Chart(alt.Data(values=rows)).mark_text(align="left", dx=4).encode(x=x, y=y, text="said:N")
    layers = [bars, said]
    if threshold > 0:
        mark = [{"p": threshold, "said": f"threshold {threshold:.0%}"}]
        layers.append(alt.Chart(alt.Data(values=mark)).mark_rule(strokeDash=[4, 4]).encode(x=x, tooltip="said:N"))
    return alt.layer(*layers).properties(
        height=BAR_PX * len(rows) + _AXIS_PX, description="The probability of each label: " + ", ".join(
            f"{row['label']} {row['said']}" for row in rows[:8])
    )  # fmt: skip


def draw_table(output: Output, key: str) -> None:
    """Draw how many rows got which label, the first rows, and what is right where the right labels are known."""
    meta = output.meta
    st.markdown(f"#### {plain(output.text)}")
    told = [f"{meta['rows']:,} of {meta['of']:,} rows" if meta["rows"] < meta["of"] else f"{meta['rows']:,} rows"]
    if meta["empty"]:
        told.append(f"{meta['empty']:,} of them empty, without a label")
    of = [] if meta.get("lines") else [f"Texts of “{meta['column']}”"]
    st.caption(plain(" · ".join([*of, ", ".join(told)])))
    counts = meta["counts"]
    if counts:
        charts.draw(_counted(counts), f"{key}-counts")
    if confusion := meta.get("confusion"):
        st.markdown("**Right label and the model's**")
        right, of_all, unsure = confusion["right"], confusion["of"], confusion.get("unsure", 0)
        said = f" {unsure:,} where it is not sure count as not alike" if unsure else ""
        if unsure < of_all and said:
            said += f"; of the {of_all - unsure:,} that it answered, {right / (of_all - unsure):.1%} are"
        st.caption(
            f"Rows: “{plain(meta['truth'])}”; columns: the model's label. {right:,} of {of_all:,} are alike "
            f"({right / max(1, of_all):.1%}).{said}{'.' if said else ''}"
        )
        charts.draw(_grid(confusion), f"{key}-confusion")
    first = meta["first"]
    with st.container(height=ROWS_PX if len(first) > 6 else "content", border=True):
        right = ["Right label"] if meta.get("truth") else []
        rows = [_row(at, one, bool(right)) for at, one in enumerate(first, 1)]
        lesson_table.draw(("Row", "Label", "Probability", *right), "Text", rows, f"{key}-rows")
    if meta["rows"] > len(first):
        st.caption(f"The first {len(first)} rows are shown; all of them are in the download.")


def _row(at: int, one: Sequence[Any], compared: bool) -> tuple[str, ...]:
    """Return a row of the table: of one without a label, which the likeliest is; a cross where another is right."""
    text, label, chance, *more = one
    likeliest, right = more if len(more) == 2 else ("", "")
    said = f"{chance:.1%}" if label else ""
    if label == answers.NONE and likeliest:
        said = f"{likeliest} {said}"
    mark = "" if not right or not label else "✓ " if _like_words(right) == _like_words(label) else "✗ "
    return (str(at), label or "—", said, *([f"{mark}{right}"] if compared else []), text)


def _like_words(label: str) -> str:
    return answers.readable(label).casefold()


def _counted(counts: dict[str, int]) -> alt.LayerChart:
    rows = [{"label": label, "n": number, "said": f"{number:,}"} for label, number in list(counts.items())[:BARS_MOST]]
    order = [row["label"] for row in rows]
    y, x = (
        alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=150, labelOverlap=False)),
        alt.X("n:Q", title="Rows", axis=alt.Axis(tickMinStep=1, format=",d")),
    )
    bars = alt.Chart(alt.Data(values=rows)).mark_bar().encode(x=x, y=y, tooltip=["label:N", "said:N"])
    said = alt.Chart(alt.Data(values=rows)).mark_text(align="left", dx=4).encode(x=x, y=y, text="said:N")
    return alt.layer(bars, said).properties(height=BAR_PX * len(rows) + _AXIS_PX, description="Rows of each label")


def _grid(confusion: dict[str, Any]) -> alt.LayerChart:
    rows = [
        {"right": right, "said": said, "n": number, "share": number / max(1, sum(line)), "told": f"{number:,}"}
        for right, line in zip(confusion["rows"], confusion["counts"], strict=True)
        for said, number in zip(confusion["columns"], line, strict=True)
    ]  # fmt: skip
    y = alt.Y("right:N", sort=confusion["rows"], title="Right label", axis=alt.Axis(labelLimit=150, labelOverlap=False))
    x = alt.X("said:N", sort=_like(confusion["rows"], confusion["columns"]), title="The model's label",
              axis=alt.Axis(labelAngle=-45, labelLimit=120, orient="top"))  # fmt: skip
    seen = [alt.Tooltip("right:N", title="Right"), alt.Tooltip("said:N", title="Model"),
            alt.Tooltip("told:N", title="Rows"), alt.Tooltip("share:Q", title="Of the row", format=".0%")]  # fmt: skip
    data = alt.Data(values=rows)
    cells = alt.Chart(data).mark_rect().encode(
        x=x, y=y, tooltip=seen,
        opacity=alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.05, 0.6])),
    )  # fmt: skip
    words = alt.Chart(data).mark_text().encode(x=x, y=y, text="told:N", tooltip=seen)
    layers = [cells, *([words] if len(rows) <= 150 else [])]
    return alt.layer(*layers).properties(
        height=max(160, BAR_PX * len(confusion["rows"]) + 120), description="How often each right label got which label"
    )


def _like(rows: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return the columns in the order of the rows, so that what is right stands on the diagonal."""
    return [*(one for one in rows if one in columns), *(one for one in columns if one not in rows)]
