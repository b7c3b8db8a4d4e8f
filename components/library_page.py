"""The Runs page: all that an owner made, found again by words and filters, the newest first."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from components import (
    library_detail,
    library_keys,
    library_meaning,
    library_row,
    library_state,
    links,
    opening,
    owners,
    result,
    retention_view,
    rooms,
    share_menu,
    state,
)
from components import session as sessions
from components.escape import plain
from components.notes import Note
from components.sweep_out import MOST_BYTES, stored_size
from models import export, labels
from models.amounts import size
from models.errors import PlaygroundError
from models.finding import Filter
from models.shelf import Found, Kinds
from models.types import SEED_MAX

if TYPE_CHECKING:
    from components.session import Session

WALL, TABLE = "Wall", "Table"
LOOKS = {WALL: "view_agenda", TABLE: "table_rows"}
EXPORT_MOST = 2_000  # runs in one file; no more are counted


def show() -> None:
    """Draw the page."""
    opening.follow()
    session = sessions.here()
    _take_link(session)
    with suppress(PlaygroundError):  # the list says what is wrong with the store
        library_state.follow_address(session)
    st.title("Runs", anchor=False)
    state.draw_notices()
    if said := session.jobs.store.lost():
        st.warning(plain(said), icon=":material/warning:")
    _draw_deleted(session)
    if run_id := library_state.opened():
        library_detail.draw(session, run_id)
    elif library_state.is_comparing():
        library_detail.draw_compared(session, library_state.marked())
    else:
        _draw_list(session)


def _take_link(session: Session) -> None:
    """Open the page that a link of a result means: one that was copied here begins with this page's address."""
    packed = st.query_params.get(links.REQUEST)
    if packed is None:
        return
    del st.query_params[links.REQUEST]
    try:
        request = links.read_request(packed)
        there = rooms.page_of(session.catalog, request.model)
        _ = session.catalog[request.model]
    except PlaygroundError as error:
        state.notify(error.message, "warning")
        return
    st.switch_page(there.script, query_params={links.REQUEST: packed})


def _draw_deleted(session: Session) -> None:
    if count := library_state.deleted():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(f"{count:,} result{'s' * (count != 1)} deleted.", icon=":material/delete:", width="stretch")
            st.button("Undo", icon=":material/undo:", key="library-undo", on_click=library_state.undo, args=(session,))


def _draw_list(session: Session) -> None:
    store, owner = session.jobs.store, session.owner
    kinds = store.kinds(owner)
    if not kinds.models:
        st.info("Nothing here yet: what you run is kept, and found here by its words. Begin on one of these pages.",
                icon=":material/info:")  # fmt: skip
        for room in rooms.every().values():
            for its_page in room.pages:
                st.page_link(its_page.script, label=plain(its_page.title), icon=its_page.icon)
        return
    st.text_input(
        "Search", key=library_state.field("text").key, placeholder="Words of prompts, results, names, notes, tags",
        label_visibility="collapsed", icon=":material/search:", persist_state="session",
    )  # fmt: skip
    by_meaning = library_meaning.choose(session.catalog)
    with st.sidebar:
        _draw_filters(session, kinds)
    if by_meaning:
        library_meaning.draw(session)
        return
    asked = library_state.wanted()
    page = store.find(owner, asked, library_state.begins(asked), library_state.ROWS)
    _draw_line(session, asked)
    share_menu.draw_list(session)
    if not page.rows:
        st.info("Nothing fits. Use fewer or shorter words, or clear the filters.", icon=":material/search_off:")
        st.button("Clear search and filters", key="library-clear-all", on_click=library_state.clear)
    if page.rows and _draw_switch(session) == TABLE:
        library_row.draw_table(session, page.rows)
    else:
        for found in page.rows:
            library_row.draw(session, found)
    with st.container(horizontal=True, horizontal_alignment="center"):
        if library_state.begins(asked) is not None:
            st.button("Newer", icon=":material/chevron_left:", key="library-newer", on_click=library_state.go_back)
        if page.next is not None:
            st.button("Older", icon=":material/chevron_right:", key="library-older", on_click=library_state.go_on,
                      args=(page.next,))  # fmt: skip
    library_keys.draw()


def _draw_switch(session: Session) -> str:
    """Draw the choice of how the list looks, which is kept for its owner, and return it."""
    choice, last = library_state.field("look"), Note(session, "library-look", WALL)
    if not choice.there:
        choice.set(last.get() if last.get() in LOOKS else WALL)
    st.segmented_control(
        "List as", LOOKS, key=choice.key, required=True, label_visibility="collapsed",
        format_func=lambda one: f":material/{LOOKS[one]}: {one}", on_change=lambda: last.set(str(choice.get() or WALL)),
    )  # fmt: skip
    return str(choice.get() or WALL)


