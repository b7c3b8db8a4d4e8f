"""Short jobs that look into a finished picture: asked for once, found again at every draw."""

from __future__ import annotations

import time

import streamlit as st

from components import result
from components.words import plain
from models.errors import PlaygroundError
from models.jobs import Jobs, JobView
from models.types import Output, Request, Run

_ASKED, _FOUND = "studies-asked", "studies-found"
POLL_S = 0.3


def study(jobs: Jobs, owner: str, run: Run, request: Request) -> list[Output] | None:
    """Return the outputs of a study of `run`, with their bytes; ask for it if nobody did, and wait while it runs.

    None while it is on its way (the fragment around this draws again) and where it failed, which is said.
    """
    key = f"{run.id}-{request.study}"
    found: dict[str, list[Output]] = st.session_state.setdefault(_FOUND, {})
    if key in found:
        return found[key]
    asked: dict[str, str] = st.session_state.setdefault(_ASKED, {})
    view = jobs.view(owner, asked[key]) if key in asked else None
    if view is None:
        if any(not one.finished for one in jobs.jobs_of(owner)):
            st.caption("Another run of yours is under way; this waits for it.")
            _again_soon()
            return None
        try:
            asked[key] = jobs.submit(owner, [request], "study")
        except PlaygroundError as error:
            st.warning(plain(error.message), icon=":material/warning:")
            return None
        _again_soon()
        return None
    if not view.finished:
        st.caption(_words(view))
        _again_soon()
        return None
    done = view.runs[0] if view.runs else None
    if done is None or done.status != "done":
        message = (done.error or {}).get("message") if done is not None else None
        st.warning(plain(message or "This was stopped before it was done."), icon=":material/warning:")
        if st.button("Try again", key=f"{key}-again"):
            del asked[key]
            st.rerun(scope="fragment")
        return None
    outputs = [Output(one.kind, one.index, one.text, result.stored(jobs, one), one.media_type, one.sha256, one.meta)
               for one in done.outputs]  # fmt: skip
    found[key] = outputs
    return outputs


def _words(view: JobView) -> str:
    progress = view.progress
    if progress is None or not progress.total:
        return "Looking into it …"
    return f"Looking into it: {progress.step} of {progress.total}"


def _again_soon() -> None:
    """Draw the fragment around this once more in a moment."""
    st.session_state["studies-wait"] = True


def waited() -> bool:
    """Say whether a study of this draw is still on its way, and forget it."""
    return bool(st.session_state.pop("studies-wait", False))


def redraw() -> None:
    """Wait a moment and draw the fragment again. Only inside of a fragment run."""
    time.sleep(POLL_S)
    st.rerun(scope="fragment")
