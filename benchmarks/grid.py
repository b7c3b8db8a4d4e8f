"""What a large grid costs its reader: seconds until it is drawn, seconds until a far part of it is, bytes sent.

    python -m benchmarks.grid --cells 1000 --json grid.json

Makes a sweep of short texts of text/story-gpt through the shell's own command (temperatures × seeds), starts the app on
127.0.0.1 and opens its page in Chromium, as the machine's user who has that sweep. Counted are seconds from the page's
request, and from a jump to the grid's far corner, until every cell in view shows its text, and the bytes of all
websocket messages until then. A page without the sweep is measured beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.streamlit_client import ROOT, running_app
from models.settings import Settings
from models.store import Store
from models.whose import machine_owner

MODEL, SEEDS = "text/story-gpt", 40
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 120_000
# every cell that can be seen has its text; there is at least one
SHOWN = """(table) => {
    const seen = table.getBoundingClientRect();
    const inside = [...table.querySelectorAll(".cell")].filter((cell) => {
        const box = cell.getBoundingClientRect();
        return box.right > seen.left && box.left < seen.right && box.bottom > seen.top && box.top < seen.bottom
            && box.bottom > 0 && box.top < innerHeight;
    });
    return inside.length > 0 && inside.every((cell) => cell.querySelector(".text"));
}"""


def spec_of(cells: int) -> dict[str, Any]:
    """Return the file of a sweep with at least `cells` cells: temperatures × 40 seeds, 8 tokens each."""
    rows = max(1, -(-cells // SEEDS))
    values = [round(0.1 + 1.8 * row / max(1, rows - 1), 3) for row in range(rows)]
    return {
        "v": 1,
        "request": {
            "model": MODEL, "inputs": {"prompt": "Once upon a time"}, "params": {"max_new_tokens": 8}, "seed": 0,
        },
        "axes": [{"name": "temperature", "values": values}, {"name": "seed", "values": list(range(SEEDS))}],
    }  # fmt: skip


def make(folder: Path, spec: str) -> float:
    """Make the sweep's cells into the store of `folder`; return the seconds that took."""
    file, begun = folder / "spec.json", time.monotonic()
    file.write_text(spec)
    subprocess.run(
        [sys.executable, "-m", "models", "sweep", str(file), "--out", str(folder / "out")], check=True, cwd=ROOT,
        env={**os.environ, "PLAYGROUND_DATA_DIR": str(folder / "data")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - begun


class Counted:
    """A page whose websocket messages are counted, in bytes each way."""

    def __init__(self, browser: Browser) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1440, "height": 1000})
        self.received = self.sent = 0
        self.page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        def received(data: Any) -> None:
            self.received += len(data)

        def sent(data: Any) -> None:
            self.sent += len(data)

        socket.on("framereceived", received)
        socket.on("framesent", sent)

    def take(self) -> dict[str, float]:
        """Return the kilobytes since the last time."""
        found = {"received_kb": round(self.received / 1000, 1), "sent_kb": round(self.sent / 1000, 1)}
        self.received = self.sent = 0
        return found


def shown(page: Page) -> None:
    """Wait until every cell in view has its text. Raises `TimeoutError` after two minutes."""
    limit, table = time.monotonic() + WAIT_MS / 1000, page.locator(".sweep .table")
    table.wait_for(timeout=WAIT_MS)
    while not table.evaluate(SHOWN):
        if time.monotonic() > limit:
            raise TimeoutError("the cells in view did not come")
        page.wait_for_timeout(30)


def look(browser: Browser, url: str, sweep: bool) -> dict[str, dict[str, float]]:
    """Open the page and, where it has the sweep, jump to its far corner; return the seconds and kilobytes of both."""
    counted, found = Counted(browser), {}
    with closing(counted.page):
        begun = time.monotonic()
        counted.page.goto(url)
        if sweep:
            shown(counted.page)
        else:
            counted.page.get_by_role("button", name="Run").first.wait_for(timeout=WAIT_MS)
        found["opened"] = {"seconds": round(time.monotonic() - begun, 2), **counted.take()}
        if sweep:
            begun = time.monotonic()
            table = counted.page.locator(".sweep .table")
            table.evaluate("one => one.scrollTo(one.scrollWidth, one.scrollHeight)")
            shown(counted.page)
            found["far corner"] = {"seconds": round(time.monotonic() - begun, 2), **counted.take()}
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        parser.error("no Chromium found: install the package chromium")
    spec, seen = json.dumps(spec_of(options.cells)), []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        made_s = make(folder, spec)
        with running_app(folder / "data") as (port, _), closing(
            playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        ) as browser:  # fmt: skip
            url = f"http://127.0.0.1:{port}/text"
            look(browser, url, sweep=False)  # the app's first page
            bare = [look(browser, url, sweep=False) for _ in range(options.rounds)]
            note = {"spec": spec, "at": time.time(), "job": ""}
            Store(Settings(data_dir=folder / "data")).save_note(machine_owner(), "text-sweep", note)
            seen = [look(browser, url, sweep=True) for _ in range(options.rounds)]
    found: dict[str, Any] = {"cells": options.cells, "made_s": round(made_s, 1), "without": bare, "with": seen}
    print(f"{options.cells:,} cells made in {made_s:.0f} s")
    for what, rounds, part in (("a page without", bare, "opened"), ("the grid", seen, "opened"),
                               ("its far corner", seen, "far corner")):  # fmt: skip
        figures = {name: [one[part][name] for one in rounds] for name in rounds[0][part]}
        print(f"{what:16}" + "  ".join(f"{name} {statistics.median(values):g} (at most {max(values):g})"
                                       for name, values in figures.items()))  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
