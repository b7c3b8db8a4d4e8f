"""What a page's sweep varies: the axes with their values as a person writes them, what it costs, and Run.

The axes are noted for the owner, model by model, as JSON: {"name": …, "text": as written} or {"name": …, "values": […]}
for what is chosen from a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import inputs, params_form, rooms, state
from components.escape import plain
from components.notes import Note
from models import labels
from models.errors import BadParam, PlaygroundError
from models.family import main_text
from models.params import ParamField
from models.sweeps import cells, spec
from models.sweeps import values as sweep_values
from models.sweeps.spec import AXES_MOST, CELLS_MOST, INPUT, MODEL, Axis, Sweep
from models.types import Request

if TYPE_CHECKING:
    from components.desk import Desk

ROLES = ("Rows", "Columns", "Tabs", "Strip")
SEEDS = (0, 1, 2, 3)  # as many as tell an effect from the luck of the seed
LISTED = ("toggle", "choice")
Entry = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """Hold one thing that can be varied: `item` is its setting, None for a text and for the model."""

    name: str
    label: str
    item: ParamField | None = None

    @property
    def is_text(self) -> bool:
        """Say whether its values are written one to a line."""
        return self.name.startswith(INPUT) or (self.item is not None and self.item.type in ("text", "tags"))


def choices(desk: Desk) -> dict[str, Choice]:
    """Return what can be varied on a page, by name: the texts of its model, every setting, the model."""
    texts = [
        Choice(f"{INPUT}{item.name}", item.label or item.name.replace("_", " ").capitalize())
        for item in inputs.wanted(desk) if item.is_text
    ]  # fmt: skip
    # the seed is what most sweeps have
    fields = sorted(desk.fields, key=lambda item: item.type != "seed")
    settings = [Choice(item.name, item.label, item) for item in fields]
    noted = any(isinstance(one, dict) and one.get("name") == MODEL for one in entries(desk).get())
    models = [Choice(MODEL, "Model")] if noted or len(_proposed(desk)) > 1 else []
    return {one.name: one for one in (*texts, *settings[:1], *models, *settings[1:])}


def _models(desk: Desk) -> dict[str, str]:
    """Return the names of the page's models that take the same main text, by id."""
    catalog, main = desk.session.catalog, main_text(desk.family.inputs)
    return {
        one.id: one.name for one in rooms.models_on(catalog, desk.page)
        if (other := main_text(catalog.family(one.id).inputs)) == main or (other and main and other.name == main.name)
    }  # fmt: skip


def _proposed(desk: Desk) -> list[str]:
    """Return the ids of the page's models that can run what the page holds, along what is varied; its own first.

    While the page's own model cannot run it, as before a prompt is written, all that take the same text.
    """
    catalog, found = desk.session.catalog, [desk.spec.id, *(one for one in _models(desk) if one != desk.spec.id)]
    names = [str(one["name"]) for one in entries(desk).get() if isinstance(one, dict) and one.get("name") != MODEL]
    try:
        request = desk.request()[0]
        if not cells.takes(catalog, request, desk.spec.id):
            return found
    except PlaygroundError:
        return found
    return [one for one in found if one == desk.spec.id or cells.takes(catalog, request, one, names)]


def entries(desk: Desk) -> Note[list[Entry]]:
    """Return the note of a page's axes."""
    return Note(desk.session, f"{desk.spec.id}-sweep-axes", [])


def _known(desk: Desk) -> list[Entry]:
    """Return the axes as they are noted; what another version wrote is left out."""
    known = choices(desk)
    found = [one for one in entries(desk).get() if isinstance(one, dict) and one.get("name") in known]
    return found[:AXES_MOST]


def add(desk: Desk, name: str) -> str:
    """Vary one more thing, with values to start from; what is varied already stays as it is. Return what was done."""
    now, choice = _known(desk), choices(desk).get(name)
    if choice is None:
        return f"{name} cannot be varied here."
    if any(one["name"] == name for one in now):
        return f"The sweep varies {choice.label} already: its values stand in the box “Sweep”."
    if len(now) >= AXES_MOST:
        return f"The sweep varies {AXES_MOST} things already, which is the most. Take one out to vary {choice.label}."
    entry = {"name": name, **_starting(desk, choice)}
    _set_widget(desk, choice, entry)
    entries(desk).set([*now, entry])
    return f"The sweep varies {choice.label}: change its values in the box “Sweep”, then run it."


