"""Help for those who do not see what changes: where the result begins, and a line that screen readers read out."""

from __future__ import annotations

import time

from components import frontend, state
from models.events import share
from models.runtime.job_view import JobView

_component = frontend.component("playground_guide", __file__)
_ENDS = {"done": "Done", "stopped": "Stopped", "failed": "Failed"}
QUARTERS = ("Started", "A quarter is done", "Half is done", "Three quarters are done")


def draw(view: JobView | None, place: str = "result", *, grid: str = "") -> None:
    """Mark where the result begins: a press of Run brings a narrow page there, and the focus once the job is over.

    In a "chat" the focus goes back to the box, where the next message is written. Where a `grid` follows (its
    name, another at each press), a wide page is brought there too, if it lies out of sight. A page that hears nothing
    of its living job for a while is drawn anew: Streamlit may drop what a run sent last, if a fragment begins at that
    moment.
    """
    ended = _ENDS[view.state] if view is not None and view.finished else ""
    said = f"{ended}. The result follows." if ended else ""
    job = view.id if view is not None else ""
    _component(key="result-anchor", data={
        "place": place, "job": f"{job} {grid}" if grid else job, "grid": bool(grid),
        "ended": ended or ("Done" if grid and not job else ""), "said": said, "beat": time.time(),
    }, on_late_change=lambda: None)  # fmt: skip


def draw_opened(name: str, grid: str, count: int) -> None:
    """Draw the name of what was opened from a `grid` (its key), with the way back; the page is brought there.

    `count` says how often something was opened from it: the page stays where it is while that does not rise.
    """
    _component(key=state.key(grid, "opened"), data={"place": "opened", "name": name, "of": grid, "count": count})


def say(view: JobView) -> None:
    """Have a living job's progress read out: that it began, and each quarter, once."""
    data = {
        "place": "progress", "job": "", "ended": "", "said": words(view), "of": view.id, "at": reached(view),
        "beat": time.time(),
    }  # fmt: skip
    _component(key=state.key("progress", view.id), data=data)


def words(view: JobView) -> str:
    """Return what is read out of a living job: "Waiting", "Started", "Half is done"."""
    if view.state == "queued":
        return f"Waiting, place {view.place}"
    many = f", run {view.index + 1} of {len(view.requests)}" if len(view.requests) > 1 else ""
    return QUARTERS[_quarter(view)] + many


def reached(view: JobView) -> int:
    """Return the quarters over all of a job's runs; what counts anew, such as the decoding behind them, is no start."""
    return -1 if view.state == "queued" else len(QUARTERS) * view.index + _quarter(view)


def _quarter(view: JobView) -> int:
    return min(3, int(4 * share(view.progress)))