def _draw_filters(session: Session, kinds: Kinds) -> None:
    field = library_state.field
    st.toggle("Starred", key=field("starred").key, persist_state="session")
    modalities = list(dict.fromkeys(model.split("/", 1)[0] for model in kinds.models))
    if len(modalities) > 1:
        st.pills("Modality", modalities, selection_mode="multi", key=field("rooms").key, persist_state="session",
                 format_func=lambda name: plain(rooms.room(name).title))  # fmt: skip
    for name, label, options in (("models", "Model", kinds.models), ("tasks", "Task", kinds.tasks),
                                 ("tags", "Tags", kinds.tags)):  # fmt: skip
        gone = [one for one in field(name).get() or () if one not in options]
        if gone:  # deleted meanwhile: a widget does not take what it cannot show
            field(name).set([one for one in field(name).get() if one in options])
        if options:
            st.multiselect(
                label, options, key=field(name).key, placeholder="Any", persist_state="session",
                format_func=partial(labels.model_name, session.catalog) if name == "models" else str,
            )  # fmt: skip
    with st.container(horizontal=True):
        for name, label in (("since", "From"), ("until", "Until")):
            st.date_input(label, value=None, key=field(name).key, persist_state="session")
    st.number_input("Seed", 0, SEED_MAX, None, 1, key=field("seed").key, placeholder="Any", persist_state="session")
    st.button("Clear filters", icon=":material/filter_alt_off:", key="library-clear", on_click=library_state.clear)
    st.caption("Keys: J and K or the arrows go through the list, S stars, X marks, Enter opens.")
    if session.known.kind in ("cookie", "session"):
        kept = f"until {owners.KEEP_S // 3600} hours after your last visit" if session.known.lasting else (
            "until you close or reload this page")  # fmt: skip
        st.caption(f":material/schedule: Results are kept {kept}. Export what you want to keep longer.")


def _draw_line(session: Session, asked: Filter) -> None:
    """Draw how much was found, and what can be done with it and with what is marked."""
    count = session.jobs.store.count(session.owner, asked, EXPORT_MOST + 1)
    marked = library_state.marked()
    with st.container(horizontal=True, vertical_alignment="center"):
        more = f"more than {EXPORT_MOST:,} results" if count > EXPORT_MOST else ""
        st.caption(more or f"{count:,} result{'s' * (count != 1)}")
        if marked:
            fits = 2 <= len(marked) <= library_state.MARKS_MOST
            st.button(
                f"Compare {len(marked)}", icon=":material/compare:", key="library-compare", disabled=not fits,
                on_click=library_state.compare, args=(True,), type="primary" if fits else "secondary",
                help=f"Side by side: 2 to {library_state.MARKS_MOST} results.",
            )  # fmt: skip
            st.button("Delete marked", icon=":material/delete:", key="library-delete", on_click=library_state.delete,
                      args=(session, marked), help="For ten minutes it can be undone.")  # fmt: skip
            st.button("Unmark all", key="library-unmark", on_click=library_state.unmark)
        if count:
            _draw_export(session, asked, marked, count)
        retention_view.draw(session)


def _draw_export(session: Session, asked: Filter, marked: list[str], count: int) -> None:
    store, owner = session.jobs.store, session.owner
    with st.popover("Export", icon=":material/download:"):
        st.caption("A ZIP of the files, each with its settings inside, and runs.jsonl with a line for each result.")
        if marked:
            st.download_button(
                f"The {len(marked)} marked", partial(_zipped, session, marked), "runs.zip", "application/zip",
                key="library-export-marked", on_click="ignore",
            )  # fmt: skip
        if count > EXPORT_MOST:
            st.caption(f"More than {EXPORT_MOST:,} results are too many for one file. Narrow the search.")
            return
        st.download_button(
            f"All {count:,} found", lambda: _zipped(session, store.found_ids(owner, asked)), "runs.zip",
            "application/zip", key="library-export-found", on_click="ignore",
            help=f"At most {size(MOST_BYTES)}: the oldest beyond that are left out.",
        )  # fmt: skip


def _zipped(session: Session, ids: list[str]) -> bytes:
    """Return the ZIP of runs; where they are too large for this process, the newest that fit."""
    jobs, held, chosen = session.jobs, 0, list[Found]()
    for found in jobs.store.found(session.owner, ids):
        held += sum(stored_size(jobs, output) for output in found.run.outputs)
        if held > MOST_BYTES and chosen:
            break
        chosen.append(found)
    return export.zipped(chosen, partial(result.stored, jobs))
