"""Drop a result, get its settings back: ours in full, other programs' as far as they are known here; or a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st
from pydantic import ValidationError

from components import desk as desks
from components import inputs, params_form, rooms, services, state, sweep_axes, sweep_page
from models import readers
from models.errors import PlaygroundError
from models.params import in_effect
from models.plain_text import check_text
from models.settings import Settings
from models.sweeps import cells, spec
from models.types import Request, drawn_seed

if TYPE_CHECKING:
    from components.desk import Desk
    from models.stamps import Recovered

_TURN = state.slot("settings-from-file-turn", 0)


def draw(desk: Desk) -> None:
    """Draw the box that takes a file, where the room has files that carry settings.

    It closes when one was taken, and the notices say what became of it.
    """
    kind = desk.room.file
    if kind is None:
        return
    key = _box_key()
    with st.popover("Settings from a file", icon=":material/settings_backup_restore:", key=f"{key}-box"):
        st.caption(f"{kind.hint} A sweep or a result's settings (JSON) can be dropped too.")
        endings = list(dict.fromkeys([*kind.endings, "json"]))
        st.file_uploader(
            f"{kind.name.capitalize()} with settings", endings, key=key, on_change=_take, args=(desk,),
            max_upload_size=kind.megabytes,
        )  # fmt: skip


def _box_key() -> str:
    return state.key("settings-from-file", _TURN.get())


def _take(desk: Desk) -> None:
    upload = state.at(_box_key()).get()
    kind = desk.room.file
    if upload is None or kind is None:
        return
    _TURN.set(_TURN.get() + 1)
    state.clear_notices()
    data = upload.getvalue()
    try:
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and spec.is_one(data):
            _take_sweep(desk, data)
            return
        name, found = _read(data)
        if found is None:
            state.notify(f"This {name} contains no settings: it was not made here, or they were removed.", "warning")
            return
        apply(desk, name, found)
    except PlaygroundError as error:
        state.notify(error.message, "warning")
    except ValidationError as error:  # what is no JSON, deep inside of the settings
        state.notify(
            f"The settings in this {kind.name} are damaged: a value is impossible ({type(error).__name__}).", "warning"
        )


def _read(data: bytes) -> tuple[str, Recovered | None]:
    """Return what a file says of its making, read in a process of its own; see `readers.read_settings`."""
    settings = Settings().model_dump(mode="json", exclude={"database_url"})  # it may hold a password
    return readers.from_plain(services.decoder().call(readers.read_plain, data, settings=settings))


def _take_sweep(desk: Desk, data: bytes) -> None:
    """Fill in what the file of a sweep varies, and of what. Raises `PlaygroundError`, with nothing set."""
    catalog, sweep = desk.session.catalog, spec.read(data)
    plan = cells.plan(catalog, sweep)
    there = desks.of(desk.session, rooms.of(sweep.request.model), sweep.request.model)
    request = sweep.request.model_copy(update={"inputs": _own(there, desk, sweep.request.inputs)})
    desks.apply(desk.session, desk.page, request)
    sweep_axes.set_to(there, sweep)
    state.at(sweep_page.box_key(there)).set(True)
    state.notify(
        f"The sweep of the file is filled in, its prompt and settings too: {sweep_page.title(there, plan)} "
        "Press “Run the sweep”.", "info",
    )  # fmt: skip
    if said := inputs.missing(there):
        state.notify(said, "warning")


def _own(there: Desk, desk: Desk, given: Mapping[str, str]) -> dict[str, str]:
    """Return inputs without the uploads that are not the reader's."""
    uploads = [item.name for item in there.family.inputs if not item.is_text]
    return {name: "" if name in uploads and not inputs.is_own(desk, ref) else ref for name, ref in given.items()}


def apply(desk: Desk, file: str, found: Recovered) -> None:
    """Set the page to what a `file` (a word for it) says, and say what could not be taken."""
    catalog, model = desk.session.catalog, found.model
    if model is None:  # what other programs call a model may be one of ours, whose settings they copied
        here = rooms.models_on(catalog, desk.page)
        model = next((spec.id for spec in here if spec.short_id == found.made_with), None)
    if found.own and model not in catalog:
        state.notify(
            f"The {file} was made by {str(model)[:60]}, which is not installed. The other settings were applied.",
            "warning",
        )
    there = desks.of(desk.session, desk.room, model if model is not None and model in catalog else desk.spec.id)
    seed = _seed(there, found)
    for name, text in found.inputs.items():
        check_text(text, name)
    given = _own(there, desk, found.inputs)
    request = Request(model=there.spec.id, inputs=given, params=found.params, seed=seed)
    desks.apply(desk.session, desk.page, request)
    what = "prompt and settings" if found.seed is None else "prompt, settings and seed"
    source = "" if found.own else " as far as this model has them"
    state.notify(f"The {what} of the {file} are set{source}. {inputs.press(there, given)}", "info")
    if found.new_seed:
        state.notify(f"The {file} asks for a new seed at each run (−1): {seed} was drawn.", "info")
    if said := inputs.missing(there):
        state.notify(said, "warning")
    named = list(found.unknown)
    if not found.own:  # ours hold what acted alone
        now = params_form.values(there.spec, there.fields)
        acting = in_effect(there.fields, now)
        named += [
            f"{item.label}: {now[item.name]} (has no effect with the other settings)" for item in there.fields
            if item.name in found.params and item.name not in acting and now[item.name] != item.default
        ]  # fmt: skip
    if named:
        state.notify(f"Ignored or changed: {'; '.join(named)}.", "warning")


def _seed(desk: Desk, found: Recovered) -> int:
    """Return the seed of a file, a new one where it asks for that, else the one that is set."""
    if found.new_seed:
        return drawn_seed()
    return int(params_form.values(desk.spec, desk.fields)["seed"]) if found.seed is None else found.seed
