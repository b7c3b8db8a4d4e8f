"""What pictures cost in the app: worker CPU seconds per step with previews, against the bare diffusers pipeline.

    python -m benchmarks.image --pairs 10

Each pair runs, in turn: the app (a real server; one websocket client draws pictures with its previews while it polls;
CPU time of the worker process) and a bare `StableDiffusionPipeline` in a process of its own, with the same steps,
guidance, scheduler, seeds and number of threads, each picture decoded. Prints CPU seconds per step, the app's speed
relative to bare (1: as quick), the share of previews in a run's time, and the wall time from pressing Run to the first
finished picture at 20 steps once the model is loaded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text

from benchmarks.overhead import cpu_s, through_bare
from benchmarks.streamlit_client import ROOT, Session, running_app, worker_of

STEPS = 50
PROMPT = "red heart"

BARE = """
import sys, time
from models import device
from models.settings import Settings
device.import_libraries(Settings())
device.set_threads(0, Settings())  # as the app does for a model of this size
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
folder, steps, prompt, guidance = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
pipeline.set_progress_bar_config(disable=True)
def draw(seed):
    pipeline(prompt, num_inference_steps=steps, guidance_scale=guidance, height=64, width=64,
        generator=torch.Generator().manual_seed(seed))
    return steps
draw(0)
for line in sys.stdin:
    before = time.process_time()
    count = sum(draw(int(seed)) for seed in line.split(","))
    print((time.process_time() - before) / count, flush=True)
"""


def through_app(session: Session, worker: psutil.Process, seeds: list[int]) -> float:
    """Draw one picture per seed in a session; return worker CPU seconds per step."""
    before = cpu_s(worker)
    for seed in seeds:
        press_again(session, seed)
    return (cpu_s(worker) - before) / (STEPS * len(seeds))


def press_again(session: Session, seed: int) -> float:
    """Press Again and wait for the picture of `seed`; return the seconds that it took."""
    started = time.monotonic()
    session.press("Next seed")
    return session.wait_for(lambda _: session.facts("steps").startswith(f"seed {seed} ")) - started


def preview_shares(data: Path) -> list[float]:
    """Return, of each stored run, the share of its time that went into previews."""
    with create_engine(f"sqlite:///{data / 'runs.sqlite'}").connect() as database:
        rows = database.execute(text("select record from runs")).scalars().all()
    records = [json.loads(row) if isinstance(row, str) else row for row in rows]
    stats = [one["stats"] for one in records]
    return [one["preview_s"] / one["seconds"] for one in stats if "preview_s" in one]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=4, help="pictures per measurement")
    parser.add_argument("--guidance", type=float, default=5.0)
    options = parser.parse_args()
    folder = str(ROOT / "models" / "embedded" / "emoji-diffusion")
    speeds: dict[str, list[float]] = {"app": [], "bare": []}
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        bare = subprocess.Popen(
            [sys.executable, "-c", BARE, folder, str(STEPS), PROMPT, str(options.guidance)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        query = f"model=emoji-diffusion&emoji-diffusion.guidance_scale={options.guidance}"
        with running_app(data) as (port, app):
            session = Session(port, f"{query}&emoji-diffusion.num_inference_steps={STEPS}", "image")
            worker = worker_of(app)
            press_again(session, 1)
            for pair in range(options.pairs):
                first = 2 + pair * options.pictures
                seeds = list(range(first, first + options.pictures))
                ways = [
                    ("app", lambda: through_app(session, worker, seeds)),
                    ("bare", lambda: through_bare(bare, seeds)),
                ]
                # every other pair in reverse, so that a drift of the machine favours nobody
                for way, measure in ways[:: -1 if pair % 2 else 1]:
                    speeds[way].append(measure())
                told = "  ".join(f"{way} {1e3 * found[-1]:.2f} ms" for way, found in speeds.items())
                print(f"pair {pair + 1}: {told}", flush=True)
            session.close()
            short = Session(port, f"{query}&emoji-diffusion.num_inference_steps=20", "image")
            warm = [press_again(short, seed) for seed in range(1, 11)]
            short.close()
        bare.communicate(timeout=10)
        shares = preview_shares(data)
    for way, found in speeds.items():
        relative = [one / other for one, other in zip(speeds["bare"], found, strict=True)]
        print(
            f"{way:6} {1e3 * statistics.median(found):.2f} ms CPU per step; speed relative to bare: "
            f"median {statistics.median(relative):.3f}, {min(relative):.3f} to {max(relative):.3f}"
        )
    print(f"previews: median {statistics.median(shares):.1%} of a run's time, at most {max(shares):.1%}")
    print(f"warm, Run to the first picture at 20 steps: median {statistics.median(warm):.2f} s, "
          f"{min(warm):.2f} to {max(warm):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
