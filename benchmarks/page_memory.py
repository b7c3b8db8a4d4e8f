"""Memory of the process that draws the pages, after each page was opened once with a model picked.

    python -m benchmarks.page_memory --each

Starts the app, opens Home and the pages of every room in turn through a scripted client (with `--each`, once for
every model that ships), and prints the process's RSS, PSS and USS in MB (10^6 bytes) and its threads; the worker is
not counted. A second start of the app measures what each import adds to RSS: how much with all that it imports, and
alone. Then the top-level modules that the process holds.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

from benchmarks import weighed_app
from benchmarks.streamlit_client import Session, running_app, worker_of
from models.catalog import load_catalog
from models.settings import Settings

QUIET_S = 3.0  # a page is drawn when no script or fragment run ended for this long


def visit(port: int, page: str, query: str = "") -> None:
    """Open a page and stay until it is drawn."""
    session = Session(port, query, page)
    seen, since = -1, time.monotonic()
    while seen < 1 or time.monotonic() - since < QUIET_S:
        if session.finished != seen:
            seen, since = session.finished, time.monotonic()
        time.sleep(0.05)
        if time.monotonic() - since > 60:
            raise TimeoutError(f"the page {page!r} was not drawn; it says: {session.text()[-1000:]}")
    if session.broken:
        raise RuntimeError(f"the page {page!r} could not be drawn: {session.broken}")
    session.close()


def stops(each: bool) -> list[tuple[str, str]]:
    """Return the pages to open: address and query."""
    catalog = load_catalog(Settings())
    rooms = dict.fromkeys(spec.modality for spec in catalog.values())
    if not each:
        return [("", ""), *((room, "") for room in rooms)]
    return [("", ""), *((spec.modality, f"model={spec.id}") for spec in catalog.values() if spec.embedded)]


def tell(what: str, app: psutil.Process) -> None:
    """Print one line of figures."""
    memory = app.memory_full_info()
    figures = "  ".join(f"{getattr(memory, name) / 1e6:6.1f}" for name in ("rss", "pss", "uss"))
    print(f"{what:36} {figures}  {app.num_threads():3}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", action="store_true", help="open each page once for every model that ships")
    parser.add_argument("--largest", type=int, default=30, help="how many of the largest imports are listed")
    options = parser.parse_args()
    print(f"{'MB after opening':36} {'RSS':>6}  {'PSS':>6}  {'USS':>6}  threads")
    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder)) as (port, app):
        tell("(nothing yet)", app)
        for page, query in stops(options.each):
            visit(port, page, query)
            tell(f"{page or 'home'} {query}", app)
        time.sleep(20)
        tell("20 s later", app)
        print(f"(the worker: {worker_of(app).memory_info().rss / 1e6:.0f} MB RSS)")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "modules.json"
        command = [sys.executable, "-m", "benchmarks.weighed_app"]
        with running_app(Path(folder), command=command, **{weighed_app.FILE: str(file)}) as (port, app):
            for page, query in stops(options.each):
                visit(port, page, query)
            app.send_signal(signal.SIGUSR1)
            while not file.exists():
                time.sleep(0.05)
            found = json.loads(file.read_text())
    print("\nMB of RSS that an import added: with all that it imports, alone")
    for name, (whole, alone) in sorted(found["grown"].items(), key=lambda item: -item[1][0])[: options.largest]:
        print(f"{whole / 1e6:7.1f} {alone / 1e6:6.1f}  {name}")
    packages: dict[str, int] = defaultdict(int)
    for name, (_, alone) in found["grown"].items():
        packages[name.split(".")[0]] += alone
    print("\nMB by package, alone")
    for name, alone in sorted(packages.items(), key=lambda item: -item[1])[: options.largest]:
        print(f"{alone / 1e6:7.1f}  {name}")
    tops = sorted({name.split(".")[0] for name in found["modules"]} - set(sys.stdlib_module_names))
    print(f"\n{len(found['modules'])} modules of: {' '.join(tops)}")


if __name__ == "__main__":
    main()
