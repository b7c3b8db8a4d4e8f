"""A real server that is asked to end: all of it is gone soon, whatever it was doing, and what a run had is kept."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress

import psutil
import pytest

from benchmarks.streamlit_client import ROOT, Session
from models.settings import PACKAGE_DIR, Settings
from models.store import Store
from tests.browser.conftest import free_port, until
from tests.odd import FAMILIES, odd_settings

LIMIT_S = 6  # three seconds on a quiet machine


class Server:
    """`streamlit run Home.py` with the odd models beside the shipped ones, one owner for all sessions."""

    def __init__(self, folder):
        odd = odd_settings(folder / "odd", ("odd", "slow-load"))
        self.settings = Settings(data_dir=folder / "data")
        self.port = free_port()
        self.log = folder / "app.log"
        environment = {
            **os.environ,
            "PLAYGROUND_CATALOG_DIRS": json.dumps([str(PACKAGE_DIR / "catalog"), str(odd.catalog_dirs[0])]),
            "PLAYGROUND_FAMILY_DIRS": json.dumps([str(PACKAGE_DIR / "*" / "families"), str(FAMILIES)]),
            "PLAYGROUND_DATA_DIR": str(folder / "data"),
            "PLAYGROUND_OWNERS": "machine",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(self.port),
                 "--server.address", "127.0.0.1", "--server.headless", "true"],
                cwd=ROOT, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        until(self.answers)
        self.sessions = []

    def answers(self):
        with suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=1).status == 200

    def open(self, query="", page="text"):
        session = Session(self.port, query, page)
        self.sessions.append(session)
        return session

    def run(self, prompt, model="odd"):
        """Open a page and run an odd model there, long enough to be under way for a minute."""
        session = self.open(f"model=text/{model}&{model}.steps=1000&{model}.step_s=0.06")
        session.set_text("Prompt", prompt)
        session.press("Run")
        return session

    def ends(self, number):
        """Send a signal and return the exit code; fails where a process is left after the limit."""
        everyone = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        assert len(everyone) > 1  # the worker is among them
        self.process.send_signal(number)
        try:
            code = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the server still runs {LIMIT_S} seconds after the signal")
        _, left = psutil.wait_procs(everyone[1:], 0.5)
        assert left == []
        assert "Traceback" not in self.log.read_text()
        return code

    def runs(self):
        store = Store(self.settings)
        try:
            return store.runs(limit=10)
        finally:
            store.close()

    def close(self):
        for session in self.sessions:
            session.close()
        for one in psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else ():
            one.kill()
        self.process.kill()
        self.process.wait()


def seen(session):
    """Return what the stories on a page have beyond their prompts."""
    drawn = [json.loads(one.json or one.mixed.json) for one in session._drawn("bidi_component")]
    return " ".join(text["fresh"] for one in drawn for text in one.get("texts", []))


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_many_page_loads_the_server_and_its_worker_end(server, number):
    for turn in range(24):
        session = server.open(page=("text", "image", "audio", "")[turn % 4])
        until(lambda: session.finished)
        if turn % 3:
            session.close()
    assert server.ends(number) == 0


def test_a_run_under_way_is_kept_with_what_it_had(server):
    session = server.run("count")
    until(lambda: "count-" in seen(session))
    server.ends(signal.SIGTERM)
    (run,) = server.runs()
    assert run.status in ("stopped", "failed")  # a busy machine may end the worker before it has heard of the Stop
    assert "count-" in run.outputs[0].text


def test_a_run_that_hears_nothing_is_kept_too(server):
    session = server.run("hold")
    until(lambda: "hold-" in seen(session))  # after three words it holds the interpreter lock
    server.ends(signal.SIGTERM)
    (run,) = server.runs()
    assert run.status == "failed"
    assert "ended while it ran" in run.error["message"]
    assert "hold-" in run.outputs[0].text


def test_a_worker_that_loads_a_model_ends_too(server):
    session = server.run("count", "slow-load")
    until(lambda: any("oad" in one.text for one in session._drawn("progress")))
    server.ends(signal.SIGINT)
