"""Step theatre: how a picture came to be, step by step, and from which step on it hardly changed."""

from __future__ import annotations

import altair as alt
import streamlit as st

from components import studies
from components.session import Session
from components.widgets import charts, frame_player
from models.catalog import Catalog
from models.types import Output, Run

NEAR = 0.1  # as `models.diffusion.denoising` counts, which imports torch


def fits(catalog: Catalog, run: Run) -> bool:
    """Say whether the run kept its steps."""
    return _kept(run) is not None


def draw(session: Session, run: Run, key: str) -> None:
    """Draw the steps of the run's first picture; they are decoded when this is first opened."""
    kept = _kept(run)
    assert kept is not None
    meta, count, total = kept.meta, int(kept.meta["count"]), steps_of(kept)
    seed = run.request.seed + int(meta["index_of"])
    st.markdown(f"**{sentence(kept)}**")
    inputs = {**run.request.inputs, "steps": f"sha256:{kept.sha256}"}
    strips = studies.study(session, run, run.request.model_copy(update={"inputs": inputs, "study": "steps"}))
    if strips:
        predicted, noisy = (next(one for one in strips if one.meta["what"] == what) for what in ("x0", "x_t"))
        captions = [f"step {step} of {total} · t = {time:.0f}" for step, time in enumerate(meta["timesteps"], 1)]
        settled = meta["settled"] if _measured(kept) else None
        frame_player.draw(
            predicted.data, count, tuple(predicted.meta["tile"]), f"{key}-theatre", captions=captions,
            second_sheet_png=noisy.data, titles=("Predicted image (x₀)", "Noisy image (xₜ)"),
            marker=settled - 1 if settled else None, marker_label="settled" if settled else "",
        )  # fmt: skip
    if total > count:
        st.caption(f":material/info: Only the first {count} of {total} steps were saved, to limit memory.")
    if _measured(kept):
        st.caption(f"Distance of the predicted image to the final one (seed {seed}). 100%: as far as another image.")
        chart = _chart(meta["distance"], meta["settled"])
        charts.draw(chart.properties(description=f"Distance per step. {sentence(kept)}"), f"{key}-distance")


def sentence(kept: Output) -> str:
    """Say from which step on the predicted image stayed near the final one; the same story at any number of steps."""
    settled, count, total = kept.meta["settled"], kept.meta["count"], steps_of(kept)
    if total > count:
        return f"{total} steps were taken; only the first {count} were saved."
    if not _measured(kept):  # kept before distances were
        return f"{count} steps were taken. Run it again to see from which step on the image stayed as it is."
    return (
        f"From step {settled} of {count} on ({settled / count:.0%} of the way), the predicted image was nearly the "
        f"final one: within {NEAR:.0%} of the distance to another image. A run with {settled} steps would not look the "
        "same."
    )


def _measured(kept: Output) -> bool:
    """Say whether distances to the final image were kept, of all steps."""
    return bool(kept.meta.get("distance")) and steps_of(kept) == kept.meta["count"]


def steps_of(kept: Output) -> int:
    """Return how many steps the picture took: at least as many as were kept."""
    return int(kept.meta.get("total") or kept.meta["count"])


def _chart(distance: list[float], settled: int) -> alt.LayerChart:
    rows = [{"step": step, "distance": value} for step, value in enumerate(distance, 1)]
    line = alt.Chart(alt.Data(values=rows)).mark_line(point=True).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("distance:Q", title="distance to the end", axis=alt.Axis(format="%")),
        tooltip=["step:Q", alt.Tooltip("distance:Q", format=".0%")],
    )  # fmt: skip
    marks = alt.Chart(alt.Data(values=[{"step": settled}])).mark_rule(strokeDash=[4, 4])
    return alt.layer(line, marks.encode(x="step:Q")).properties(height=180)


def _kept(run: Run) -> Output | None:
    return next((output for output in run.outputs if output.kind == "steps"), None)
