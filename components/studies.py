"""Short jobs that look into a finished run: asked for once, found again at every draw."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from components import job_panel, result, state
from components.escape import plain
from components.session import Session
from models.errors import PlaygroundError
from models.events import count_words
from models.runtime.job_view import JobView
from models.types import STUDY, Output, Request, Run

_ASKED: state.Slot[dict[str, str]] = state.slot("studies-asked", {})  # jobs by study
_FOUND: state.Slot[dict[str, Run]] = state.slot("studies-found", {})
POLL_S = 0.3
KEPT = 12  # studies whose outputs a session holds; older ones are asked for again


def study(session: Session, run: Run, request: Request, name: str = "", *, load: bool = True) -> list[Output] | None:
    """Return the outputs of a study of `run`, with their bytes; ask for it if nobody did, and wait while it runs.

    `name` tells it from others of the same run; without one it is the request's own. `load` false leaves the bytes in
    the store, for those who read a part of them.
    None while it is on its way (how far is drawn, and the whole page once it ends) and where it failed, which is said.
    """
    found = made(session, run, request, name, load=load)
    return found.outputs if found is not None else None


def made(session: Session, run: Run, request: Request, name: str = "", *, load: bool = True) -> Run | None:
    """Return the whole run that a study is, as `study` does its outputs."""
    key = f"{run.id}-{name or request.study}"
    found = _FOUND.held()
    if key in found:
        return found[key]
    asked = _ASKED.held()
    view = session.jobs.view(session.owner, asked[key]) if key in asked else None
    if view is None:
        other = next((one for one in session.jobs.jobs_of(session.owner) if not one.finished), None)
        if other is not None:
            _wait(session, other.id, "Waiting for your other run to finish …")
            return None
        try:
            asked[key] = session.submit([request], STUDY)
        except PlaygroundError as error:
            st.warning(plain(error.message), icon=":material/warning:")
            return None
        _wait(session, asked[key])
        return None
    if not view.finished:
        _wait(session, view.id)
        return None
    done = view.runs[0] if view.runs else None
    if done is None or done.status != "done":
        message = (done.error or {}).get("message") if done is not None else None
        if done is not None and not message:
            message = " ".join(done.stats.get("notes", ()))
        st.warning(plain(message or "Stopped before the analysis was finished."), icon=":material/warning:")
        st.button("Try again", key=f"{key}-again", on_click=_forget, args=(key,))
        return None
    outputs = [
        Output(one.kind, one.index, one.text, result.stored(session.jobs, one) if load else b"", one.media_type,
               one.sha256, one.meta)
        for one in done.outputs
    ]  # fmt: skip
    found[key] = replace(done, outputs=outputs)
    for old in list(found)[:-KEPT]:
        del found[old]
        asked.pop(old, None)
    return found[key]


def _forget(key: str) -> None:
    _ASKED.held().pop(key, None)


def _wait(session: Session, job_id: str, words: str = "") -> None:
    """Draw how far a job is, or `words`, until it ends; then the whole page once."""
    st.fragment(_look, run_every=POLL_S)(session, job_id, words)


def _look(session: Session, job_id: str, words: str) -> None:
    view = session.jobs.view(session.owner, job_id)
    if view is None or view.finished:
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(words or _words(view))
        if not words:
            st.button(
                "Stopping…" if view.stopping else "Stop", icon=":material/stop_circle:",
                key=state.key(job_panel.stop_key(job_id), "look"),  # the panel above may have one of this job, too
                disabled=view.stopping, on_click=session.jobs.stop, args=(session.owner, job_id),
            )  # fmt: skip


def _words(view: JobView) -> str:
    progress = view.progress
    if progress is None or not progress.total:
        return "Analysing …"
    return f"Analysing: {count_words(progress)}"
