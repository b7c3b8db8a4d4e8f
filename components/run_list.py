"""What this owner made before: one row a run, each can be looked at, run again and downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from components import result, rooms
from components.escape import plain
from models.errors import PlaygroundError
from models.types import Run

if TYPE_CHECKING:
    from components.desk import Desk

SHOWN = 20
READ = 200  # a walk alone has up to 16 runs
MARKS = {"stopped": "stopped · ", "failed": "failed · "}


def draw(desk: Desk, shown: str) -> None:
    """Draw the owner's runs of a room, the newest first, but for those of the job `shown` above."""
    try:
        found = desk.session.jobs.store.runs(desk.session.owner, limit=READ)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    runs = [run for run in found if rooms.of(run.request.model).id == desk.room.id and not run.request.study]
    if all(run.job == shown for run in runs):
        st.caption("Your results gather here, newest first. Nothing is lost when you run again.")
    (desk.room.earlier or draw_rows)(desk, runs, shown)


def draw_rows(desk: Desk, runs: Sequence[Run], shown: str) -> None:
    """Draw one row a run, to be opened."""
    for run in [run for run in runs if run.job != shown][:SHOWN]:
        with st.expander(title(run)):
            draw_run(desk, run)


def draw_run(desk: Desk, run: Run) -> None:
    """Draw an earlier run, and the button that sets the page to it."""
    result.draw(desk, run, key=f"run-{run.id}")
    st.button(
        "Use these settings", icon=":material/tune:", key=f"restore-{run.id}", on_click=desk.restore,
        args=(run.request,), help="Set prompt, settings and seed to those of this run.",
    )  # fmt: skip


def title(run: Run) -> str:
    """Return one line for a run: how it ended if not well, then what its room says of it. Plain text for markdown."""
    line = rooms.of(run.request.model).line or seed_line
    return f"{MARKS.get(run.status, '')}{line(run)}"


def seed_line(run: Run) -> str:
    """Return a run's seed and its words: those that it was given."""
    words = " ".join(run.request.inputs.get("prompt", "").split())[:90]
    return f"seed {run.request.seed} · {plain(words)}"
