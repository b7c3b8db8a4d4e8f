"""What a page's address brings: a whole request, settings, a quiz."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import desk as desks
from components import inputs, links, params_form, quiz_state, rooms, state
from components.model_picker import MODEL
from components.notes import Note
from models.errors import PlaygroundError
from models.sweeps import cells, quiz

if TYPE_CHECKING:
    from components.desk import Desk
    from components.modality import Modality, RoomPage
    from components.session import Session

_READ: state.Slot[set[str]] = state.slot("links-read", set())


def read(session: Session, room: Modality, page: RoomPage) -> None:
    """Take the page's address in, once per session and page, before the first widget: apply a whole request, name
    every setting that Streamlit is about to drop, set the others, and what the page held before.

    A request for a model of another page of the room opens that page: pages may have been one when it was shared.
    """
    done, place = _READ.held(), room.place(page)
    st.query_params.pop(links.FORMER_JOB, None)
    _take_quiz(session, room, page)
    packed = st.query_params.get(links.REQUEST)
    if packed is not None:
        del st.query_params[links.REQUEST]
        try:
            request = links.read_request(packed)
            its_page = rooms.page_of(session.catalog, request.model)
            if its_page != page and its_page in room.pages and request.model in session.catalog:
                st.switch_page(its_page.script, query_params={links.REQUEST: packed})
            desks.apply(session, page, request)
            there = desks.of(session, room, request.model)
            act = inputs.press(there, request.inputs)
            if links.asks_for_a_new_seed(packed):
                act = f"It asks for a new seed (−1): {request.seed} was drawn. {act}"
            state.notify(f"This page was opened from a link: its prompt and settings are filled in. {act}", "info")
            if said := inputs.missing(there):
                state.notify(said, "warning")
            _opened(session, place).set({"at": time.time(), "model": request.model})
        except PlaygroundError as error:
            state.notify(error.message, "warning")
    if place in done:
        return
    done.add(place)
    given = st.query_params.to_dict()
    given.pop(quiz_state.MARK, None)
    for key, text in links.current(session.catalog, given).items():
        if key.endswith(".seed"):
            state.notify(f"The address asks for a new seed (−1): {text} was drawn.", "info")
        given[key] = st.query_params[key] = text
    for sentence in links.problems(session.catalog, page, given):
        state.notify(sentence, "warning")
    for key in links.unusable(session.catalog, given):
        del st.query_params[key]  # told above: what stayed would be read again at every reload
        params_form.refuse(key)
    addressed = links.settings(session.catalog, given)
    for model, new in addressed.items():
        there = desks.of(session, room, model)
        params_form.start(there.spec, there.fields, new)
    _recall(session, room, page, addressed)


def _take_quiz(session: Session, room: Modality, page: RoomPage) -> None:
    """Let the quiz of the address stand on its page, which is opened where it is another one."""
    packed = st.query_params.pop(quiz.QUERY, None)
    if packed is None:
        return
    try:
        asked = quiz.from_link(packed)
        model = asked.sweep.request.model
        _ = session.catalog[model]  # unknown: a sentence, and no page
        its_page = rooms.page_of(session.catalog, model)
        if its_page != page:
            st.switch_page(its_page.script, query_params={quiz.QUERY: packed})
        quiz.rounds(cells.plan(session.catalog, asked.sweep), asked)
    except PlaygroundError as error:
        state.notify(f"The quiz of this link cannot be shown. {error.message}", "warning")
        return
    quiz_state.open_quiz(session, room.place(page), asked)


def opened_at(desk: Desk) -> float:
    """Return when the owner opened a page by a link, in UTC seconds since the epoch; 0 if they did not."""
    return float(_opened(desk.session, desk.place).get().get("at", 0.0))


def opened_model(desk: Desk) -> str:
    """Return the model whose request that link brought; "" if there was none."""
    return str(_opened(desk.session, desk.place).get().get("model", ""))


def _opened(session: Session, place: str) -> Note[dict[str, Any]]:
    """Return the note of the link by which a page was opened last; `place` is what the page's keys begin with."""
    return Note(session, f"{place}-link", {})


def _recall(session: Session, room: Modality, page: RoomPage, addressed: Mapping[str, Collection[str]]) -> None:
    """Set the page as its owner left it, where neither the address nor this session has set it."""
    try:
        kept = session.jobs.store.desks(session.owner)
    except PlaygroundError:  # the list of earlier results says what is wrong with the store
        return
    models = {spec.id for spec in rooms.models_on(session.catalog, page)}
    mine = [one for one in kept if one.model in models]
    for request in reversed(mine):  # the newest first: what it sets, an older one leaves
        desks.of(session, room, request.model).recall(request, addressed.get(request.model, ()))
    if mine and not models & set(addressed) and MODEL not in st.query_params:
        state.at(state.model_key(room.place(page))).start(mine[-1].model)
        shown = desks.of(session, room, mine[-1].model)
        st.query_params.update(params_form.address(shown.spec, shown.fields))
