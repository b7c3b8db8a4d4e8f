"""A row of the Runs page: a run small, with what made it, or the newest of several that were made together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from components import labelled, library_state, result, rooms
from components.escape import plain
from models import labels
from models.amounts import ago
from models.shelf import Found
from models.sweeps.spec import PURPOSE as SWEEP

if TYPE_CHECKING:
    from components.session import Session

PROMPT_CHARS, TABLE_CHARS, SETTINGS_MOST, TILE_PX = 140, 70, 4, 150
HEAD, COLUMNS = ("When", "Model", "Prompt", "Settings", "Star, mark"), (2, 2, 4, 3, 3)
STARRED = "★ Starred"  # Streamlit's icons have outlines alone: starred or not, they would look the same
_STATUS = {"stopped": "stopped", "failed": "failed"}


def title(session: Session, found: Found) -> str:
    """Return what a run is called: its name, else its prompt, else its model."""
    run = found.run
    prompt = labels.shorten(labels.prompt_of(session.catalog, run.request), PROMPT_CHARS)
    return found.title or prompt or labels.model_name(session.catalog, run.request.model)


def together(found: Found) -> str:
    """Say of how many runs a row is, "" for one."""
    if found.count < 2:
        return ""
    return f"Sweep of {found.count:,} cells" if found.run.purpose == SWEEP else f"{found.count:,} results of one job"


def facts(session: Session, found: Found) -> str:
    """Say what made a run, and when: model, seed, the settings that differ from their defaults."""
    run = found.run
    return " · ".join(part for part in (
        labels.model_name(session.catalog, run.request.model), _settings(session, found),
        ago(max(0.0, time.time() - run.created_at)),
    ) if part)  # fmt: skip


def draw(session: Session, found: Found, *, single: bool = False) -> None:
    """Draw a row. `single`: the run alone, though it was made with others."""
    run, many = found.run, found.count > 1 and not single
    with st.container(border=True, key=f"found-{run.id}"), st.container(horizontal=True, vertical_alignment="top"):
        with st.container(width=TILE_PX, gap="small", key=f"small-{run.id}"):
            output = labelled.first(run)
            if output is not None:
                result.draw_tile(rooms.of(run.request.model), output, f"found-{run.id}-tile", session.jobs)
            else:
                st.caption("Failed." if run.error else "Nothing was made.")
        with st.container(width="stretch", gap="xsmall"):
            name = title(session, found)
            st.markdown(f"**{plain(f'{together(found)}: {name}' if many else name)}**")
            st.caption(plain(facts(session, found)))
            if found.tags or found.note:
                tags = " ".join(f":gray-badge[{plain(tag)}]" for tag in found.tags)
                st.markdown(" ".join(part for part in (tags, plain(labels.shorten(found.note, 80))) if part))
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                _draw_buttons(session, found, many)


def draw_table(session: Session, rows: Sequence[Found]) -> None:
    """Draw rows as a table: when, model, prompt, main settings, star and mark of each; no result is drawn."""
    with st.container(key="library-table", gap="xsmall"):
        with st.container(key="library-head"):
            for column, name in zip(st.columns(COLUMNS, gap="small"), HEAD, strict=True):
                column.caption(f"**{name}**")
        for found in rows:
            run, many = found.run, found.count > 1
            with st.container(key=f"line-{run.id}"):
                when, model, prompt, settings, marks = st.columns(COLUMNS, gap="small", vertical_alignment="center")
            when.caption(f"{datetime.fromtimestamp(run.created_at, labelled.zone()):%d %b %Y, %H:%M}")
            model.caption(plain(labels.model_name(session.catalog, run.request.model)))
            name = labels.shorten(title(session, found), TABLE_CHARS)
            prompt.button(
                plain(f"{together(found)}: {name}" if many else name), key=f"found-open-{run.id}", type="tertiary",
                on_click=library_state.open_run, args=(run.id, many),
                help="Shows it in full, with all that can be done with it.",
            )  # fmt: skip
            settings.caption(plain(_settings(session, found)) or "–")
            with marks, st.container(horizontal=True, gap="small"):
                _draw_marks(session, found)


def _settings(session: Session, found: Found) -> str:
    """Return seed and changed settings of a run, or how it ended; of several together nothing is said of one."""
    run = found.run
    if found.count > 1:
        return _STATUS.get(run.status, "")
    changed = labels.changed(session.catalog, run)
    acts = "seed" in run.stats.get("in_effect", {"seed": 0})
    rest = len(changed) - SETTINGS_MOST
    return " · ".join(part for part in (
        f"seed {run.request.seed}" if acts else "", *changed[:SETTINGS_MOST],
        f"{rest} more setting{'s' * (rest != 1)}" if rest > 0 else "", _STATUS.get(run.status, ""),
    ) if part)  # fmt: skip


def _draw_buttons(session: Session, found: Found, many: bool) -> None:
    run = found.run
    st.button(
        "Open", icon=":material/open_in_full:", key=f"found-open-{run.id}", on_click=library_state.open_run,
        args=(run.id, many), help="Shows it in full, with all that can be done with it.",
    )  # fmt: skip
    _draw_marks(session, found)


def _draw_marks(session: Session, found: Found) -> None:
    run, many = found.run, found.count > 1
    ids = library_state.row(session, found) if many else [run.id]
    held, every = set(library_state.marked()), f" all {len(ids):,}" if len(ids) > 1 else ""
    is_marked, is_starred = (
        held.issuperset(ids),
        found.starred and (not every or library_state.all_starred(session, found)),
    )
    st.button(
        f"{STARRED if is_starred else 'Star'}{every}", key=f"found-star-{run.id}", type="tertiary",
        icon=None if is_starred else ":material/star:",
        on_click=library_state.star, args=(session, ids, not is_starred),
        help=f"Takes the star away{f' from{every}' if every else ''}." if is_starred
        else "What has a star is found by it, and cleared last.",
    )  # fmt: skip
    st.button(
        f"{'Marked' if is_marked else 'Mark'}{every}", key=f"found-mark-{run.id}", type="tertiary",
        icon=":material/check_box:" if is_marked else ":material/check_box_outline_blank:",
        on_click=library_state.mark, args=(ids,), help="Marked results can be compared, exported, deleted.",
    )  # fmt: skip
