"""What many visitors at once cost, and whether each gets what they asked for.

    python -m benchmarks.load --sessions 50 --minutes 10 --json load.json

Starts the app on 127.0.0.1 and opens sessions that speak Streamlit's websocket protocol (no browser), each with its own
cookie. Each opens a page, runs prompts that only it uses, waits for the results, and now and then reloads, presses
Stop or goes to another page. A ledger follows every prompt: ended (in the store as its owner's), stopped before it
began, refused with a sentence, lost, or mixed up (seen by, or stored for, anybody else). Prints a table:
ledger, seconds until a page is drawn, memory, threads and open files of app and worker, and what is left at `--after`
seconds after all have closed. With `--visits` it opens and closes that many pages one by one and runs nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import secrets
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.counted_app import FILE
from benchmarks.streamlit_client import Session, running_app, worker_of
from models.settings import Settings
from models.store import Store

MOST_SESSIONS, MOST_MINUTES = 200, 60
QUIET_S = 1.0
WAIT_S = 240.0  # a queue of fifty runs
# a page, its model and what keeps one run short
PAGES = {
    "text": "model=text/story-gpt&story-gpt.max_new_tokens=24",
    "image": "model=image/emoji-diffusion&emoji-diffusion.num_inference_steps=6",
}
_MARK = re.compile(r"visitor(\d+)run\d+")
_REFUSED = re.compile(r"runs wait already|One run at a time|at most \d+ may")


@dataclass
class Ledger:
    """Collect what the visitors saw. A list is appended to by many threads; all else is read at the end."""

    asked: list[tuple[str, str]] = field(default_factory=list)  # owner, prompt
    stopped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    seen_by_others: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    page_s: list[tuple[str, float]] = field(default_factory=list)  # what was done, seconds until it was drawn
    run_s: list[float] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)


class Visitor:
    """One browser: a cookie, and one page at a time."""

    def __init__(self, number: int, port: int, ledger: Ledger) -> None:
        self.number, self._port, self._ledger = number, port, ledger
        self._token = secrets.token_urlsafe(32)
        self._chance = random.Random(number)
        self._runs = 0
        self._page = self._chance.choice(list(PAGES))
        self._session: Session | None = None

    @property
    def owner(self) -> str:
        """Return the owner that the store knows this browser's runs by."""
        from components.owners import _by_token

        return _by_token(self._token)

    def live(self, until: float) -> None:
        """Do what visitors do until that time (monotonic)."""
        try:
            self._open("open", PAGES[self._page])
            while time.monotonic() < until:
                self._chance.choices((self._run, self._reload, self._change), (7, 1, 2))[0]()
                time.sleep(self._chance.uniform(0.5, 3.0))
        except Exception as error:  # told in the table; the others go on
            self._ledger.errors.append(f"visitor {self.number}: {type(error).__name__}: {str(error)[:300]}")
        finally:
            if self._session is not None:
                self._session.close()

    def _open(self, how: str, query: str) -> None:
        begun = time.monotonic()
        self._session = Session(self._port, query, self._page, f"playground_owner={self._token}")
        self._drawn(how, begun, 0)

    def _drawn(self, how: str, begun: float, before: int) -> None:
        session = self._here
        _wait(lambda: session.whole > before, "the page was not drawn")
        self._ledger.page_s.append((how, time.monotonic() - begun))
        self._ledger.done[how] += 1
        self._look()

    @property
    def _here(self) -> Session:
        assert self._session is not None
        return self._session

    def _look(self) -> None:
        """Note what of others stands on this page: a marked prompt, wherever it is drawn."""
        if self._here.broken:
            self._ledger.errors.append(f"visitor {self.number}: {self._here.broken[:300]}")
        told = str([str(one.element) for one in list(self._here.elements.values())])
        self._ledger.seen_by_others += [
            found[0] for found in _MARK.finditer(told) if int(found[1]) != self.number
        ]  # fmt: skip

    def _reload(self) -> None:
        query = self._here.query
        self._here.close()
        self._open("reload", query)

    def _change(self) -> None:
        self._page = self._chance.choice([page for page in PAGES if page != self._page])
        before, begun = self._here.whole, time.monotonic()
        self._here.go(self._page)
        self._drawn("change", begun, before)

    def _run(self) -> None:
        """Ask for something that nobody else asks for, and wait for it; one in eight is stopped."""
        session, ledger = self._here, self._ledger
        if not session.enabled("Run"):
            return self._wait_for_run(session)
        self._runs += 1
        prompt = f"A small dragon visitor{self.number}run{self._runs}"
        before = session.whole
        session.set_text("Prompt", prompt)
        _wait(lambda: session.whole > before and session.quiet_s() > QUIET_S, "the page did not take the prompt")
        before, begun = session.whole, time.monotonic()
        session.press("Run", timeout_s=WAIT_S)
        ledger.asked.append((self.owner, prompt))
        # a draw that was under way when Run was pressed may end first
        _wait(
            lambda: session.whole > before and (session.enabled("Run") is False or session.quiet_s() > QUIET_S),
            "Run was not answered",
        )
        ledger.done["run"] += 1
        if told := [sentence for sentence in session.alerts if _REFUSED.search(sentence)]:
            ledger.refused.append(prompt)
            ledger.done[told[0]] += 1
            return None
        if self._chance.random() < 0.125:
            time.sleep(self._chance.uniform(0.2, 1.5))
            with suppress(TimeoutError):
                session.press("Stop", timeout_s=2)
                ledger.done["stop"] += 1
                ledger.stopped.append(prompt)
        self._wait_for_run(session)
        ledger.run_s.append(time.monotonic() - begun)
        self._look()
        return None

    def _wait_for_run(self, session: Session) -> None:
        _wait(lambda: session.enabled("Run"), "the run did not end")


