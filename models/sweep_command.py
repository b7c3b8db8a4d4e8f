"""`python -m models sweep SPEC.json --out DIR`: a sweep from its file, into a folder that opens in a browser.

What was made before, here or on the pages, is taken from the store; so a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models import measuring, outfile, shell, sweep_folder
from models.errors import BadInput
from models.labels import shorten
from models.runtime import sweeping
from models.runtime.engine import LocalEngine, StopSignal
from models.runtime.forecasts import Rates
from models.store import Store
from models.sweep_making import Making
from models.sweeps import measured, whole
from models.sweeps import results as tables
from models.sweeps.cells import Plan, plan
from models.sweeps.results import Result
from models.sweeps.spec import FILE_MAX_BYTES, read
from models.types import Output

if TYPE_CHECKING:
    from models.settings import Settings

TOLD_MOST = 20  # effects in a shell; the JSON line and the page have all
_ALONE = ("prompt", "input", "param", "over", "value", "export")  # what a sweep's file says itself


def is_file(name: str) -> bool:
    """Say whether a command's first word names a sweep's file, and not a model."""
    return name.lower().endswith(".json")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Run the sweep that `options.model` names; return the exit code: 1 where a cell failed, 130 where it was stopped.

    Raises `BadInput` and `BadParam` before anything runs.
    """
    if given := [f"--{name}" for name in _ALONE if getattr(options, name)]:
        raise BadInput(f"{given[0]} does not go with a sweep's file, which says it. Change the file instead.")
    engine, sweep, folder = _planned(options, settings)
    catalog, store, rates = engine.catalog, Store(settings), Rates(settings.data_dir / "rates.json")
    making = Making(engine, settings, store, rates, sweep, options.budget_s)
    cells = making.cells
    for sentence in (*sweep.said, sweeping.cost(catalog, sweep, making.kept, rates).words):
        shell.tell(sentence)
    if options.budget_s is not None and making.kept < len(cells):
        shell.tell(
            f"The {options.budget_s:g} s begin when the first cell is made: libraries and model are loaded before it."
        )

    def read_file(output: Output) -> bytes:
        return output.data or store.get_bytes(output.sha256)

    stop, stopping = StopSignal(), [False]

    def ask() -> bool:
        stop.request()
        stopping[0] = True
        return True

    shell.on_interrupt(ask)
    begun, made = time.monotonic(), dict[int, Result]()
    for result in making.results(stop):
        made[result.cell.number] = sweep_folder.save_cell(
            sweep_folder.loaded(result, lambda one: store.get_bytes(one.sha256)), catalog, sweep, folder
        )
        shell.show(f"{len(made)} of {len(cells)} cells")
    shell.show("")
    seen = whole.measure(
        catalog, settings, store, sweep, made, read_file, measuring.here,
        said=lambda known, wanted: shell.show(f"measured {known:,} of {wanted:,} values"),
    )  # fmt: skip
    shell.show("")
    sweep_folder.save_tables(folder, catalog, sweep, made, seen.columns, seen.told)
    drawn = sweep_folder.save_sheets(folder, catalog, sweep, made, read_file, settings, options.sheets)
    counts = {state: sum(one.state == state for one in made.values())
              for state in ("computed", "cached", "failed", "stopped")}  # fmt: skip
    told = {
        "cells": len(sweep.cells), "distinct": len(cells), **counts, "waiting": len(cells) - len(made),
        "seconds": round(time.monotonic() - begun, 3), "out": str(folder),
        "sheets": drawn,
        "rows": tables.rows(sweep, made, seen.columns) if options.full else len(sweep.cells),
        "effects": [one.to_plain() for one in seen.told],
    }  # fmt: skip
    if not options.json:
        for sentence in _words(seen.told):
            shell.say(sentence)
        shell.say(_summary(counts, len(cells) - len(made), folder))
    shell.say(json.dumps(told, ensure_ascii=True))
    return shell.INTERRUPTED if stopping[0] else shell.FAILED if counts["failed"] else 0


def _planned(options: argparse.Namespace, settings: Settings) -> tuple[LocalEngine, Plan, Path]:
    file = Path(options.model)
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"The file {file} cannot be read ({error.strerror}).") from error
    sweep = read(data, str(file))
    if not options.out:
        raise BadInput("--out is missing: name the folder that the sweep's results go into.")
    folder = Path(options.out)
    try:
        taken = folder.exists() and not folder.is_dir()
    except OSError as error:  # a name that no disk takes
        raise BadInput(f"--out: the folder {shorten(str(folder), 60)} cannot be made ({error.strerror}).") from error
    if taken:
        raise BadInput(f"--out: {folder} is a file. Name a folder for the sweep's results.")
    if options.budget_s is not None and not 0 < options.budget_s < math.inf:
        raise BadInput(f"--budget-s is {options.budget_s:g}; it must be a number of seconds above 0.")
    engine = LocalEngine(settings)
    found = plan(engine.catalog, sweep)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out: the folder {folder} cannot be made ({error.strerror}).") from error
    outfile.check_target(folder / "cells.csv")
    return engine, found, folder


def _words(told: Sequence[measured.Told]) -> list[str]:
    """Return a sentence for each effect that is told: the real ones, else what keeps one from telling."""
    real = [one.words for one in told if one.effect.verdict == "real"]
    others = {one.verdict if one.effect.verdict == "few" else "within seed noise, or not told from chance"
              for one in told if one.effect.verdict != "real"}  # fmt: skip
    if not told:
        return []
    if real:
        left = len(told) - len(real)
        return [*real[:TOLD_MOST], *([f"and {len(real) - TOLD_MOST} more"] if len(real) > TOLD_MOST else []),
                *([f"{left} other steps: {'; '.join(sorted(others))}"] if left else [])]  # fmt: skip
    return [f"All {len(told)} steps of the axes: {'; '.join(sorted(others))}"]


def _summary(counts: Mapping[str, int], waiting: int, folder: Path) -> str:
    parts = [f"{many} {name}" for name, many in ({**counts, "not made": waiting}).items() if many]
    return f"{', '.join(parts) or 'nothing to do'}: open {folder / 'index.html'}"
