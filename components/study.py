"""Short jobs that look into a finished run: begun when their result is first wanted, found again later."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import streamlit as st

from components import live
from components.words import plain
from models.errors import PlaygroundError
from models.jobs import Jobs, JobView
from models.types import Request, Run

LOOK_BACK = 100  # runs of the session among which an earlier result is looked for


def result(jobs: Jobs, owner: str, request: Request, key: str, *, doing: str) -> Run | None:
    """Return the finished run of a study. Where there is none yet, begin it, or draw how far it is, and return None.

    `doing` says what the job does ("Decoding the kept steps"). What was stopped or failed is begun again on a press
    alone.
    """
    wanted = request.canonical()
    kept = f"study-{wanted}"
    job_id = st.session_state.get(kept, "")
    living, done = _look(jobs, owner, wanted, job_id)
    if done is not None:
        return done
    if living is None and not job_id:
        try:
            job_id = st.session_state[kept] = jobs.submit(owner, [request], purpose="study")
        except PlaygroundError as error:
            st.warning(plain(error.message), icon=":material/warning:")
            return None
        living = jobs.view(owner, job_id)
    if living is not None:
        live.follow(jobs, owner, living.id, partial(_draw, jobs, owner, doing, key))
        return None
    st.warning(plain(_why(jobs, owner, job_id)), icon=":material/warning:")
    st.button("Try again", icon=":material/refresh:", key=f"again-{key}", on_click=_forget, args=(kept,))
    return None


def _draw(jobs: Jobs, owner: str, doing: str, key: str, view: JobView) -> None:
    live.draw_line(jobs, owner, view, doing, key)


def _look(jobs: Jobs, owner: str, wanted: str, job_id: str) -> tuple[JobView | None, Run | None]:
    """Return the study's job while it lives, or its finished run: from the jobs at hand, else from the store."""
    views = [view for view in jobs.jobs_of(owner) if view.requests[0].canonical() == wanted]
    living = next((view for view in views if not view.finished), None)
    runs = [run for view in views for run in view.runs]
    if living is None and not runs:
        # the store is asked for a known job, or, once, whether an earlier page began it
        with suppress(PlaygroundError):
            found = jobs.store.runs(owner, job=job_id or None, limit=1 if job_id else LOOK_BACK)
            runs = [run for run in found if run.request.study and run.request.canonical() == wanted]
    return living, next((run for run in runs if run.status == "done" and run.outputs), None)


def _why(jobs: Jobs, owner: str, job_id: str) -> str:
    view = jobs.view(owner, job_id)
    runs = list(view.runs) if view is not None else []
    if view is None:
        with suppress(PlaygroundError):
            runs = jobs.store.runs(owner, job=job_id, limit=1)
    error = next((run.error for run in runs if run.error), None) or (view.error if view is not None else None)
    return str(error.get("message", "It failed.")) if error else "It was stopped before its end."


def _forget(kept: str) -> None:
    st.session_state.pop(kept, None)
