"""A job while it lives: its place in the queue, loading, text as it comes, speed, Stop."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from components import guide, result, rooms, state
from components.session import Session
from models.amounts import size, span
from models.events import RESTING, Progress, count_words, is_stepping, share
from models.runtime.engine import EngineState
from models.runtime.job_view import JobView

POLL_S = 0.3
QUEUE_POLL_S = 1.0  # while nothing but a place in the queue can change
FAR_POLL_S = 4.0  # at the end of a long queue: fifty pages that look every second leave no time to draw one
_ENDS = {
    "done": ":material/check_circle: Done", "stopped": ":material/stop_circle: Stopped",
    "failed": ":material/error: Failed",
}  # fmt: skip
ROW_PX = 40  # a button's height
_REFUSED = state.slot("run-refused-for", "")  # a job
RECENT = 8  # runs of a job from which the rest is forecast
WARM_UP_S = 12  # what importing the libraries takes on two weak cores


Show = Callable[[JobView], None]


def busy(session: Session) -> bool:
    """Say whether a run of this owner is under way; the page then says which one a press had to wait for."""
    under_way = next((view for view in session.jobs.jobs_of(session.owner) if not view.finished), None)
    _REFUSED.set(under_way.id if under_way is not None else "")
    return under_way is not None


def refused_for() -> str:
    """Return the job for which the last press of Run was refused, "" for none; it may be over by now."""
    return _REFUSED.get()


def stop_key(job_id: str) -> str:
    """Return the key of the button that stops a job, wherever it is drawn."""
    return state.key("stop", job_id)


def draw(session: Session, job_id: str, show: Show | None = None, *, first: bool = False) -> None:
    """Draw a living job, looking again every `POLL_S` seconds; when it begins or ends, the whole page is drawn once.

    `show` draws what there is so far, above the progress, or below it where that comes `first`; without it, that is
    drawn below as a result is.
    """
    view = session.jobs.view(session.owner, job_id)
    poll_s = every_s(view)
    st.fragment(_draw, run_every=poll_s)(session, job_id, poll_s, show, first)


def every_s(view: JobView | None) -> float:
    """Return after how many seconds a job is looked at again: in a queue the later, the more are before it."""
    if view is None or view.state != "queued":
        return POLL_S
    return min(FAR_POLL_S, max(QUEUE_POLL_S, view.place / 4))


def _draw(session: Session, job_id: str, poll_s: float, show: Show | None, first: bool = False) -> None:
    view = session.jobs.view(session.owner, job_id)
    # a fragment keeps its pace until the page is drawn: once when it begins, and where it should look twice as often
    if view is None or view.finished or every_s(view) <= poll_s / 2:
        st.rerun()
        return
    guide.say(view)
    if show is not None and not first:
        show(view)
        _draw_progress(session, view)
        return
    _draw_progress(session, view)
    (show or _draw_so_far)(view)


def _draw_so_far(view: JobView) -> None:
    if view.preview is not None:
        result.draw_outputs(None, view.preview.outputs, view.id, live=True, request=view.requests[view.index])
    else:
        result.draw_waiting(view.requests[view.index], view.id)


def _draw_progress(session: Session, view: JobView) -> None:
    job_id = view.id
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share(view.progress), text=words(view, session.jobs.engine.state(), time.time()))
        forced = view.stopping and view.progress is not None and view.progress.stage == "load"
        if _more_to_come(view):
            st.button(
                "Skip", icon=":material/skip_next:", key=f"skip-{job_id}", on_click=session.jobs.skip,
                args=(session.owner, job_id),
                help="Skips what is being made now, keeps what is finished, continues with the next.",
            )  # fmt: skip
        st.button(
            "Force" if forced else "Stopping…" if view.stopping else "Stop",
            icon=":material/stop_circle:", key=stop_key(job_id), disabled=view.stopping and not forced,
            help="Force: ends the worker process and unloads all models." if forced
            else "Stops now; finished parts are kept.",
            on_click=session.jobs.stop, args=(session.owner, job_id),
        )  # fmt: skip


def draw_end(view: JobView) -> None:
    """Draw how a job ended on a line as high as the one of its progress, so that the result below does not move."""
    with st.container(height=ROW_PX, border=False, vertical_alignment="center"):
        seconds = f" in {view.finished_at - view.started_at:.1f} s" if view.finished_at and view.started_at else ""
        aside = sum(float(run.stats.get("aside_s") or 0) for run in view.runs)
        st.caption(f"{_ENDS[view.state]}{seconds}{f', {aside:.1f} s of it set aside' if aside else ''}")


def words(view: JobView, engine: EngineState, now: float) -> str:
    """Say what happens and for how long: "38 of 160 tokens · 210 tokens/s · about 1 s left"."""
    if view.state == "queued":
        return f"Waiting in the queue, place {view.place} · {now - view.submitted_at:.0f} s"
    since = now - (view.request_started_at or view.submitted_at)
    progress, named = view.progress, rooms.of(view.requests[view.index].model).words
    if engine.phase in ("starting", "warming") or (progress is not None and progress.stage == "warm-up"):
        return f"Starting: loading the libraries, about {WARM_UP_S} s · {since:.0f} s"
    if progress is None or progress.stage == "start":
        return f"Starting · {since:.0f} s"
    if progress.stage == "load":
        hint = " · Force unloads all models" if view.stopping else ""
        return f"Loading {progress.note} ({size(progress.total)}) · {since:.0f} s{hint}"
    many = len(view.requests) > 1
    which = f"run {view.index + 1} of {len(view.requests)}{_whole(view, now)} · " if many else ""
    if progress.stage == "prompt":
        count = f" ({progress.total:,} {progress.unit})" if progress.total else ""
        return f"{which}Reading the prompt{count} · {since:.1f} s"
    if progress.stage == RESTING:
        done = f" · {count_words(progress)} done" if progress.total else ""
        return f"Set aside for a shorter run of somebody else, goes on after it{done} · {since:.0f} s"
    if progress.stage == "decode":
        return f"{which}Decoding latents to {named.decoded} · {since:.1f} s"
    done = which + (count_words(progress) or "Working")
    if not (view.steps_per_s and is_stepping(progress)):
        return f"{done} · {since:.1f} s"
    speed = _speed(view.steps_per_s, progress)
    left = (progress.total - progress.step) / view.steps_per_s
    if progress.unit == named.counted:  # it may end before its length is used up
        return f"{done}{speed} · {since:.1f} s · at most {max(1, left):.0f} s left{' for this run' if many else ''}"
    rest = " for this run" if many else named.rest if _more_to_come(view) else ""
    about = span(left) if left >= 10 else f"{left:.1f} s"
    return f"{done}{speed} · {since:.1f} s · about {about} left{rest}"


def _whole(view: JobView, now: float) -> str:
    """Say how long all of a job's runs take from here, once one told how long it takes; loading is not counted."""
    told = [run.stats for run in view.runs[-RECENT:] if run.stats.get("seconds")]
    took = [max(0.0, one["seconds"] - (one.get("load_s") or 0.0)) / (one.get("together") or 1) for one in told]
    if not took:
        return ""
    since = now - (view.request_started_at or now)
    left = sum(took) / len(took) * (len(view.requests) - len(view.runs)) - since
    return f", about {max(1.0, left):,.0f} s left for all"


def _speed(per_s: float, progress: Progress) -> str:
    """Say a speed so that a slow one is not "0 steps/s": "9 steps/s", "2.5 s per step"; a percentage has none."""
    if progress.unit == "%":
        return ""
    one = progress.unit.removesuffix("s")
    return f" · {per_s:,.0f} {progress.unit}/s" if per_s >= 3 else f" · {1 / per_s:,.1f} s per {one}"


def _more_to_come(view: JobView) -> bool:
    """Say whether Skip has something to go on with: more requests, or more of this one."""
    if view.state != "running" or view.stopping:
        return False
    request = view.requests[view.index]
    return rooms.of(request.model).skips(request, len(view.requests) - view.index - 1)
