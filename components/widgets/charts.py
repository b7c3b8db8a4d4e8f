"""Draw Altair's charts without what Streamlit loads for tables of rows: pandas and pyarrow, 63 MB.

Rows at the top of a chart go through pandas into Arrow, whatever they are; those inside a layer travel in the chart's
own JSON. So a chart is drawn as the one layer of another.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st
from altair.utils import schemapi

CANVAS_MARKS = 2000  # from here on Streamlit draws on a canvas what it counts in Arrow; SVG would be slow
SILENT_MARKS = 5000  # and tells screen readers of the chart alone, not of every mark
schemapi.disable_debug_mode()  # it checks every part of a chart as it is made: two thirds of what Home takes to draw
_OUTER = ("$schema", "description", "height")


def draw(chart: alt.Chart | alt.LayerChart, key: str) -> None:
    """Draw a chart as wide as the page in the look of the app; its rows are `alt.Data(values=[…])`."""
    spec = layered(chart, checked=False)
    if ink := st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor"):  # Vega writes in black
        spec["config"] = {**spec.get("config", {}), "text": {"color": ink}, "rule": {"color": ink}}
    st.vega_lite_chart(spec=spec, width="stretch", key=key)


def layered(chart: alt.Chart | alt.LayerChart, *, checked: bool = True) -> dict[str, Any]:
    """Return a chart as Vega-Lite in which no rows stand at the top; `checked` against Vega-Lite's schema."""
    spec: dict[str, Any] = chart.to_dict(validate=checked)
    del spec["config"]  # Altair's own look
    if "layer" not in spec or "data" in spec:  # rows that all layers share stand at the top
        spec = {**{name: spec.pop(name) for name in _OUTER if name in spec}, "layer": [spec]}
    marks = sum(len(layer["data"]["values"]) for layer in spec["layer"] if "data" in layer)
    if marks > CANVAS_MARKS:
        spec["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
    if marks > SILENT_MARKS:
        spec["config"] = {"mark": {"aria": False}}
    return spec
