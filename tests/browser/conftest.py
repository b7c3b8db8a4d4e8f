"""A real app and a real Chromium. Each `session` is a browser context of its own, as another person's would be."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil
import pytest
from playwright.sync_api import sync_playwright

from models.settings import PACKAGE_DIR
from tests.odd import FAMILIES, odd_settings

ROOT = Path(__file__).parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
WAIT_MS = 60_000
VIEWPORT = {"width": 1280, "height": 1000}


def browser_path():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise RuntimeError("no Chromium found: install the package chromium")


def until(check, timeout_s=60.0, every_s=0.05):
    limit = time.monotonic() + timeout_s
    while not (found := check()):
        assert time.monotonic() < limit, "waited too long"
        time.sleep(every_s)
    return found


def free_port():
    """Return a free port of 127.0.0.1. Each test process has ports of its own: none is taken between look and use."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    while True:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        if port // 2 % processes == place:  # Linux hands out odd ones alone
            return port


class App:
    """A running app on a free port of 127.0.0.1, with the odd models beside the shipped ones.

    `add` writes further models into the folder of a catalogue; `database` is the URL of an index, "" for a file's.
    """

    def __init__(self, folder, add=lambda folder: None, owners="cookie", database=""):
        odd = odd_settings(folder / "odd", ("odd", "other", "third", "talker"))
        with (odd.catalog_dirs[0] / "talker.toml").open("a") as file:
            file.write("[facts]\nchat = true\n")
        add(odd.catalog_dirs[0])
        self.folder = folder
        environment = {
            **os.environ,
            "PLAYGROUND_CATALOG_DIRS": json.dumps([str(PACKAGE_DIR / "catalog"), str(odd.catalog_dirs[0])]),
            "PLAYGROUND_FAMILY_DIRS": json.dumps([str(PACKAGE_DIR / "*" / "families"), str(FAMILIES)]),
            "PLAYGROUND_DATA_DIR": str(folder / "data"),
            "PLAYGROUND_OWNERS": owners,
            "PLAYGROUND_DATABASE_URL": database,
            "PLAYGROUND_PRELOAD": "1",
            "PLAYGROUND_MEMORY_BYTES": "400000000",
            "PLAYGROUND_STOP_GRACE_S": "1",
        }
        self.port = free_port()
        self.log = (folder / "app.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.serve", str(folder / "modules.txt"), str(self.port)],
            cwd=ROOT, env=environment, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        until(self._answers)

    def _answers(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=1).status == 200
        except OSError:
            return False

    def url(self, page="text", **query):
        return f"http://127.0.0.1:{self.port}/{page}" + (f"?{urlencode(query)}" if query else "")

    def worker(self):
        """Return the worker process; there is never more than one."""
        found = [
            child for child in psutil.Process(self.process.pid).children(recursive=True)
            if child.status() != psutil.STATUS_ZOMBIE and "models.runtime.worker" in " ".join(child.cmdline())
        ]  # fmt: skip
        assert len(found) <= 1, found
        return found[0] if found else None

    def modules(self):
        """Return the names of all modules that the Streamlit process has imported."""
        file = self.folder / "modules.txt"
        file.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: file.exists() and file.read_text())
        return file.read_text().split("\n")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Browsers:
    """People's browsers. A plain one is lent again to the next person, who finds nothing of the last.

    What it keeps is the compiled scripts on its disk, with which a page takes 3 s of a core to load instead of 4.6; a
    context of another kind, such as a phone, is made anew and has no disk.
    """

    def __init__(self, playwright, folder, flags=()):
        self.playwright, self.folder, self.flags = playwright, folder, [*FLAGS, *flags]
        self.one = playwright.chromium.launch(executable_path=browser_path(), args=self.flags)
        self._all, self._free = [], []

    def lend(self, viewport=VIEWPORT, **options):
        if options:
            return self.one.new_context(viewport=viewport, **options)
        if not self._free:
            self._free.append(self.playwright.chromium.launch_persistent_context(
                self.folder / str(len(self._all)), executable_path=browser_path(), args=self.flags, viewport=VIEWPORT,
            ))  # fmt: skip
            self._all.append(self._free[-1])
        return self._free.pop()

    def take_back(self, context, origin):
        if context not in self._all:
            context.close()
            return
        first, *more = context.pages
        for page in more:
            page.close()
        forget = {"origin": origin, "storageTypes": "cookies,local_storage,indexeddb,cache_storage,service_workers"}
        context.new_cdp_session(first).send("Storage.clearDataForOrigin", forget)
        context.clear_cookies()
        context.clear_permissions()
        self._free.append(context)

    def close(self):
        for one in (*self._all, self.one):
            one.close()


