"""The Models page: every model, found by what it is for and what it takes, got, checked and removed."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from components import disk_box, model_picker, models_card, models_state, opening, owners, rooms, services, state
from components import session as sessions
from components.escape import plain
from components.models_state import field
from models import choosing
from models.amounts import size
from models.choosing import Wanted
from models.errors import PlaygroundError
from models.runtime import memory

if TYPE_CHECKING:
    from pathlib import Path

    from components.session import Session

SIZES = {"Up to 10 MB": 10_000_000, "Up to 100 MB": 100_000_000, "Up to 1 GB": 1_000_000_000}
POLL_S = 4.0


def show() -> None:
    """Draw the page."""
    opening.follow()
    session = sessions.here()
    st.title("Models", anchor=False)
    disk_box.tell(session)
    models_state.collect(session)
    state.draw_notices()
    model_picker.draw_problems(session.catalog)
    st.fragment(_draw_bars, run_every=POLL_S)(session, _signature(session))
    if not owners.runs_machine(session.jobs):
        st.caption(":material/info: You may get models here. Others use them too: whoever runs this machine alone may "
                   "unload, verify and remove them." + (" Those that you add are yours alone."
                                                        if disk_box.may_add(session) else ""))  # fmt: skip
    disk_box.draw(session, _room(session))
    st.text_input(
        "Search", key=field("text").key, placeholder="Words of names, tasks, architectures, training data",
        label_visibility="collapsed", icon=":material/search:", persist_state="session", bind="query-params",
    )  # fmt: skip
    with st.sidebar:
        _draw_filters(session)
    engine = session.jobs.engine.state()
    stands = {spec.id: models_state.standing(session, spec, engine) for spec in session.catalog.values()}
    wanted = _wanted(session)
    there = bool(field("there").get())
    found = [
        spec for spec in session.catalog.values()
        if choosing.fits(session.catalog, spec, wanted) and (stands[spec.id].here or not there)
    ]  # fmt: skip
    order = list(rooms.every())
    found.sort(key=lambda spec: order.index(spec.modality) if spec.modality in order else len(order))
    here = sum(stands[spec.id].here for spec in found)
    st.caption(f"{len(found)} model{'s' * (len(found) != 1)} · {here} here")
    if not found:
        st.info("No model fits. Use fewer words, or clear the filters.", icon=":material/search_off:")
        st.button("Clear search and filters", key="models-clear-all", on_click=models_state.clear)
    ran: dict[str, int] = {}
    with suppress(PlaygroundError):  # the Runs page says what is wrong with the store
        ran = session.jobs.store.ran(session.owner)
    for spec in found:
        models_card.draw(session, spec, stands[spec.id], ran.get(spec.id, 0), _room(session))


def _room(session: Session) -> int:
    """Return what models and their runs may take of memory together."""
    return session.jobs.engine.state().budget_bytes or memory.budget_bytes(session.jobs.settings)


def _wanted(session: Session) -> Wanted:
    fits = bool(field("fits").get())
    return Wanted(
        text=str(field("text").get() or ""), rooms=tuple(field("rooms").get() or ()),
        tasks=tuple(field("tasks").get() or ()), nets=tuple(field("nets").get() or ()),
        licences=tuple(field("licences").get() or ()), most_bytes=SIZES.get(field("size").get() or ""),
        room_bytes=_room(session) if fits else None,
        disk_bytes=shutil.disk_usage(_there(session)).free if fits else None,
    )  # fmt: skip


def _there(session: Session) -> Path:
    """Return the folder of weights, or the nearest above it that is there."""
    folder = session.jobs.settings.weights_folder().absolute()
    return next(one for one in (folder, *folder.parents) if one.is_dir())


def _draw_filters(session: Session) -> None:
    kinds = choosing.kinds(session.catalog)
    st.toggle("Fits this machine", key=field("fits").key, persist_state="session", bind="query-params",
              help="The model and a run fit into memory, and its files onto the disk.")  # fmt: skip
    st.toggle("On this machine", key=field("there").key, persist_state="session", bind="query-params")
    if len(kinds["rooms"]) > 1:
        there = [one for one in rooms.every() if one in kinds["rooms"]]
        st.pills("Modality", there, selection_mode="multi", key=field("rooms").key, persist_state="session",
                 bind="query-params", format_func=lambda name: plain(rooms.room(name).title))  # fmt: skip
    for name, label in (("tasks", "Task"), ("nets", "Architecture"), ("licences", "Licence")):
        gone = [one for one in field(name).get() or () if one not in kinds[name]]
        if gone:  # an entry went meanwhile: a widget does not take what it cannot show
            field(name).set([one for one in field(name).get() if one in kinds[name]])
        st.multiselect(
            label, kinds[name], key=field(name).key, placeholder="Any", persist_state="session", bind="query-params"
        )
    st.selectbox("Size on disk", ["", *SIZES], key=field("size").key, persist_state="session", bind="query-params",
                 format_func=lambda name: name or "Any")  # fmt: skip
    st.button("Clear filters", icon=":material/filter_alt_off:", key="models-clear", on_click=models_state.clear)


def _signature(session: Session) -> tuple[object, ...]:
    """Return what the cards stand for: when it changes, whoever made it, the page is drawn anew."""
    engine = session.jobs.engine.state()
    loaded = tuple((one["model"], one["leases"]) for one in engine.loaded)
    gets = services.gets()
    return loaded, tuple((spec.here, gets.stage(spec.id) is not None) for spec in session.catalog.values())


def _draw_bars(session: Session, drawn: tuple[object, ...]) -> None:
    if _signature(session) != drawn:
        st.rerun(scope="app")
    engine, disk = session.jobs.engine.state(), shutil.disk_usage(_there(session))
    got = sum(spec.weights_bytes() for spec in session.catalog.values() if spec.here and not spec.embedded)
    room = _room(session)
    left, right = st.columns(2)
    left.progress(
        1.0 - disk.free / disk.total,
        text=f"Disk: {size(disk.free)} of {size(disk.total)} free; got models: {size(got)}",
    )
    right.progress(
        min(1.0, engine.used_bytes / room) if room else 0.0,
        text=f"Memory: models take {size(engine.used_bytes)} of {size(room)}",
    )
