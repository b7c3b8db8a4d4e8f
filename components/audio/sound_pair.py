"""Two sounds of this owner side by side: play both, their numbers, where their spectrograms differ."""

from __future__ import annotations

import streamlit as st

from components import labelled, result, tool_calls
from components.audio import spectrogram
from components.desk import Desk
from components.escape import plain
from components.session import Session
from models.errors import PlaygroundError
from models.runtime.jobs import Jobs
from models.types import Output, Run

_NUMBERS = {
    "seconds": ("Length", "s"), "loudness_lufs": ("Integrated loudness", "LUFS"), "peak_db": ("Peak", "dBFS"),
    "centroid_hz": ("Brightness: spectral centroid", "Hz"), "f0_hz": ("Pitch: median f0", "Hz"),
}  # fmt: skip
_LAID = {
    "begun": ("From the start", ""),
    "aligned": ("Aligned (time-warped)", "B is stretched in time so that similar sounds line up with A. "),
}
READ = 60


def draw(desk: Desk) -> None:
    """Draw the choice of two sounds, and what tells them apart; nothing while there are fewer than two."""
    session = desk.session
    try:
        here = [one for one in session.jobs.store.kinds(session.owner).models if one.startswith(f"{desk.room.id}/")]
        runs = session.jobs.store.runs(session.owner, limit=READ, models=here)
    except PlaygroundError:
        return  # the list of earlier results says what is wrong
    found = {f"{run.id}-{output.index}": (run, output) for run in runs for output in run.outputs if _sound(run, output)}
    if len(found) < 2:
        return
    hint = "Play two of your sounds, with their numbers and the difference of their spectrograms."
    if not st.toggle("Compare two sounds", key="pair", help=hint):
        return
    with st.container(border=True):
        names = list(found)
        # a menu shows its words as they are: nothing is to be escaped
        called = dict(zip(names, labelled.of_outputs(session.catalog, list(found.values())), strict=True))
        left, right = st.columns(2)
        with left:
            first = st.selectbox("A", names, index=1, format_func=called.__getitem__, key="pair-a")
            _play(session.jobs, found[first][1])
        with right:
            second = st.selectbox("B", names, index=0, format_func=called.__getitem__, key="pair-b")
            _play(session.jobs, found[second][1])
        models = [run.request.model for run, _ in (found[first], found[second]) if run.request.model in session.catalog]
        tool = next((model for model in models if "compare" in session.catalog.family(model).tools), None)
        if first == second or tool is None:
            st.caption("Choose two different sounds.")
            return
        pair = found[first][1], found[second][1]
        try:
            _draw_difference(session, tool, pair, all(not output.text.startswith("M:") for output in pair))
        except PlaygroundError as error:
            st.warning(plain(error.message), icon=":material/warning:")


def _draw_difference(session: Session, model: str, pair: tuple[Output, Output], voices: bool) -> None:
    given = {"refs": [f"sha256:{output.sha256}" for output in pair]}
    answer = tool_calls.answer(session.jobs, "pair-call", model, "compare", given, "Comparing")
    if answer is None:
        return
    rows = []
    for name, (label, unit) in _NUMBERS.items():
        if name == "f0_hz" and not voices:
            continue
        a, b = (one[name] for one in answer["numbers"])
        change = f"{b - a:+,.4g}" if a is not None and b is not None else ""
        rows.append({"": f"{label} ({unit})", "A": _number(a), "B": _number(b), "B − A": change})
    st.table({name: [row[name] for row in rows] for name in rows[0]})
    chosen = st.segmented_control("Alignment", list(_LAID), default="begun", required=True, key="pair-laid",
                                  format_func=lambda name: _LAID[name][0])  # fmt: skip
    words = _LAID[str(chosen)][1]
    picture = answer[str(chosen)]
    session.jobs.store.own(session.owner, picture["ref"])
    spectrogram.draw(
        session.jobs.store.get_bytes(picture["ref"]), picture["seconds"], answer["top_hz"], f"pair-{chosen}",
        alt="Difference of the two mel spectrograms", follows=False,
    )  # fmt: skip
    st.caption(
        f"{words}Blue: A is stronger at that time and frequency; orange: B. Each is measured against its own loudest "
        f"point, so overall volume does not show. Scale: ±{answer['scale_db']:.0f} dB."
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"


def _sound(run: Run, output: Output) -> bool:
    return output.kind == "audio" and bool(output.sha256) and run.request.model.startswith("audio/")


def _play(jobs: Jobs, output: Output) -> None:
    data = result.stored(jobs, output)
    if data[:4] == b"RIFF":
        st.audio(data, format=output.media_type)
