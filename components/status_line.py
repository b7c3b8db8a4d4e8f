"""One line at the foot of the sidebar: memory used of the budget, what is loaded, who waits."""

from __future__ import annotations

import time

import streamlit as st

from components.escape import plain
from models.amounts import size
from models.runtime.engine import EngineState
from models.runtime.jobs import Jobs

BUSY_S, IDLE_S = 3.0, 15.0
RESTART_S = 10.0  # a worker that ended is replaced within seconds


def draw(jobs: Jobs, *, busy: bool) -> None:
    """Draw the line; it looks again more often while something happens (`busy`, or the worker warms up)."""
    moving = busy or jobs.engine.state().phase != "ready"
    often = min(IDLE_S, max(BUSY_S, jobs.waiting() / 4))  # many pages share one server
    st.fragment(_draw, run_every=often if moving else IDLE_S)(jobs)


def _draw(jobs: Jobs) -> None:
    state = jobs.engine.state()
    st.caption(words(state, jobs.waiting()), help=_loaded(state))


def words(state: EngineState, waiting: int) -> str:
    """Say how the worker is: "8 MB of 1.2 GB · 1 model loaded · 2 waiting"."""
    waits = f"{waiting} waiting" if waiting else "nobody waiting"
    if state.phase in ("starting", "warming"):
        since = max(0.0, time.time() - state.since)
        return f":material/hourglass_top: Starting: loading the libraries, {since:.0f} s · {waits}"
    if state.phase == "stopped":
        if not state.problem and time.time() - state.since < RESTART_S:
            return f":material/restart_alt: The worker stopped; a new one is starting · {waits}"
        again = max(1.0, state.retry_at - time.time())
        why = plain(state.problem or "worker.log in the data folder says why.")
        return f":material/error: The worker does not start. {why} Tried again in {again:.0f} s · {waits}"
    tools = sum(bool(entry.get("tool")) for entry in state.loaded)
    count = len(state.loaded) - tools
    runs = "" if not tools else "1 tool runs · " if tools == 1 else f"{tools} tools run · "
    models = "no model" if not count else "1 model" if count == 1 else f"{count} models"
    return f":material/memory: {size(state.used_bytes)} of {size(state.budget_bytes)} · {models} loaded · {runs}{waits}"


def _loaded(state: EngineState) -> str | None:
    return "\n\n".join(f"{entry['model']}: {size(entry['bytes'])}" for entry in state.loaded) or None
