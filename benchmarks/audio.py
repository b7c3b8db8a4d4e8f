"""Seconds of sound for each second of computing, for every embedded model that makes sound.

    python -m benchmarks.audio --rounds 5

Runs each model in this process with its defaults, loaded, on as many threads as the app gives it. A tune counts with
its synthesis, a spoken number (twelve digits) with its phases. Prints median and range.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Request

DIGITS = "1 2 3 4 5 6 7 8 9 0 1 2"


def speed(engine: LocalEngine, model: str, seed: int) -> tuple[float, float]:
    """Return the seconds of sound per second, and the seconds that the run took."""
    prompt = DIGITS if "digits" in model else ""
    started = time.perf_counter()
    *_, final = engine.generate(Request(model=model, inputs={"prompt": prompt}, seed=seed))
    took = time.perf_counter() - started
    made = sum(float(output.meta["seconds"]) for output in final.outputs if output.kind == "audio")
    return made / took, took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = LocalEngine(Settings(data_dir=Path(folder)))
        for spec in engine.catalog.values():
            if spec.modality != "audio" or not spec.embedded or spec.family == "speech_to_text":
                continue
            speed(engine, spec.id, 0)  # loads
            found = [speed(engine, spec.id, seed) for seed in range(1, options.rounds + 1)]
            times = [one[0] for one in found]
            print(
                f"{spec.id:24} {statistics.median(times):.1f} × real time ({min(times):.1f} to {max(times):.1f}), "
                f"{statistics.median(one[1] for one in found):.2f} s a run"
            )
        engine.close()


if __name__ == "__main__":
    main()