def _starting(desk: Desk, choice: Choice) -> Entry:
    item = choice.item
    if choice.name == MODEL:
        return {"values": _proposed(desk)[:3]}
    if item is None:
        held = inputs.held(desk).get(choice.name.removeprefix(INPUT), "")
        return {"text": " ".join(held.split())}
    now = params_form.values(desk.spec, desk.fields)[item.name]
    if item.type == "seed":
        return {"text": ", ".join(map(str, SEEDS))}
    found = sweep_values.three(item, now)
    if item.type in LISTED:
        return {"values": list(found)}
    return {"text": ", ".join(_written(value) for value in found)}


def _written(value: Any) -> str:
    return "off" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _key(desk: Desk, name: str) -> str:
    return state.key(desk.spec.id, "sweep-axis", name)


def _set_widget(desk: Desk, choice: Choice, entry: Entry) -> None:
    state.at(_key(desk, choice.name)).set(entry["values"] if "values" in entry else entry["text"])


def _take(desk: Desk, name: str) -> None:
    """Note what was just written or chosen."""
    given = state.at(_key(desk, name)).get()
    kind = "text" if isinstance(given, str) else "values"
    entries(desk).set([{"name": name, kind: given} if one["name"] == name else one for one in _known(desk)])


def _remove(desk: Desk, name: str) -> None:
    entries(desk).set([one for one in _known(desk) if one["name"] != name])


def _move_up(desk: Desk, at: int) -> None:
    found = _known(desk)
    found[at - 1], found[at] = found[at], found[at - 1]
    entries(desk).set(found)


def axis_of(desk: Desk, choice: Choice, entry: Entry) -> Axis:
    """Return an axis as a sweep has it. Raises `BadParam` for values that are none."""
    if "values" in entry:
        found = tuple(entry["values"])
        if not found:
            raise BadParam(f"{choice.label} has no values. Choose two or more of them.")
    elif choice.item is not None:
        found = sweep_values.listed(choice.item, str(entry.get("text", "")))
    else:
        found = tuple(line.strip() for line in str(entry.get("text", "")).splitlines() if line.strip())
        if not found:
            raise BadParam(f"{choice.label} has no values. Write them one to a line.")
    return Axis(choice.name, found)


def sweep_of(desk: Desk, request: Request) -> Sweep:
    """Return the sweep of a request along the page's axes. Raises `BadParam` where there are none, or bad values."""
    known = choices(desk)
    axes = tuple(axis_of(desk, known[one["name"]], one) for one in _known(desk))
    if not axes:
        raise BadParam("Nothing is varied yet. Choose what to vary first.")
    spec.check_size(tuple(len(axis.values) for axis in axes))
    return Sweep(request, axes)


def draw(desk: Desk) -> None:
    """Draw the axes, each with its values, and what can be varied besides."""
    known, now = choices(desk), _known(desk)
    for at, entry in enumerate(now):
        _draw_axis(desk, known[entry["name"]], entry, at)
    left = [name for name in known if name not in {one["name"] for one in now}]
    if len(now) < AXES_MOST and left:
        slot = state.at(state.key(desk.spec.id, "sweep-add"))
        st.selectbox(
            "Vary", left, index=None, key=slot.key, format_func=lambda name: known[name].label,
            placeholder="Choose, or type a name", on_change=_add_chosen, args=(desk, slot),
            help="Each becomes an axis of the grid: rows, columns, tabs, and a strip that plays.",
        )  # fmt: skip


def _add_chosen(desk: Desk, slot: state.Slot[str | None]) -> None:
    name = slot.get()
    slot.set(None)
    if name:
        add(desk, name)