class Session:
    """One person's browser: a page of the app and what they do on it."""

    def __init__(
        self, browsers, app, viewport=VIEWPORT, color_scheme="light", reduced_motion="no-preference", **options
    ):
        self.app, self.browsers = app, browsers
        self.context = browsers.lend(viewport, **options)
        self.page = self.context.new_page()
        self.page.set_viewport_size(viewport)
        self.page.emulate_media(color_scheme=color_scheme, reduced_motion=reduced_motion)
        self.page.set_default_timeout(WAIT_MS)
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._stays_whole)
        self.page.on("request", self._stays_here)

    def _stays_whole(self, message):
        """Note a component of ours that broke: Streamlit draws the error in its place and goes on."""
        if "BidiComponent Error" in message.text:
            self.errors.append(message.text)

    def _stays_here(self, request):
        """Note a request to another host: a page needs none but its own server."""
        if not request.url.startswith(("data:", "blob:", "about:")) and urlsplit(request.url).hostname != "127.0.0.1":
            self.errors.append(f"asked for {request.url[:200]}")

    def open(self, page="text", **query):
        self.page.goto(self.app.url(page, **query))
        return self

    def open_odd(self, prompt, steps=20, step_s=0.05, model="odd"):
        self.open(**{"model": f"text/{model}", f"{model}.steps": steps, f"{model}.step_s": step_s})
        self.sees("Does what its prompt says.")
        self.write(prompt)
        return self

    def write(self, prompt):
        box = self.page.get_by_role("textbox", name="Prompt", exact=True)
        box.wait_for()
        box.fill(prompt)

    def button(self, name):
        return self.page.get_by_role("button", name=name)

    def run(self):
        until(lambda: self.button("Run").is_enabled())
        self.page.get_by_role("textbox", name="Prompt", exact=True).press("Control+Enter")

    def address(self):
        """Return the page's address now; `page.url` is only as new as playwright's last turn."""
        return self.page.evaluate("location.href")

    def text(self):
        """Return the text of the story on show, the first one on the page."""
        cards = self.page.locator("article p")
        return cards.first.inner_text() if cards.count() else ""

    def settled(self):
        """Wait until the page shows all that its script draws, at two looks in a row: one run may ask for the next."""
        idle = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
        until(lambda: self.page.evaluate(idle) and (time.sleep(0.1), self.page.evaluate(idle))[1])

    def sees(self, words, timeout_s=60.0):
        self.page.get_by_text(words).first.wait_for(timeout=timeout_s * 1000)

    def done(self, timeout_s=60.0):
        """Wait for the result of the run and return its text."""
        self.button("Continue").first.wait_for(timeout=timeout_s * 1000)
        until(self.text)  # what draws it is loaded on its own
        return self.text()

    def close(self):
        if self.context is not None:  # a browser that was given back may be somebody else's by now
            self.browsers.take_back(self.context, self.app.url("").rstrip("/"))
            self.context = None


@pytest.fixture(scope="session")
def browsers(tmp_path_factory):
    with sync_playwright() as playwright:
        browsers = Browsers(playwright, tmp_path_factory.mktemp("browsers"))
        yield browsers
        browsers.close()


@pytest.fixture(scope="session")
def browser(browsers):
    return browsers.one


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    app = App(tmp_path_factory.mktemp("app"))
    yield app
    app.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture
def session(browsers, app, request):
    """Return a maker of sessions; each is closed at the end and had no error in its page."""
    made = []

    def make(**options):
        made.append(Session(browsers, options.pop("app", app), **options))
        return made[-1]

    yield make
    if request.node.failed:  # a picture of what each of them saw last
        for number, one in enumerate(made):
            with suppress(Exception):
                one.page.screenshot(path=ROOT / "shots" / f"{request.node.name}-{number}.png")
    for one in made:
        one.close()
    assert [error for one in made for error in one.errors] == []
