"""A job of several pictures, or one that looks into a picture, while it lives: what it does, how far, Stop, Skip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import streamlit as st

from components.words import plain
from models.engine import EngineState
from models.jobs import Jobs, JobView
from models.types import Output, Request, Run

POLL_S = 0.3
_STEPS = {"denoise": "step", "generate": "step", "decode": "picture"}


def follow(jobs: Jobs, owner: str, job_id: str, draw: Callable[[JobView], None]) -> None:
    """Draw a living job every `POLL_S` seconds; when it ends, the whole page is drawn once."""
    st.fragment(_follow, run_every=POLL_S)(jobs, owner, job_id, draw)


def _follow(jobs: Jobs, owner: str, job_id: str, draw: Callable[[JobView], None]) -> None:
    view = jobs.view(owner, job_id)
    if view is None or view.finished:
        st.rerun()
        return
    draw(view)


def draw_line(jobs: Jobs, owner: str, view: JobView, doing: str, key: str, *, skip: str = "") -> None:
    """Draw how far a living job is, Stop, and Skip where `skip` says what it leaves."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share(view), text=plain(words(view, doing, jobs.engine.state(), time.time())))
        if skip:
            st.button(
                "Skip", icon=":material/skip_next:", key=f"skip-{key}", disabled=view.state != "running", help=skip,
                on_click=jobs.skip, args=(owner, view.id),
            )  # fmt: skip
        forced = view.stopping and view.progress is not None and view.progress.stage == "load"
        st.button(
            "Force" if forced else "Stopping…" if view.stopping else "Stop",
            icon=":material/stop_circle:", key=f"stop-{key}", disabled=view.stopping and not forced,
            help="Force: ends the worker process and unloads all models." if forced else "Keep what is there and end.",
            on_click=jobs.stop, args=(owner, view.id),
        )  # fmt: skip


def words(view: JobView, doing: str, engine: EngineState, now: float) -> str:
    """Say what happens and for how long: "Frame 3 of 8 · step 7 of 20 · 1.2 s"."""
    if view.state == "queued":
        return f"Waiting in the queue, place {view.place} · {now - view.submitted_at:.0f} s"
    since = now - (view.started_at or view.submitted_at)
    progress = view.progress
    if engine.phase in ("starting", "warming") or (progress is not None and progress.stage == "warm-up"):
        return f"{doing} · warming up the models · {since:.0f} s"
    if progress is not None and progress.stage == "load":
        return f"{doing} · loading {progress.note} · {since:.0f} s"
    if progress is None or progress.stage not in _STEPS or not progress.total:
        return f"{doing} · {since:.1f} s"
    return f"{doing} · {_STEPS[progress.stage]} {progress.step} of {progress.total} · {since:.1f} s"


def share(view: JobView) -> float:
    """Return how much of the whole job is done, 0 … 1."""
    progress, part = view.progress, 0.0
    if progress is not None and progress.total and progress.stage in _STEPS:
        part = min(1.0, progress.step / progress.total)
    # the last decoding begins its count anew: what was denoised is not undone
    if progress is not None and progress.stage == "decode" and not view.requests[view.index].study:
        part = 1.0
    return min(1.0, (view.index + part) / len(view.requests))


def is_busy(jobs: Jobs, owner: str) -> bool:
    """Say whether a job of this session is under way."""
    return any(not view.finished for view in jobs.jobs_of(owner))


def picture_of(run: Run | None) -> Output | None:
    """Return the finished picture of a run, or None: a half-drawn one is no frame."""
    if run is None or run.status == "failed":
        return None
    found = [output for output in run.outputs if output.kind == "image" and "step" not in output.meta]
    return next((output for output in found if output.meta.get("finish") not in ("stopped", "skipped")), None)


def preview_of(view: JobView) -> Output | None:
    """Return the picture on its way, or None."""
    outputs = view.preview.outputs if view.preview is not None else ()
    return next((output for output in outputs if output.kind == "image" and output.data), None)


def runs_in_order(requests: Sequence[Request], runs: Sequence[Run]) -> list[Run | None]:
    """Return the run of each request, None where there is none: a job ends early, its runs keep their order."""
    return [*runs, *[None] * (len(requests) - len(runs))]


def draw_problems(runs: Sequence[Run]) -> None:
    """Say what went wrong in the runs of a job, each sentence once."""
    said = [run.error.get("message", "A run failed.") for run in runs if run.error]
    said += [f"This result was not kept: {run.stats['not_stored']}" for run in runs if run.stats.get("not_stored")]
    for sentence in dict.fromkeys(said):
        st.warning(plain(sentence), icon=":material/warning:")


def remember(run: Run, purpose: str, job_id: str, requests: Sequence[Request]) -> None:
    """Keep which job began at a run, so that its result is found under that run again."""
    st.session_state[_key(run, purpose)] = (job_id, [request.model_dump() for request in requests])


def recalled(jobs: Jobs, owner: str, run: Run, purpose: str) -> tuple[list[Request], list[Run]] | None:
    """Return the requests and the runs of the finished job that began at a run, or None."""
    job_id, requests = st.session_state.get(_key(run, purpose), ("", []))
    if not job_id:
        return None
    view = jobs.view(owner, job_id)
    if view is not None and not view.finished:
        return None
    runs = list(view.runs) if view is not None else jobs.store.runs(owner, job=job_id, limit=len(requests))[::-1]
    return [Request(**request) for request in requests], runs


def _key(run: Run, purpose: str) -> str:
    return f"{purpose}-from-{run.id}"
