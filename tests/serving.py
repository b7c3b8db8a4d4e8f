"""A real server over real models that misbehave, for tests that speak to it by its websocket."""

import json
import os
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
    """`streamlit run Home.py` with the odd models beside the shipped ones; by default one owner for all sessions."""

    def __init__(self, folder, owners="machine", **more):
        odd = odd_settings(folder / "odd", ("odd", "slow-load"))
        self.settings = Settings(data_dir=folder / "data")
        self.port = free_port()
        self.log = folder / "app.log"
        environment = {
            **os.environ,
            "PLAYGROUND_CATALOG_DIRS": json.dumps([str(PACKAGE_DIR / "catalog"), str(odd.catalog_dirs[0])]),
            "PLAYGROUND_FAMILY_DIRS": json.dumps([str(PACKAGE_DIR / "*" / "families"), str(FAMILIES)]),
            "PLAYGROUND_DATA_DIR": str(folder / "data"),
            "PLAYGROUND_OWNERS": owners,
            **more,
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

    def workers(self):
        """Return the worker processes, those that are still starting too."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in found if one.status() != psutil.STATUS_ZOMBIE
                and "models.runtime.worker" in " ".join(one.cmdline())]  # fmt: skip

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
