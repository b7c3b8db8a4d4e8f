"""What the app takes on a host as small as Streamlit Community Cloud: memory at the start and after each model.

    python -m benchmarks.cloud --megabytes 1000

Starts the app by its entry point for Community Cloud in a memory cgroup of its own (root and a writable cgroup file
system are needed), opens Home, runs every model that ships once at default settings, and opens the pages. After each
it prints, in MB (10^6 bytes), what the kernel counts for the cgroup without cached files, the memory of the app's
process and its worker's (USS), and which models stay loaded; at the end how often the kernel's killer struck.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.memory_cap import asking_app, cgroup, kills, plain_run, stored
from benchmarks.page_memory import stops, visit
from benchmarks.streamlit_client import worker_of
from models.catalog import load_catalog
from models.settings import Settings

ENTRY = "cloud/app.py"


def taken(group: Path) -> int:
    """Return the bytes that a cgroup's processes hold and the kernel cannot drop: without cached files."""
    old = group / "memory.usage_in_bytes"
    usage = old if old.exists() else group / "memory.current"
    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    names = ("total_inactive_file", "total_active_file") if old.exists() else ("inactive_file", "active_file")
    return int(usage.read_text()) - sum(int(stat.get(name, 0)) for name in names)


def row(what: str, group: Path, app: psutil.Process, answer: dict[str, Any]) -> None:
    """Print one line of the table."""
    own, worker = app.memory_full_info().uss, worker_of(app).memory_full_info().uss
    loaded = ", ".join(answer.get("loaded", []))
    print(f"| {what} | {taken(group) / 1e6:.0f} | {own / 1e6:.0f} | {worker / 1e6:.0f} | {loaded} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000, help="the cap, in MB (10^6 bytes)")
    options = parser.parse_args()
    catalog = load_catalog(Settings())
    print("| after | together | app | worker | loaded |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, cgroup(options.megabytes * 1_000_000) as group:
        folder = Path(name)
        files = stored(folder)
        with asking_app(folder, group, ENTRY) as (port, app, pipe, reader):
            visit(port, "")
            row("Home", group, app, {})
            for spec in catalog.values():
                if spec.embedded:
                    job = {"requests": [plain_run(catalog, spec.id, files, 1)]}
                    pipe.write(json.dumps(job) + "\n")
                    pipe.flush()
                    row(spec.id, group, app, _answer(reader, app))
            for page, query in stops(each=False):
                visit(port, page, query)
            row("the pages", group, app, {})
            killed = kills(group)
    print(f"\nUnder {options.megabytes} MB; the kernel killed {killed} times")


def _answer(reader: Any, app: psutil.Process) -> dict[str, Any]:
    """Return what became of a job; raises `RuntimeError` where it did not end well."""
    line, limit = "", time.monotonic() + 600
    while not line.endswith("\n") and time.monotonic() < limit and app.is_running():
        line += reader.readline()
        time.sleep(0.02)
    found: dict[str, Any] = json.loads(line) if line.endswith("\n") else {"refused": "no answer"}
    wrong = [found["refused"]] if found.get("refused") else [run["error"] for run in found["runs"] if run["error"]]
    if wrong:
        print(f"(did not end well: {wrong[0]})")
    return found


if __name__ == "__main__":
    main()
