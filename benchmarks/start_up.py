"""From starting the app to the first token of a story, against the bare import and load.

    python -m benchmarks.start_up --rounds 5

The app: `streamlit run` until a scripted client, which opens the Text page and presses Run at once, sees the first
text. Bare: a process that imports torch and transformers, loads the model and draws one token. Prints both medians in
seconds and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.streamlit_client import ROOT, Session, running_app

BARE = """
from models.torchaudio_guard import guard
import torch
guard()
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("models/embedded/story-gpt")
model = AutoModelForCausalLM.from_pretrained("models/embedded/story-gpt", dtype=torch.float32).eval()
"""


def bare_s() -> float:
    """Return the seconds of the bare import and load."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", BARE], cwd=ROOT, check=True)
    return time.monotonic() - started


def app_s() -> tuple[float, float]:
    """Return the seconds from spawning the app, and from its being reachable, to the first text that a client sees."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        with running_app(Path(folder)) as (port, _):
            reachable = time.monotonic()
            session = Session(port, "", "text")
            session.press("Run")
            seen = session.wait_for(lambda _: session.story() != "")
            session.close()
        return seen - started, seen - reachable


def main() -> None:
    """Measure in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bare, app = [], []
    for turn in range(options.rounds):
        bare.append(bare_s())
        app.append(app_s())
        print(f"round {turn + 1}: bare {bare[-1]:.2f} s, app {app[-1][0]:.2f} s ({app[-1][1]:.2f} s since reachable)")
    whole = statistics.median(one for one, _ in app)
    print(
        f"median: bare import and load {statistics.median(bare):.2f} s; app, spawn to first token {whole:.2f} s; "
        f"ratio {whole / statistics.median(bare):.2f}"
    )


if __name__ == "__main__":
    main()
