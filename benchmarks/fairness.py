"""How long a newcomer waits behind greedy visitors: the mark is a first word within 20 s.

    python -m benchmarks.fairness --tabs 22

Starts the app's jobs with a real worker and lets `tabs` visitors each ask for the largest picture job of
image/emoji-diffusion (8 images of 128 × 128 px, 100 Heun steps); none is refused for its length. Some seconds into the
first one a newcomer asks for a story of text/story-gpt. Prints when the newcomer's story began, showed its first word
and ended, as seconds after they asked, for visitors of many addresses, for tabs of one owner, and for owners of one
address.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from models.catalog import current_catalog
from models.errors import QueueFull
from models.runtime import forecasts
from models.runtime.jobs import Jobs
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings
from models.store import Store
from models.types import Request

LARGEST = {
    "num_images": 8, "num_inference_steps": 100, "width": 128, "height": 128, "scheduler": "HeunDiscreteScheduler",
}  # fmt: skip
INTO_S = 5.0  # how far the first picture job is when the newcomer comes
CASES: dict[str, Callable[[int], tuple[str, str]]] = {
    "owners of as many addresses": lambda tab: (f"owner-{tab}", f"192.0.2.{tab}"),
    "tabs of one owner": lambda tab: ("greedy", "192.0.2.1"),
    "owners of one address": lambda tab: (f"owner-{tab}", "192.0.2.1"),
}


def picture(seed: int) -> Request:
    """Return the largest picture job."""
    return Request(model="image/emoji-diffusion", inputs={"prompt": "red heart"}, params=LARGEST, seed=seed)


def start(folder: Path) -> Jobs:
    """Start what the app starts, without its pages."""
    settings = Settings(data_dir=folder, run_budget_s=1e6)

    def catalog() -> forecasts.Catalog:
        return current_catalog(settings)

    return Jobs(
        WorkerEngine(settings), Store(settings), settings, lambda request: catalog().validate(request),
        weigh=lambda request: forecasts.work_of(catalog(), request),
    )  # fmt: skip


def run(jobs: Jobs, owner: str, request: Request) -> float:
    """Run a request to its end and return the seconds that it took."""
    begun = time.monotonic()
    job = jobs.submit(owner, [request])
    wait(jobs, owner, job, lambda view: view.finished)
    return time.monotonic() - begun


def wait(jobs: Jobs, owner: str, job: str, reached: Callable[..., bool]) -> None:
    """Wait until a job's view says so."""
    while (view := jobs.view(owner, job)) is not None and not reached(view):
        time.sleep(0.02)


def measure(jobs: Jobs, tabs: int, who: Callable[[int], tuple[str, str]], case: str) -> None:
    """Let the greedy in, then the newcomer, and print how long they waited."""
    taken, refused = [], 0
    for tab in range(tabs):
        owner, client = who(tab)
        jobs.attend(owner, f"session-{tab}", client)
        try:
            taken.append((owner, jobs.submit(owner, [picture(tab)])))
        except QueueFull:
            refused += 1
    first = taken[0]
    wait(jobs, *first, lambda view: view.preview is not None)
    time.sleep(INTO_S)
    jobs.attend("newcomer", "session-new", "198.51.100.7")
    asked = time.monotonic()
    story = Request(model="text/story-gpt", inputs={"prompt": "Once upon a time"}, seed=1)
    job = jobs.submit("newcomer", [story])
    times = []
    for reached in (
        lambda view: view.state != "queued" and view.progress is not None,
        lambda view: view.preview is not None or view.finished,
        lambda view: view.finished,
    ):
        wait(jobs, "newcomer", job, reached)
        times.append(time.monotonic() - asked)
    print(
        f"{tabs} {case}: {len(taken)} picture jobs taken, {refused} refused; the newcomer's story began after "
        f"{times[0]:.1f} s, showed a word after {times[1]:.1f} s, ended after {times[2]:.1f} s", flush=True,
    )  # fmt: skip
    for owner, one in reversed(taken):
        jobs.stop(owner, one)
    for owner, one in taken:
        wait(jobs, owner, one, lambda view: view.finished)


def main() -> None:
    """Measure the three cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabs", type=int, default=22)
    parser.add_argument("--whole", action="store_true", help="draw one largest picture job to its end first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = start(Path(folder))
        try:
            warm = Request(model="image/emoji-diffusion", inputs={"prompt": "red heart"})
            print(f"warm-up and one usual picture: {run(jobs, 'warm', warm):.1f} s", flush=True)
            print(f"the largest picture job is forecast to take {jobs.forecast(picture(0)):.0f} s", flush=True)
            if options.whole:
                print(f"the largest picture job took {run(jobs, 'warm', picture(0)):.0f} s", flush=True)
            for case, who in CASES.items():
                measure(jobs, options.tabs, who, case)
        finally:
            jobs.close(5.0)
            jobs.engine.close()


if __name__ == "__main__":
    main()
