"""A table of texts as input: the upload, what it holds, and its columns to choose from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import inputs, state
from components.escape import plain
from components.modality import InputType
from components.text import lesson_table
from models.text import sheets

if TYPE_CHECKING:
    from components.desk import Desk
    from models.family import InputField

_NONE = ""
_RIGHT = ("label", "labels", "right label", "gold", "truth", "class", "category")


def _told(desk: Desk) -> dict[str, Any] | None:
    """Return what was found in the table that is kept; None where there is none."""
    item = next((one for one in desk.family.inputs if one.type == "table"), None)
    ref = inputs.kept_ref(desk, item) if item is not None else None
    if ref is None:
        return None
    data = desk.session.jobs.store.get_beside(ref, sheets.COLUMNS)
    found: dict[str, Any] | None = json.loads(data) if data else None
    return found


def draw_table(desk: Desk, item: InputField) -> None:
    """Draw the box that takes a table, and the first rows of the one that is kept."""
    st.file_uploader(
        item.label, list(item.accept), key=inputs.upload_key(desk, item, "upload"), help=item.help or None,
        on_change=inputs.take_upload, args=(desk, item, "upload"), max_upload_size=sheets.TABLE_MAX_BYTES // 1_000_000,
    )  # fmt: skip
    inputs.draw_limits(item)
    inputs.draw_problem(desk, item)
    told = _told(desk)
    if told is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        facts = f"{told['rows']:,} rows, {len(told['columns'])} columns, encoding {told['encoding']}"
        st.caption(plain(": ".join(filter(None, (inputs.named(desk, item), facts)))))
        inputs.draw_remove(desk, item)
    shown = told["columns"][:4]
    rows = [(str(at), *row[: len(shown)], "") for at, row in enumerate(told["first"], 1)]
    with st.expander("First rows"):
        lesson_table.draw(("Row", *shown), "", rows, state.key(desk.place, "table-first"))


def draw_column(desk: Desk, item: InputField) -> None:
    """Draw the choice of a column of the table."""
    told = _told(desk)
    if told is None:
        return
    names = list(dict.fromkeys(told["columns"]))
    slot = _slot(desk, item)
    needed = item.name == "column"
    usual = told["text"] if needed else _right(names, told["text"])
    if slot.get() not in (*names, _NONE) or not slot.there or (slot.get() == _NONE and needed):
        slot.set(usual)
    st.selectbox(
        item.label, names if needed else [_NONE, *names], key=slot.key, help=item.help, persist_state="session",
        format_func=lambda name: name or "none",  # a selectbox reads no markdown
    )  # fmt: skip


def _right(names: Sequence[str], text: str) -> str:
    """Return the column that is called after what it holds, the right labels; "" for none."""
    return next((name for name in names if name.casefold() in _RIGHT and name != text), _NONE)


def _slot(desk: Desk, item: InputField) -> state.Slot[str]:
    return state.at(state.input_key(desk.place, item.name), _NONE)


def _value(desk: Desk, item: InputField) -> str | None:
    told, chosen = _told(desk), _slot(desk, item).get()
    return chosen if told is not None and chosen in told["columns"] else None


def _rows(desk: Desk, item: InputField) -> float | None:
    told = _told(desk)
    return float(told["rows"]) if told is not None else None


def _restore(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    if item.name in given:
        _slot(desk, item).set(given[item.name])
    elif "table" in given:
        _slot(desk, item).pop()


TYPES = {
    "table": InputType(inputs.kept_ref, inputs.restore_ref, draw_table, sheets.check, amount=_rows),
    "column": InputType(_value, _restore, draw_column),
}
