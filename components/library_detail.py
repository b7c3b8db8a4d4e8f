"""One kept run in full, as its room draws it, with its name, tags and note; or several that were made together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import (
    job_drawing,
    labelled,
    library_row,
    library_state,
    library_sweep,
    look_closer,
    result,
    rooms,
    share_menu,
    state,
)
from components.escape import plain
from models import labels
from models.errors import PlaygroundError
from models.finding import Filter
from models.runtime import job_view
from models.sharing import COMPARED_MOST
from models.shelf import NOTE_MAX_CHARS, TITLE_MAX_CHARS, Found
from models.sweeps.spec import PURPOSE as SWEEP
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk
    from components.session import Session

WHOLE_MOST = 48  # runs of a job that are drawn at once
ACROSS = 4  # results side by side
NAME_CHARS = 60  # of a result that stands beside others


def draw(session: Session, run_id: str) -> None:
    """Draw what the address names; a run that is not there, or another owner's, is told alike."""
    found = next(iter(session.jobs.store.found(session.owner, [run_id])), None)
    _draw_back(library_state.open_run, "")
    if found is None:
        st.info("There is no such result of yours: it was deleted or cleared, or is somebody else's.",
                icon=":material/info:")  # fmt: skip
        return
    ids = session.jobs.store.found_ids(session.owner, Filter(), job=found.job)
    if len(ids) > 1 and library_state.is_whole():
        _draw_job(session, found, ids)
        return
    if len(ids) > 1:
        st.button(
            f"All {len(ids):,} of this {'sweep' if found.run.purpose == SWEEP else 'job'}", icon=":material/apps:",
            key="library-whole", on_click=library_state.open_run, args=(run_id, True),
        )  # fmt: skip
    _draw_one(session, found)


def _draw_back(back: Callable[..., None], given: str | bool) -> None:
    st.button("All results", icon=":material/arrow_back:", key="library-back", on_click=back, args=(given,))


def _draw_job(session: Session, found: Found, ids: list[str]) -> None:
    st.header(plain(library_row.together(replace(found, count=len(ids)))), anchor=False)
    shown = session.jobs.store.found(session.owner, ids[:WHOLE_MOST][::-1])
    desk = desk_of(session, found)
    is_grid = desk is not None and library_sweep.draw(desk, found.run, [one.run for one in shown])
    if (
        desk is not None
        and not is_grid
        and len(ids) <= WHOLE_MOST
        and job_drawing.drawer(desk.room, found.run.purpose) is not None
    ):
        job_drawing.draw(desk, job_view.of_runs([one.run for one in shown]))
    with st.container(horizontal=True):
        st.button(
            f"Delete all {len(ids):,}", icon=":material/delete:", key="library-delete-job",
            on_click=library_state.delete, args=(session, ids), help="For ten minutes it can be undone.",
        )  # fmt: skip
        if not is_grid and 1 < len(shown) <= COMPARED_MOST:
            share_menu.draw(session, share_menu.of_runs([one.run for one in shown]), state.key("job", found.run.job))
    if len(ids) > WHOLE_MOST:
        st.caption(f"The newest {WHOLE_MOST} of {len(ids):,}. Search to find others.")
    st.subheader("One by one", anchor=False)
    for one in shown:
        library_row.draw(session, one, single=True)


def desk_of(session: Session, found: Found) -> Desk | None:
    """Return the desk of a run's own page, to be used from here; None where its model is gone."""
    model = found.run.request.model
    if model not in session.catalog:
        return None
    return replace(desks.of(session, rooms.of(model), model), away=True)


def _draw_one(session: Session, found: Found) -> None:
    run = found.run
    st.header(plain(library_row.title(session, found)), anchor=False)
    st.caption(plain(library_row.facts(session, found)))
    with st.container(horizontal=True):
        desk = desk_of(session, found)
        if desk is not None:
            st.button(
                "Use these settings", icon=":material/tune:", key=f"restore-{run.id}", type="primary",
                on_click=desk.restore, args=(run.request,),
                help=f"Opens the {desk.page.title} page with prompt, settings and seed of this run.",
            )  # fmt: skip
        st.button(
            library_row.STARRED if found.starred else "Star", key=f"detail-star-{run.id}",
            icon=None if found.starred else ":material/star:",
            on_click=library_state.star, args=(session, [run.id], not found.starred),
        )  # fmt: skip
        st.button(
            "Delete", icon=":material/delete:", key=f"detail-delete-{run.id}", on_click=library_state.delete,
            args=(session, [run.id]), help="For ten minutes it can be undone.",
        )  # fmt: skip
    _draw_words(session, found)
    if desk is None:
        st.info(plain(f"The model {run.request.model} is not here any more; its result is."), icon=":material/info:")
        result.draw_made(session.jobs, run, f"run-{run.id}")
        return
    result.draw(desk, run, f"run-{run.id}")
    if run.outputs and not run.error:
        look_closer.draw(session, run, f"library-after-{run.id}", remember=False)
        if desk.room.after is not None:
            desk.room.after(desk, run, f"library-after-{run.id}")


