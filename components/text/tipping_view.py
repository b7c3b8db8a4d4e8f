"""Tipping points: where a setting begins to change a finished text, told without writing it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components import params_form, state, tool_calls
from components.escape import plain
from components.session import Session
from components.text import microscope_view, tipping_strip, variant
from components.text.branches import Written, is_view
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.params import ParamField, in_effect
from models.spec import ModelSpec
from models.text.looking import tipping
from models.types import Run

TOOL = "tipping"


def fits(catalog: Catalog, run: Run) -> bool:
    """Say whether a run's making was kept and its family can tell its tipping points."""
    spec = catalog.get(run.request.model)
    return spec is not None and any(map(is_view, run.outputs)) and TOOL in catalog.family(spec.id).tools


def draw(session: Session, run: Run, key: str) -> None:
    """Draw the strip of one setting under a text of the run."""
    spec = session.catalog[run.request.model]
    st.caption(
        "One setting moves, and seed and other settings stay. How far can it go before this text changes, and which "
        "token changes first? The saved logits and the fixed draws tell it: the model does not run."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = _chosen_text(run, key)
        fields = session.catalog.family(spec.id).fields(spec)
        item = _chosen_setting(fields, run, key)
    if item is None:
        st.info("No setting of this text acts on the draws.", icon=":material/info:")
        return
    found = microscope_view.scores(session, text, key)
    if found is not None:
        _draw_strip(session, spec, fields, found, item, f"{key}-{text.index}-{item.name}")


def _chosen_text(run: Run, key: str) -> Written:
    texts = [
        Written(run, one.index, tuple(one.meta.get("ids", ())), int(one.meta.get("forced", 0)))
        for one in run.outputs if is_view(one)
    ]  # fmt: skip
    return variant.choose(texts, key)


def _chosen_setting(fields: tuple[ParamField, ...], run: Run, key: str) -> ParamField | None:
    """Let the reader choose among the settings that act under the run's own."""
    values = {**{item.name: item.default for item in fields}, **run.request.params}
    acting = set(in_effect(fields, values))
    items = {item.name: item for item in tipping.able(fields) if item.name in acting}
    if not items:
        return None
    name = st.selectbox("Setting", list(items), key=f"{key}-setting", format_func=lambda one: items[one].label)
    return items[name]


def _draw_strip(
    session: Session, spec: ModelSpec, fields: tuple[ParamField, ...], text: Written, item: ParamField, key: str
) -> None:
    request = session.catalog.current(text.run.request)
    data = {"ref": f"sha256:{text.view.sha256}", "request": request.model_dump(), "output": text.index,
            "forced": text.forced, "setting": item.name, "step": None}  # fmt: skip
    try:
        answer = tool_calls.answer(session.jobs, f"{key}-call", spec.id, TOOL, data, "Looking for tipping points")
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    if answer is not None:
        _draw_answer(spec, fields, text, item, answer, key)


@st.fragment
def _draw_answer(
    spec: ModelSpec, fields: tuple[ParamField, ...], text: Written, item: ParamField,
    answer: Mapping[str, Any], key: str,
) -> None:  # fmt: skip
    st.markdown(plain(answer["sentence"]))
    own = tipping_strip.OFF if answer["own"] is None else int(answer["own"])
    place = state.at(state.key(key, "place"), own)
    strip = state.key(key, "strip")

    def pick() -> None:
        if (at := tipping_strip.chosen(strip, answer)) is not None:
            place.set(at)

    tipping_strip.draw(answer, strip, of=f"{text.view.sha256}-{item.name}", place=place.get(), on_pick=pick)
    value = nearest(answer, place.get())
    if value != answer["value"] and st.button(
        f"Use {_shown(value)} for the next run", icon=":material/tune:", key=f"{key}-use",
        on_click=_use, args=(spec, fields, text.run, item.name, value),
        help="Copies this text's settings to the sidebar, with this one changed: Run then writes what follows.",
    ):  # fmt: skip
        st.rerun()
    st.caption(plain(answer["how"]))


def nearest(answer: Mapping[str, Any], place: int) -> float | None:
    """Return the value of a stretch that is nearest to the text's own; of one that was off, the stretch's last."""
    if place == tipping_strip.OFF:
        return None
    one, own = answer["segments"][place], answer["value"]
    low, high = one["from"], one["to"]
    found: float = high if own is None else min(max(own, low), high)
    return found


def _shown(value: float | None) -> str:
    return "off" if value is None else f"{value:g}"


def _use(spec: ModelSpec, fields: tuple[ParamField, ...], run: Run, name: str, value: float | None) -> None:
    params_form.set_values(spec, fields, {**run.request.params, name: value, "seed": run.request.seed})
