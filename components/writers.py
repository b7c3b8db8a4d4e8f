"""What writes into a text beside the keyboard: a room's model turns something into words, which join what stands there.

It is a job of the worker like any other, with a place in the queue, Stop and progress, and it starts no run. Nothing of
it is kept, as it is no result: its words are the writer's, to be changed before they are run, and what they were made
from is deleted when the job is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from components import getting_box, job_panel, rooms, state, uploads
from components.escape import plain
from components.modality import Modality, Writes
from components.session import Session
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.runtime.job_view import JobView
from models.spec import ModelSpec
from models.types import WRITING, Request

_GONE = "What you said was lost, as the app was started anew or another tab was first. Please do it again."


@dataclass(frozen=True)
class _Going:
    """Hold a job that writes into a text, by whom, and what the text was where its box does not keep it."""

    job: str
    request: Request
    name: str
    before: str | None = None


_GOING: state.Slot[dict[str, _Going]] = state.slot("writers-going", {})  # by the text's key


def is_going(key: str) -> bool:
    """Say whether something writes into the text under `key`: who types meanwhile would lose it."""
    return key in _GOING.get()


def joined(before: str, words: str) -> str:
    """Return a text with words at its end; they alone where it is blank."""
    if not before.strip():
        return words
    return before + words if before[-1].isspace() else f"{before} {words}"


def settle(session: Session, box: str = "") -> None:
    """Put what was written into its texts. Called before a page draws any box.

    What a box with a send button is to hold waits until that is drawn, which its page says by its key, `box`: put into
    one that is not, it would be lost.
    """
    for key, going in list(_GOING.get().items()):
        if going.before is not None and key != box:
            continue
        view = session.jobs.view(session.owner, going.job)
        if view is not None and not view.finished:
            continue
        _GOING.held().pop(key)
        words, said = _outcome(going, view)
        _said(key).set(said)
        text = state.at(key, "")
        before = text.get() if going.before is None else going.before
        if words or going.before is not None:
            text.set(joined(before or "", words) if words else before)
        try:
            session.jobs.store.let_go(session.owner, going.request)  # a job that never began has let nothing go
        except PlaygroundError as error:
            _said(key).set(error.message)


def draw(session: Session, key: str) -> None:
    """Draw the buttons beside a text; `draw_told` draws what comes of them."""
    for room, writes, spec in _offered(session.catalog):
        with st.popover(
            writes.label, icon=writes.icon, type="tertiary", help=writes.help, disabled=is_going(key),
            key=state.key("writer", writes.name, key, _turn(key).get()),
        ):  # fmt: skip
            if spec.here:
                own = state.key("writes", writes.name, key, _turn(key).get())
                writes.draw(own, partial(_take, session, key, room, writes, spec))
                st.caption(plain(writes.limits(spec)))
            else:
                _draw_missing(writes, spec, key)


def draw_told(session: Session, key: str) -> None:
    """Draw how far it is what writes into a text, or what went wrong with it, in a place that is always there."""
    with st.container():
        going = _GOING.get().get(key)
        if going is not None:
            job_panel.draw(session, going.job, partial(_draw_so_far, going.name))
        elif said := _said(key).get():
            st.warning(plain(said), icon=":material/info:")


def box_asks(session: Session) -> dict[str, Any]:
    """Return what a box with a send button (`st.chat_input`) asks for, so that it takes what words are made from."""
    return next((dict(writes.asks) for _, writes, spec in _offered(session.catalog) if spec.here and writes.asks), {})


def take_box(session: Session, key: str, sent: Any) -> str | None:
    """Return the text that such a box sent; None where words are made of what came with it: it is in the box again."""
    if sent is None or isinstance(sent, str):
        return sent or ""
    text = str(sent.text or "")
    for room, writes, spec in _offered(session.catalog):
        data = writes.taken(sent)
        if data is not None:
            state.at(key).set(text)
            _take(session, key, room, writes, spec, data, before=text)
            return None
    return text


def draw_box_line(session: Session, key: str) -> None:
    """Draw what stands above such a box: what it understands, or how the model for it is got; and what comes of it."""
    for _, writes, spec in _offered(session.catalog):
        if not writes.asks:
            continue
        if spec.here:
            st.caption(f"{writes.icon} {plain(writes.limits(spec))}")
        else:
            with st.popover(writes.label, icon=writes.icon, type="tertiary", help=writes.help,
                            key=state.key("writer", writes.name, key)):  # fmt: skip
                _draw_missing(writes, spec, key)
    draw_told(session, key)


def _offered(catalog: Catalog) -> Iterator[tuple[Modality, Writes, ModelSpec]]:
    for room in rooms.every().values():
        for writes in room.writes:
            if (spec := writes.model(catalog)) is not None:
                yield room, writes, spec


def _draw_missing(writes: Writes, spec: ModelSpec, key: str) -> None:
    getting_box.draw_error(spec)
    st.caption(plain(f"“{writes.label}” needs {spec.name}, which is to be downloaded once. {writes.limits(spec)}"))
    getting_box.draw_get(spec, key=f"-{key}")


def _draw_so_far(name: str, view: JobView) -> None:
    found: list[Writes] = [one for room in rooms.every().values() for one in room.writes if one.name == name]
    if view.preview is not None and found and (words := found[0].read(view.preview.outputs)):
        st.caption(f"“{plain(words)}”")


def _take(
    session: Session, key: str, room: Modality, writes: Writes, spec: ModelSpec, data: bytes, before: str | None = None
) -> None:
    """Have words made of a file; what is wrong with it is said beside the text."""
    _turn(key).set(_turn(key).get() + 1)  # the widget is empty again, its box closed
    _said(key).set("")
    try:
        item = next(one for one in session.catalog.family(spec.id).inputs if one.name == writes.item)
        kind = rooms.input_type(item.type, room.id)
        assert kind is not None, f"the room {room.id} declares no type of input {item.type!r}"
        reference = uploads.keep(session, kind, item, data)
        request = Request(model=spec.id, inputs={item.name: reference})
        _GOING.held()[key] = _Going(session.submit([request], WRITING), request, writes.name, before)
    except PlaygroundError as error:
        _said(key).set(error.message)


def _outcome(going: _Going, view: JobView | None) -> tuple[str, str]:
    """Return the words that a job came to, and a sentence about it, "" for nothing to be said."""
    if view is None:
        return "", _GONE
    writes = next((one for room in rooms.every().values() for one in room.writes if one.name == going.name), None)
    run = view.runs[0] if view.runs else None
    words = writes.read(run.outputs) if writes is not None and run is not None else ""
    if view.error is not None:
        return words, str(view.error.get("message", ""))
    if view.state == "stopped":
        return words, "Stopped: the text has the words up to there." if words else "Stopped before there were words."
    return words, "" if words or writes is None else writes.nothing


def _said(key: str) -> state.Slot[str]:
    return state.at(state.key("writes-said", key), "")


def _turn(key: str) -> state.Slot[int]:
    return state.at(state.key("writes-turn", key), 0)