def _draw_words(session: Session, found: Found) -> None:
    """Draw what a person says of a run; each is kept when it was written."""
    run = found.run
    with st.expander("Name, tags, note", icon=":material/edit_note:", expanded=bool(found.title or found.note)):
        title = state.at(state.key("library", "title", run.id))
        title.start(found.title)
        st.text_input("Name", key=title.key, max_chars=TITLE_MAX_CHARS, placeholder="What to call it",
                      on_change=partial(_rename, session, run.id))  # fmt: skip
        tags = state.at(state.key("library", "tags", run.id))
        tags.start(list(found.tags))
        known = sorted({*session.jobs.store.kinds(session.owner).tags, *tags.get()})
        st.multiselect("Tags", known, key=tags.key, accept_new_options=True, placeholder="Choose or write a tag",
                       on_change=partial(_tag, session, run.id))  # fmt: skip
        note = state.at(state.key("library", "note", run.id))
        note.start(found.note)
        st.text_area("Note", key=note.key, max_chars=NOTE_MAX_CHARS, placeholder="What is worth knowing of it",
                     on_change=partial(_write_note, session, run.id))  # fmt: skip


def _said(what: str, run_id: str) -> state.Slot[object]:
    return state.at(state.key("library", what, run_id))


def _rename(session: Session, run_id: str) -> None:
    title = str(_said("title", run_id).get() or "")
    library_state.attempt(lambda: session.jobs.store.rename(session.owner, run_id, title))


def _write_note(session: Session, run_id: str) -> None:
    note = str(_said("note", run_id).get() or "")
    library_state.attempt(lambda: session.jobs.store.write_note(session.owner, run_id, note))


def _tag(session: Session, run_id: str) -> None:
    given = _said("tags", run_id).get()
    tags = [str(tag) for tag in given] if isinstance(given, list | tuple) else []
    library_state.attempt(lambda: session.jobs.store.tag(session.owner, run_id, tags))


def draw_compared(session: Session, ids: list[str]) -> None:
    """Draw marked runs side by side, above a table of only what differs."""
    _draw_back(library_state.compare, False)
    shown = session.jobs.store.found(session.owner, ids)
    st.header(f"{len(shown)} results side by side", anchor=False)
    names = [one.title or name for one, name in zip(
        shown, labelled.of_runs(session.catalog, [one.run for one in shown]), strict=True)]  # fmt: skip
    with st.container(horizontal=True):
        if len(shown) > 1:
            share_menu.draw(session, share_menu.of_runs([one.run for one in shown]), state.key("library", "compared"))

    def below(run: Run) -> None:
        st.button("Open", key=f"compared-open-{run.id}", on_click=library_state.open_run, args=(run.id,))

    draw_beside(session, [one.run for one in shown], names, "compared", below)


def draw_beside(
    session: Session, runs: Sequence[Run], names: Sequence[str], key: str, below: Callable[[Run], None]
) -> None:
    """Draw runs side by side, each with what stands below it, above a table of only what differs."""
    across = min(ACROSS, max(1, len(runs)))
    for start in range(0, len(runs), across):
        for column, run, name in zip(st.columns(across), runs[start:], names[start:], strict=False):
            with column:
                st.markdown(f"**{plain(labels.shorten(name, NAME_CHARS))}**")
                try:
                    result.draw_made(session.jobs, run, f"{key}-{run.id}")
                except PlaygroundError as error:
                    st.warning(plain(error.message), icon=":material/warning:")
                below(run)
    rows = labels.differing(session.catalog, runs)
    if not rows:
        st.caption("Made by the same model, prompt, settings and seed.")
        return
    head = ["What differs", *(labels.shorten(name, NAME_CHARS) for name in names)]
    table = [head, ["---"] * len(head), *([name, *values] for name, values in rows)]
    lines = [[part if part == "---" else plain(part) or "–" for part in line] for line in table]
    st.markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))
