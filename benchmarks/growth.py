"""Whether the app's memory stays flat over many runs.

    python -m benchmarks.growth --runs 1000

Starts the app on 127.0.0.1 and runs one short text after another on the Text page, as a visitor who presses Run again
and again and reloads now and then (`benchmarks.streamlit_client`, no browser). Prints a table: memory that belongs to
the app and to the worker alone (USS, MB of 10^6 bytes) after a tenth of the runs, two tenths, …; the growth that counts
is from the first of these lines on, when every page, list and cache has come to its size. At the end it names the kinds
of Python objects of which the app holds more than at the first line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.counted_app import FILE
from benchmarks.load import held
from benchmarks.streamlit_client import Session, running_app, worker_of
from models.settings import Settings
from models.store import Store

QUERY = "story-gpt.max_new_tokens=8"
RELOAD = 25  # runs
WAIT_S = 120.0


def own_mb(process: psutil.Process) -> float:
    """Return the memory that a process alone holds, in MB of 10^6 bytes."""
    with suppress(psutil.Error):
        return round(process.memory_full_info().uss / 1e6, 1)
    return 0.0


def _wait(check: Any, said: str) -> None:
    limit = time.monotonic() + WAIT_S
    while not check():
        if time.monotonic() > limit:
            raise TimeoutError(said)
        time.sleep(0.01)


def run_once(session: Session, store: Store, number: int) -> None:
    """Write a prompt that nobody wrote before, press Run, wait until its run is stored and the page is drawn."""
    before = session.whole
    session.set_text("Prompt", f"Once upon a time number {number}")
    _wait(lambda: session.whole > before, "the page did not take the prompt")
    newest = [run.id for run in store.runs(limit=1)]
    before = session.whole
    session.press("Run")
    _wait(lambda: [run.id for run in store.runs(limit=1)] != newest, "the run did not end")
    _wait(lambda: session.whole > before and session.enabled("Run"), "the page was not drawn")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    kinds: list[dict[str, int]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command, file = (sys.executable, "-m", "benchmarks.counted_app"), folder / "held.json"
        environment = {"PLAYGROUND_OWNERS": "machine", FILE: str(file)}
        with running_app(folder, command=command, **environment) as (port, app):
            session, store = Session(port, QUERY, "text"), Store(Settings(data_dir=folder))
            _wait(lambda: session.enabled("Run"), "the page was not drawn")
            print("| runs | app MB | worker MB | s |\n|---|---|---|---|")
            begun = time.monotonic()
            for number in range(1, options.runs + 1):
                run_once(session, store, number)
                if number % RELOAD == 0:
                    session.close()
                    session = Session(port, QUERY, "text")
                    _wait(lambda session=session: session.enabled("Run"), "the page was not drawn")  # type: ignore[misc]
                if number % max(1, options.runs // 10) == 0:
                    row = {"runs": number, "app_mb": own_mb(app), "worker_mb": own_mb(worker_of(app)),
                           "s": round(time.monotonic() - begun)}  # fmt: skip
                    kinds.append(held(app, file)["most"])
                    found.append(row)
                    print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)
            session.close()
            store.close()
    grown = (found[-1]["app_mb"] / found[0]["app_mb"] - 1) * 100
    print(f"\nThe app grew by {grown:+.1f}% from the first line to the last.")
    for kind, count in kinds[-1].items():
        if count > 1.05 * kinds[0].get(kind, 0):
            print(f"{kind}: {kinds[0].get(kind, 0):,} → {count:,}")
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