def _wait(check: Callable[[], Any], said: str) -> None:
    limit = time.monotonic() + WAIT_S
    while not check():
        if time.monotonic() > limit:
            raise TimeoutError(f"{said} within {WAIT_S:.0f} s")
        time.sleep(0.02)


class Sampler:
    """Look at a process every second; the counts at each look, in the order in which they were taken."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._processes = processes
        self.seen: dict[str, list[dict[str, float]]] = {name: [] for name in processes}
        self._ended = threading.Event()
        threading.Thread(target=self._look_on, daemon=True).start()

    def look(self) -> None:
        """Take one sample of each process that lives."""
        for name, process in self._processes.items():
            with suppress(psutil.Error):
                self.seen[name].append(sample(process))

    def end(self) -> None:
        """Take no more samples."""
        self._ended.set()

    def _look_on(self) -> None:
        while not self._ended.wait(1.0):
            self.look()


def sample(process: psutil.Process) -> dict[str, float]:
    """Return a process's RSS in MB (10^6 bytes), threads and open files."""
    return {
        "rss_mb": round(process.memory_info().rss / 1e6, 1), "threads": process.num_threads(),
        "files": process.num_fds(),
    }  # fmt: skip


def settle_accounts(ledger: Ledger, store: Store) -> dict[str, int]:
    """Compare what was asked for with what is stored, and return the counts; each prompt was asked for once."""
    stored: dict[str, list[str]] = {}
    for run in store.runs(limit=1_000_000):
        stored.setdefault(run.request.inputs.get("prompt", ""), []).append(run.owner)
    own = {prompt: owner for owner, prompt in ledger.asked}
    elsewhere = [prompt for prompt, owners in stored.items() if prompt in own and set(owners) - {own[prompt]}]
    missing = [prompt for prompt in own if prompt not in stored and prompt not in ledger.refused]
    return {
        "submitted": len(own), "ended": sum(prompt in stored for prompt in own),
        "stopped before it began": sum(prompt in ledger.stopped for prompt in missing), "refused": len(ledger.refused),
        "lost": sum(prompt not in ledger.stopped for prompt in missing),
        "twice": sum(len(found) > 1 for found in stored.values()),
        "mixed up": len(elsewhere) + len(set(ledger.seen_by_others)), "errors": len(ledger.errors),
    }  # fmt: skip


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return count, median, 95 % and worst of some seconds."""
    if not values:
        return {"count": 0}
    ranked = sorted(values)
    return {
        "count": len(ranked), "median": round(statistics.median(ranked), 3),
        "95 %": round(ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))], 3), "worst": round(ranked[-1], 3),
    }  # fmt: skip


def held(app: psutil.Process, file: Path) -> dict[str, Any]:
    """Ask the app what it holds; see `benchmarks.counted_app`."""
    file.unlink(missing_ok=True)
    app.send_signal(signal.SIGUSR1)
    limit = time.monotonic() + 60
    while not file.exists():
        if time.monotonic() > limit:
            raise TimeoutError("the app does not say what it holds")
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(file.read_text())
    return {**sample(app), **found}


def visit(port: int, count: int, ledger: Ledger) -> None:
    """Open and close a page `count` times, each by somebody else."""
    for number in range(count):
        begun = time.monotonic()
        session = Session(port, "", [*PAGES, "audio", ""][number % (len(PAGES) + 2)])
        _wait(lambda session=session: session.whole, "the page was not drawn")  # type: ignore[misc]
        ledger.page_s.append(("open", time.monotonic() - begun))
        session.close()


def visit_all(port: int, sessions: int, minutes: float, ledger: Ledger) -> None:
    """Let visitors do what they do, all at once, until the time is over and the last has what they asked for."""
    until = time.monotonic() + 60 * minutes
    threads = [
        threading.Thread(target=Visitor(number, port, ledger).live, args=(until,)) for number in range(sessions)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
        time.sleep(min(0.2, 6 * minutes / sessions))  # not all in one instant
    for thread in threads:
        thread.join()


def tell(what: str, found: dict[str, Any]) -> None:
    """Print one line of the table."""
    print(f"{what:28}" + "  ".join(f"{name} {value}" for name, value in found.items() if not isinstance(value, dict)))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the load and return all figures."""
    ledger, file = Ledger(), folder / "held.json"
    command = (sys.executable, "-m", "benchmarks.counted_app")
    environment = {"PLAYGROUND_OWNERS": "cookie", FILE: str(file)}
    with running_app(folder, command=command, **environment) as (port, app):
        visit(port, 4, Ledger())  # every page once: what is imported at the first look is no leak
        worker = worker_of(app)
        found: dict[str, Any] = {"options": vars(options), "at first": held(app, file)}
        sampler = Sampler({"app": app, "worker": worker})
        if options.visits:
            visit(port, options.visits, ledger)
        else:
            visit_all(port, options.sessions, options.minutes, ledger)
        sampler.end()
        closed = time.monotonic()
        found["left"] = {}
        for after in sorted(options.after):
            time.sleep(max(0.0, closed + after - time.monotonic()))
            found["left"][f"{after} s after"] = held(app, file)
    store = Store(Settings(data_dir=folder))
    try:
        found["ledger"] = settle_accounts(ledger, store)
    finally:
        store.close()
    found |= {
        "done": dict(ledger.done), "error sentences": ledger.errors[:50],
        "page": {how: spread([s for one, s in ledger.page_s if how in (one, "all")])
                 for how in ("all", "open", "reload", "change")},
        "run": spread(ledger.run_s), "samples": sampler.seen,
    }  # fmt: skip
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50, help=f"at most {MOST_SESSIONS}")
    parser.add_argument("--minutes", type=float, default=10.0, help=f"at most {MOST_MINUTES}")
    parser.add_argument("--visits", type=int, default=0, help="open and close this many pages instead")
    parser.add_argument("--after", type=int, nargs="*", default=[60, 180], help="seconds after all have closed")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if not (0 < options.sessions <= MOST_SESSIONS and 0 < options.minutes <= MOST_MINUTES):
        parser.error(f"--sessions is 1 to {MOST_SESSIONS}, --minutes up to {MOST_MINUTES}")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options, Path(folder))
    tell("ledger", found["ledger"])
    for how, seconds in found["page"].items():
        tell(f"page, {how} (s)", seconds)
    tell("run (s)", found["run"])
    for name, seen in found["samples"].items():
        for figure in ("rss_mb", "threads", "files"):
            values = [one[figure] for one in seen] or [0]
            tell(f"{name}, {figure}", {"first": values[0], "last": values[-1], "most": max(values)})
    tell("held at first", found["at first"])
    for when, what in found["left"].items():
        tell(f"held {when}", what)
    for sentence in found["error sentences"]:
        print(sentence)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