def _draw_axis(desk: Desk, choice: Choice, entry: Entry, at: int) -> None:
    key, item = _key(desk, choice.name), choice.item
    state.at(key).start(entry["values"] if "values" in entry else entry.get("text", ""))  # after a reload
    named = f"{ROLES[at] if len(_known(desk)) > 1 else ROLES[1]}: {choice.label}"  # as the grid lays out a single one
    with st.container(horizontal=True, vertical_alignment="bottom"):
        changed: Any = {"on_change": _take, "args": (desk, choice.name)}
        if choice.name == MODEL:
            models = _models(desk)
            # what is chosen already stays in sight; what is wrong with it is said beside the cost
            options = list(dict.fromkeys([*_proposed(desk), *(one for one in entry["values"] if one in models)]))
            st.multiselect(named, options, key=key, format_func=models.__getitem__, **changed)
        elif item is not None and item.type in LISTED:
            options = [True, False] if item.type == "toggle" else [*([None] if item.optional else []), *item.choices]
            st.multiselect(
                named, options, key=key, format_func=lambda one: labels.value_words(item, one), **changed,
            )  # fmt: skip
        elif choice.is_text:
            st.text_area(f"{named}, one to a line", key=key, height=80, **changed)
        else:
            st.text_input(named, key=key, help=_allowed(item), **changed)
            if item is not None:
                _draw_range(desk, choice, item)
        if at:
            st.button(
                "Move up", icon=":material/arrow_upward:", key=f"{key}-up", on_click=_move_up, args=(desk, at),
                help=f"Makes it {ROLES[at - 1].lower()}.",
            )  # fmt: skip
        st.button("Do not vary", icon=":material/close:", key=f"{key}-remove", on_click=_remove,
                  args=(desk, choice.name))  # fmt: skip
    if wrong := problem_of(desk, choice, entry):
        st.caption(f":material/error: {plain(wrong)}")


def problem_of(desk: Desk, choice: Choice, entry: Entry) -> str:
    """Return what is wrong with the values of an axis, "" for nothing."""
    try:
        axis_of(desk, choice, entry)
    except PlaygroundError as error:
        return error.message
    return ""


def good(desk: Desk) -> bool:
    """Say whether the values of every axis are some: what is wrong is told beside it."""
    known = choices(desk)
    return not any(problem_of(desk, known[one["name"]], one) for one in _known(desk))


def _allowed(item: ParamField | None) -> str:
    if item is None or item.ge is None or item.le is None:
        return "Values with commas between."
    off = ", or off" if item.optional else ""
    return f"Values from {item.ge:g} to {item.le:g}{off}, with commas between."


def _draw_range(desk: Desk, choice: Choice, item: ParamField) -> None:
    """Draw the box that fills in values over a range."""
    assert item.ge is not None and item.le is not None
    own = partial(state.key, _key(desk, choice.name))
    whole = item.type in ("integer", "seed")
    low, high = (int(item.ge), int(item.le)) if whole else (float(item.ge), float(item.le))
    step = max(1, int(item.step or 1)) if whole else float(item.step or 0.01)
    with st.popover("Range", icon=":material/linear_scale:"):
        last = min(high, low + 9) if item.type == "seed" else high
        st.number_input("From", low, high, low, step, key=own("from"))
        st.number_input("To", low, high, last, step, key=own("to"))
        st.number_input("How many", 2, CELLS_MOST, 5, 1, key=own("count"))
        st.button(
            "Fill in", key=own("fill"), on_click=_fill, args=(desk, choice, item),
            help="In equal ratios." if item.log else "In equal steps, on the slider's own.",
        )  # fmt: skip


def _fill(desk: Desk, choice: Choice, item: ParamField) -> None:
    own = partial(state.key, _key(desk, choice.name))
    try:
        found = sweep_values.between(item, *(state.at(own(part)).get() for part in ("from", "to", "count")))
    except PlaygroundError as error:
        state.notify(error.message)
        return
    state.at(_key(desk, choice.name)).set(", ".join(map(_written, found)))
    _take(desk, choice.name)


def set_to(desk: Desk, sweep: Sweep) -> None:
    """Set the page's axes to those of a sweep, as where it is opened again."""
    known, found = choices(desk), []
    for axis in sweep.axes:
        choice = known.get(axis.name)
        if choice is None:
            continue
        listed = axis.name == MODEL or (choice.item is not None and choice.item.type in LISTED)
        lines = "\n" if choice.is_text else ", "
        entry: Entry = {"name": axis.name}
        entry |= {"values": list(axis.values)} if listed else {"text": lines.join(map(_written, axis.values))}
        _set_widget(desk, choice, entry)
        found.append(entry)
    entries(desk).set(found)
