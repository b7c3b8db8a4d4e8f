"""The sentences of a spoken text: each with its seed, made again alone or with settings of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import params_form, state
from components.escape import plain
from components.modality import InputType
from models import labels, outside
from models.catalog import Catalog
from models.params import ParamField
from models.types import Output, Request, Run, drawn_seed

if TYPE_CHECKING:
    from components.desk import Desk
    from models.family import InputField

_ROWS = state.slot("audio-input-rows", "")
_OF = state.slot("audio-input-rows-of", "")  # the text that they belong to
SHOWN_MAX = 40
TITLE = "Sentences"
_WHOLE = ("pause_s", "loudness", "seed")  # settings of the text, not of a sentence


def keep(given: Mapping[str, str]) -> None:
    """Keep a request's rows for the page, or forget those there are; they hold for that request's text alone."""
    _ROWS.set(given.get("rows", ""))
    _OF.set(given.get("prompt", ""))


def kept(prompt: str) -> str:
    """Return the rows that belong to a text, "" where there are none."""
    return _ROWS.get() if _OF.get() == prompt else ""


def _kept(desk: Desk, item: InputField) -> str | None:
    return kept(desk.prompt.get()) or None


def _restore(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    keep(given)


def _draw_input(desk: Desk, item: InputField) -> None:
    draw_kept(desk.prompt.get())


def draw_kept(prompt: str) -> None:
    """Say which sentences have settings of their own, and let them go."""
    rows = kept(prompt)
    if not rows:
        return
    try:
        numbers = ", ".join(str(number + 1) for number in sorted(int(one) for one in outside.read_json(rows)))
    except (ValueError, TypeError):  # from a damaged link: Run says so
        numbers = "?"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Sentences with their own seed or settings: {numbers}.")
        st.button("Reset", type="tertiary", key="rows-forget", on_click=keep, args=({},))


def draw(catalog: Catalog, run: Run, output: Output, again: Callable[[Request], None], key: str) -> None:
    """Draw the sentences of a sound with what can be done with each."""
    rows = output.meta.get("rows", [])
    if not rows or not st.toggle(
        TITLE, key="sentences-open", persist_state="session", help="Regenerate single sentences."
    ):
        return
    spec = catalog[run.request.model]
    fields = [item for item in catalog.family(spec.id).fields(spec) if item.name not in _WHOLE and not item.optional]
    with st.container(border=True):
        for row in rows[:SHOWN_MAX]:
            _draw_row(run, row, fields, again, f"{key}-row-{row['sentence']}")
        if len(rows) > SHOWN_MAX:
            st.caption(f"The first {SHOWN_MAX} of {len(rows)} sentences are shown.")


def _draw_row(
    run: Run, row: Mapping[str, Any], fields: list[ParamField], again: Callable[[Request], None], key: str
) -> None:
    own = {name: value for name, value in row["own"].items() if name != "seed"}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(plain(row["text"]), width="stretch")
        said = [f"seed {row['seed']}", f"{row['seconds']:.1f} s", *(
            labels.setting_words(item, own[item.name]) for item in fields if item.name in own
        )]  # fmt: skip
        st.caption(plain(" · ".join(said)), width="content")
        st.button(
            "New seed", icon=":material/casino:", key=f"{key}-again", on_click=_again, args=(run, row, again),
            help="Says this sentence with a new seed; the others stay as they are.",
        )  # fmt: skip
        with st.popover("Change", icon=":material/tune:", key=f"{key}-change"), st.form(f"{key}-form", border=False):
            values = {**run.request.params, **own}
            for item in fields:
                params_form.draw_apart(item, values.get(item.name, item.default), key)
            st.form_submit_button(
                "Apply", type="primary", on_click=_change, args=(run, row, fields, again, key),
            )  # fmt: skip


def _again(run: Run, row: Mapping[str, Any], again: Callable[[Request], None]) -> None:
    again(changed_request(run.request, row, {**row["own"], "seed": drawn_seed()}))


def _change(
    run: Run, row: Mapping[str, Any], fields: list[ParamField], again: Callable[[Request], None], key: str
) -> None:
    chosen = {item.name: state.at(state.field_key(key, item.name)).get() for item in fields}
    changed = {name: value for name, value in chosen.items() if value != run.request.params.get(name)}
    again(changed_request(run.request, row, {"seed": row["seed"], **changed}))


def changed_request(request: Request, row: Mapping[str, Any], own: Mapping[str, Any]) -> Request:
    """Return the request with a seed and settings of its own for one sentence, those of the others kept."""
    rows = json.loads(request.inputs.get("rows") or "{}")
    rows[str(row["sentence"])] = dict(own)
    return request.model_copy(update={"inputs": {**request.inputs, "rows": json.dumps(rows, sort_keys=True)}})


TYPES = {"rows": InputType(_kept, _restore, _draw_input)}
