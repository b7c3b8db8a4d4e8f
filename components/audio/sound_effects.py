"""After-effects under a sound: sliders that change what is heard, not what was made."""

from __future__ import annotations

import streamlit as st

from components import state, tool_calls
from components.audio import sound_view
from components.escape import plain
from components.widgets import charts
from models.audio.effects import Effects
from models.errors import PlaygroundError
from models.params import ParamField, describe
from models.runtime.jobs import Jobs
from models.stamps import file_name
from models.types import Output, Run

_FIELDS = tuple(item for item in describe(Effects) if item.type != "seed")
COLUMNS = 3


def draw(jobs: Jobs, run: Run, output: Output, key: str) -> None:
    """Draw the sliders, and the changed sound once one of them is moved; in a fragment of its own."""
    st.fragment(_draw)(jobs, run, output, key)


def _draw(jobs: Jobs, run: Run, output: Output, key: str) -> None:
    values = {}
    for start in range(0, len(_FIELDS), COLUMNS):
        for column, item in zip(st.columns(COLUMNS), _FIELDS[start : start + COLUMNS], strict=False):
            with column:
                values[item.name] = _slider(item, state.key(key, item.name))
    moved = {item.name: values[item.name] for item in _FIELDS if values[item.name] != item.default}
    if not moved:
        st.caption("Move a slider to change this sound. It is not generated again.")
        return
    st.button("Reset effects", icon=":material/restart_alt:", key=f"{key}-neutral", on_click=_neutral, args=(key,))
    try:
        given = {"ref": f"sha256:{output.sha256}", "effects": moved}
        changed = tool_calls.answer(jobs, f"{key}-call", run.request.model, "effects", given, "Changing the sound")
        if changed is None:
            return
        jobs.store.own(run.owner, changed["ref"])
        data = jobs.store.get_bytes(changed["ref"])
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    st.audio(data, format="audio/wav")
    drawn = Output("audio", meta={"seconds": changed["seconds"], "peaks": changed["peaks"]})
    charts.draw(sound_view.wave(drawn), f"{key}-wave")
    loud = " The sound is clipping: lower the gain." if changed["clipped"] else ""
    st.caption(f"{changed['seconds']:.1f} s with these effects.{loud}")
    st.download_button(
        "Download with effects", data, f"changed-{file_name(run.request.model, run.request.seed, 0, 'audio/wav')}",
        "audio/wav", icon=":material/download:", key=f"{key}-download", on_click="ignore",
        help="The file also contains the settings and effects that made it.",
    )  # fmt: skip


def _slider(item: ParamField, key: str) -> float:
    assert item.ge is not None and item.le is not None
    unit = f" ({item.unit})" if item.unit else ""
    return float(
        st.slider(f"{item.label}{unit}", float(item.ge), float(item.le), float(item.default), float(item.step or 0.1),
                  key=key, help=item.help)
    )  # fmt: skip


def _neutral(key: str) -> None:
    for item in _FIELDS:
        state.at(state.key(key, item.name)).set(float(item.default))
