"""What a sweep costs: its cells made at once against single runs, and how long until the first is there.

    python -m benchmarks.sweep --cells 8 64 --pictures 16 --rounds 3 --json sweep.json

In one process, on a loaded model: the same requests one by one (`LocalEngine.generate`) and as a sweep makes them
(`models.runtime.sweeping`), in alternating rounds. CPU seconds, since the machine's own load hardly changes them; their
ratio; the seconds until the first cell is there; how many cells of the last round were made again alone; and whether
every result is the same, byte for byte (the logits beside it may differ in their last digit). `--every-stage` switches
all sampling stages on that read no words.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from models.runtime import sweeping
from models.runtime.engine import LocalEngine
from models.runtime.together import how_many
from models.sweeps.cells import Cell
from models.types import ASIDE, Request

TEXTS = ("text/story-gpt", "text/story-lstm")
PICTURES = "image/emoji-diffusion"
EVERY_STAGE = {
    "temperature": 0.9, "top_p": 0.9, "top_k": 100, "min_p": 0.01, "typical_p": 0.95, "top_n_sigma": 3.0,
    "xtc_probability": 0.2, "repetition_penalty": 1.1, "no_repeat_ngram_size": 4, "frequency_penalty": 0.1,
    "presence_penalty": 0.1, "dry_multiplier": 0.8, "mirostat_tau": 5.0,
}  # fmt: skip


def measure(engine: LocalEngine, requests: Sequence[Request], rounds: int) -> dict[str, Any]:
    """Return CPU seconds of single runs and of the sweep, as medians, their ratio, and seconds to the first cell."""
    cells = [Cell(number, (number,), request, number) for number, request in enumerate(requests)]
    list(engine.generate(requests[0]))  # loads the model
    alone, swept, first = [], [], []
    same = True
    for _ in range(rounds):
        begun = time.process_time()
        single = [[event for event in engine.generate(request) if event.kind == "final"][-1] for request in requests]
        alone.append(time.process_time() - begun)
        begun, at = time.process_time(), time.monotonic()
        made: dict[int, Any] = {}
        for one in sweeping.run(engine, cells, group=partial(how_many, engine.catalog)):
            first += [time.monotonic() - at] if not made else []
            made[one.cell.number] = one.run
        swept.append(time.process_time() - begun)
        same &= all(
            [one.data for one in final.outputs if one.kind not in ASIDE]
            == [one.data for one in made[number].outputs if one.kind not in ASIDE]
            for number, final in enumerate(single)
        )
    return {
        "cells": len(requests), "single_cpu_s": round(statistics.median(alone), 2),
        "sweep_cpu_s": round(statistics.median(swept), 2),
        "ratio": round(statistics.median(a / b for a, b in zip(alone, swept, strict=True)), 2),
        "ratios": [round(a / b, 2) for a, b in zip(alone, swept, strict=True)],
        "first_cell_s": round(statistics.median(first), 2), "same_bytes": same,
        "made_again": sum(bool(run.stats.get("made_again")) for run in made.values()),
    }  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="*", default=[8, 64], help="text cells of a sweep")
    parser.add_argument("--pictures", type=int, default=16, help="cells of a sweep of pictures; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every-stage", action="store_true", help="8 text cells with all sampling stages on, too")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    engine, found = LocalEngine(), {}
    for model in TEXTS:
        inputs = {"prompt": "Once upon a time a small dragon"}
        for many in options.cells:
            requests = [Request(model=model, inputs=inputs, seed=seed) for seed in range(many)]
            found[f"{model}, {many} cells"] = measure(engine, requests, options.rounds)
        if options.every_stage:
            requests = [Request(model=model, inputs=inputs, params=EVERY_STAGE, seed=seed) for seed in range(8)]
            found[f"{model}, 8 cells, every stage"] = measure(engine, requests, options.rounds)
    if options.pictures:
        requests = [Request(model=PICTURES, inputs={"prompt": "red heart"}, seed=at) for at in range(options.pictures)]
        found[f"{PICTURES}, {options.pictures} cells"] = measure(engine, requests, options.rounds)
    for what, figures in found.items():
        print(f"{what:40}" + "  ".join(f"{name} {value}" for name, value in figures.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
