"""The card of a model on the Models page: what it is for, what it takes, where it stands, what can be done with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from components import getting_box, models_state, opening, rooms, services, state
from components.escape import plain
from models import choosing, licences
from models.amounts import size
from models.errors import PlaygroundError, WeightsError

if TYPE_CHECKING:
    from components.models_state import Standing
    from components.session import Session
    from models.presets import Preset
    from models.spec import ModelSpec

_COLOURS = {"not here": "gray", "came with the app": "green", "on disk": "green"}


def draw(session: Session, spec: ModelSpec, stands: Standing, ran: int, room_bytes: int) -> None:
    """Draw the card; `ran` counts the owner's runs of it, `room_bytes` is what models may take of memory."""
    with st.container(border=True, gap="xsmall", key=f"card-{spec.id.replace('/', '-')}"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.header(plain(spec.name), anchor=False)
            place = stands.words.split(" · ", maxsplit=1)[0]
            st.markdown(f":{_COLOURS.get(place, 'orange')}-badge[{plain(stands.words)}]", width="content")
        st.markdown(plain(spec.summary))
        if spec.limits:
            st.caption(f":material/info: **Limits:** {plain(spec.limits)}")
        st.caption(plain(_facts(session, spec, stands)))
        _draw_memory(session, spec, stands, room_bytes)
        with st.expander("Details", icon=":material/badge:"):
            _draw_details(session, spec, ran)
        if stands.stage is None:
            if not spec.here:
                getting_box.draw_error(spec)
            for sentence in models_state.CHECKED.get().get(spec.id, ()):
                again = "add" if spec.owned else "get"
                st.error(plain(f"{sentence} Remove it and {again} it again."), icon=":material/heart_broken:")
            if wrong := services.gets().error(models_state.check_key(session, spec)):
                st.error(plain(wrong), icon=":material/heart_broken:")
            if models_state.CHECKED.get().get(spec.id) == []:
                st.success("Checked: every file is what was kept.", icon=":material/check:")
        if services.gets().stage(models_state.check_key(session, spec)) is not None:
            getting_box.draw_stage(models_state.check_key(session, spec))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _draw_buttons(session, spec, stands)


def _facts(session: Session, spec: ModelSpec, stands: Standing) -> str:
    disk = "damaged"
    with suppress(WeightsError):
        disk = f"{size(spec.weights_bytes())} on disk"
    if not stands.here and spec.weights.download_bytes:
        disk = f"{size(spec.weights.download_bytes)} to download, {disk}"
    return " · ".join((
        choosing.task(session.catalog, spec), _count(spec.parameters), disk, spec.licence, spec.id,
    ))  # fmt: skip


def _count(number: int) -> str:
    said = f"{number / 1e6:,.1f} million" if number >= 1e6 else f"{number:,}"
    return f"{said} parameter{'s' * (number != 1)}"


def _draw_memory(session: Session, spec: ModelSpec, stands: Standing, room_bytes: int) -> None:
    try:
        needs = choosing.needs(session.catalog, spec)
    except PlaygroundError:
        return
    if stands.loaded is not None:
        st.caption(f":material/memory: {size(stands.loaded)} of memory loaded; a run takes about "
                   f"{size(round(needs.run, -6))} more")  # fmt: skip
        return
    said = f"about {size(round(needs.total, -6))} of memory: {size(needs.load)} loaded, the rest for a run"
    if room_bytes and needs.total > room_bytes:
        st.caption(f":material/warning: Does not fit this machine: needs {said}; models may take {size(room_bytes)}.")
    else:
        st.caption(f":material/memory: Needs {said}")


def _draw_details(session: Session, spec: ModelSpec, ran: int) -> None:
    rows = {"Architecture": spec.architecture, "Trained on": spec.trained_on}
    for licence in licences.parts(spec.licence):
        rows[f"Licence {licence}"] = licences.terms(licence)
    rows["Weights"] = (
        spec.weights.package or spec.weights.hub
        or (f"added from {spec.weights.disk}" if spec.weights.disk else "in this repository")
    )  # fmt: skip
    rows["Ran here"] = f"{ran:,} run{'s' * (ran != 1)} of yours came to their end" if ran else "not by you yet"
    for name, value in rows.items():
        st.markdown(f":gray[{plain(name)}]  \n{plain(value)}")
    st.markdown(":gray[Recommended settings]  \n" + (
        "  \n".join(_recommended(one) for one in spec.recommended()) or "Its defaults; no others are recommended."
    ))  # fmt: skip
    if usual := [one.name for one in session.catalog.family(spec.id).presets]:
        st.markdown(f":gray[Presets of its kind, in its page's settings]  \n{plain(', '.join(usual))}")


def _recommended(preset: Preset) -> str:
    values = ", ".join(f"{name} {value}" for name, value in preset.params.items() if value is not None)
    about = f": {preset.about}" if preset.about else ""
    source = f" Source: {preset.source}." if preset.source else ""
    return f"**{plain(preset.name)}** {plain(f'({values}){about}{source}')}"


def _draw_buttons(session: Session, spec: ModelSpec, stands: Standing) -> None:
    if stands.stage is not None:
        getting_box.draw_get(spec)
        return
    if spec.here:
        st.button("Open", icon=":material/open_in_new:", key=f"open-{spec.id}", on_click=_open, args=(session, spec),
                  help="Opens its page with this model chosen.")  # fmt: skip
    elif not stands.elsewhere:
        getting_box.draw_get(spec, "primary")
    if not models_state.may_change(session, spec):
        return
    if stands.loaded is not None:
        st.button("Unload", icon=":material/eject:", key=f"unload-{spec.id}", on_click=models_state.unload,
                  args=(session, spec), help="Frees its memory; the next run loads it again.")  # fmt: skip
    if spec.here and spec.kept is not None:
        st.button("Verify", icon=":material/verified:", key=f"verify-{spec.id}", on_click=models_state.check,
                  args=(session, spec), help="Compares every file with what was kept.")  # fmt: skip
    if spec.kept is not None and (spec.here or stands.left or spec.owned):
        with st.popover("Remove", icon=":material/delete:"):
            st.markdown("What it was added from stays, and so do your results." if spec.owned else
                        "It can be got again; your results stay.")  # fmt: skip
            st.button("Remove from disk", key=f"remove-{spec.id}", on_click=models_state.remove, args=(session, spec))


def _open(session: Session, spec: ModelSpec) -> None:
    page = rooms.page_of(session.catalog, spec.id)
    state.at(state.model_key(rooms.of(spec.id).place(page))).set(spec.id)
    opening.ask(page.script)
