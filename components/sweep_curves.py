"""A measure's curves along an axis of a sweep: a line for each value of a second one, a band for the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from models.measures import Measure
from models.params import ParamField
from models.sweeps import measured
from models.sweeps.cells import Plan
from models.types import is_number

HEIGHT_PX = 340  # with axes and legend
TICKS_MOST = 8


def chart(
    plan: Plan, values: measured.Numbers, measure: Measure, label: str, along: int, lines: int | None,
    words: Sequence[Sequence[str]], titles: Sequence[str], item: ParamField | None = None,
) -> alt.LayerChart:  # fmt: skip
    """Return the curves of a measure over the axis number `along`, a line for each value of the axis `lines`.

    `words` are each axis's values, `titles` its name; `item` is the setting that is varied along, where it is one. Its
    numbers stand to scale, anything else in its order.
    """
    axis = plan.sweep.axes[along]
    numeric = all(is_number(value) for value in axis.values)
    rows = [_row(point, axis.values if numeric else words[along], words, lines, measure)
            for point in measured.curve(plan, values, along, lines)]  # fmt: skip
    scale: Any = alt.Scale(zero=False)
    if numeric and item is not None and item.log and min(axis.values) > 0:
        scale = alt.Scale(type="log", nice=False)
    x = (
        alt.X("at:Q", title=titles[along], scale=scale, axis=alt.Axis(labelOverlap=True, format=".6~g", **(
            {"values": list(axis.values)} if len(axis.values) <= TICKS_MOST else {"tickCount": TICKS_MOST}
        ))) if numeric
        else alt.X("at:N", title=titles[along], sort=list(words[along]), axis=alt.Axis(labelAngle=0, labelLimit=90))
    )  # fmt: skip
    # a count is named by what it counts: "Words", not "Words, words"
    title = label if measure.unit in ("", measure.label.lower()) else f"{label}, {measure.unit}"
    y = alt.Y("mean:Q", title=title, **_height(rows, measure))
    told = [alt.Tooltip("at:Q" if numeric else "at:N", title=titles[along]), alt.Tooltip("said:N", title=label),
            alt.Tooltip("seeds:N", title="From, to")]  # fmt: skip
    hue: dict[str, Any] = {}
    if lines is not None:
        order = list(words[lines])
        legend = alt.Legend(orient="bottom", columns=2, labelLimit=150, symbolOpacity=1, title=None)
        hue = {"color": alt.Color("line:N", title=titles[lines], sort=order, legend=legend)}
        told.append(alt.Tooltip("line:N", title=titles[lines]))
    data = alt.Data(values=rows)
    band = alt.Chart(data).mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", **hue)
    line = alt.Chart(data).mark_line(point=alt.OverlayMarkDef(size=45)).encode(x=x, y=y, tooltip=told, **hue)
    return alt.layer(*([band] if any(row["low"] < row["high"] for row in rows) else []), line).properties(
        height=HEIGHT_PX, description=f"{title} along {titles[along]}"
    )


def _height(rows: Sequence[dict[str, Any]], measure: Measure) -> dict[str, Any]:
    """Return the scale of the measure; where all is the same in its words, that one value in the middle.

    A scale from a value to itself has no ticks that say anything: Vega writes "0.000000".
    """
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    if measure.words(low) != measure.words(high):
        return {"scale": alt.Scale(zero=False)}
    room = max(abs(low) / 2, 10.0**-measure.places)
    axis = alt.Axis(values=[low], format=f",.{measure.places}f")
    return {"scale": alt.Scale(domain=[low - room, low + room], nice=False), "axis": axis}


def _row(
    point: dict[str, Any], values: Sequence[Any], words: Sequence[Sequence[str]], lines: int | None, measure: Measure
) -> dict[str, Any]:
    return {
        "at": values[point["at"]], "line": words[lines][point["line"]] if lines is not None else "",
        **{name: point[name] for name in ("mean", "low", "high")}, "said": measure.words(point["mean"]),
        "seeds": f"{measure.words(point['low'])} … {measure.words(point['high'])}",
    }  # fmt: skip
