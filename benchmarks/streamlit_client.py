"""A browser session without the browser: speaks Streamlit's websocket protocol to a running app.

It keeps widget values, obeys the server's auto-rerun messages as a browser's timers do, and sees every element's
text. Benchmarks use it where a real browser's own CPU time would drown what is measured.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parent.parent


class Session:
    """Hold one websocket session. Times are `time.monotonic()` seconds; `cookie` is sent as a browser's header is."""

    def __init__(self, port: int, query: str = "", page: str = "", cookie: str = "") -> None:
        self._socket = connect(
            f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=["streamlit"], max_size=None, open_timeout=60,  # type: ignore[list-item]
            additional_headers={"Cookie": cookie} if cookie else None,
        )  # fmt: skip
        self.query = query
        self._page = page
        self._guard = threading.Lock()
        self._widgets: dict[str, tuple[str, Any]] = {}
        self._timers: dict[str, threading.Timer] = {}
        self._cached: dict[str, Any] = {}
        self.elements: dict[tuple[int, ...], Any] = {}
        self._armed: set[str] = set()
        self._run = 0
        self.page_hash = ""
        self.finished = 0  # runs of the script, those of fragments too
        self.whole = 0  # runs of the whole script
        self._quiet_since: float | None = None  # monotonic; None while a script runs
        self._closed = False
        threading.Thread(target=self._read, daemon=True).start()
        self.rerun()

    def rerun(self, fragment_id: str = "", auto: bool = False, trigger: str = "") -> None:
        """Send a rerun request, as a browser does after a widget changed or a timer fired."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self.query
        state.page_script_hash = self.page_hash
        if not self.page_hash:
            state.page_name = self._page
        state.fragment_id = fragment_id
        state.is_auto_rerun = auto
        with self._guard:
            for widget, (kind, value) in self._widgets.items():
                setattr(state.widget_states.widgets.add(id=widget), kind, value)
        if trigger:
            state.widget_states.widgets.add(id=trigger).trigger_value = True
        self.send(message)

    def send(self, message: BackMsg) -> None:
        """Send any message that a browser could send."""
        with suppress(ConnectionClosed):
            self._socket.send(message.SerializeToString())

    def go(self, page: str) -> None:
        """Go to another page of the app, as by its link in the sidebar."""
        self._page, self.page_hash, self.query = page, "", ""
        self.rerun()

    def set_text(self, label: str, text: str) -> None:
        """Type into the text area whose label starts with `label`."""
        element = self.find("text_area", label)
        self._widgets[element.id] = ("string_value", text)
        self.rerun(fragment_id=element.fragment_id)

    def press(self, label: str, timeout_s: float = 120) -> None:
        """Press the button with this label as soon as it is enabled."""
        element = self.find("button", label, lambda button: not button.disabled, timeout_s)
        self.rerun(trigger=element.id, fragment_id=element.fragment_id)

    def story(self) -> str:
        """Return what the first story on the page has beyond its prompt; the shipped example does not count."""
        for element in self._drawn("bidi_component"):
            if "-example" in element.id:
                continue
            texts = json.loads(element.json or element.mixed.json).get("texts", [])
            return str(texts[0]["fresh"]) if texts else ""
        return ""

    def facts(self, unit: str = "tokens") -> str:
        """Return the line of facts of the result on show, "" while there is none; `unit` is what it counts."""
        return next((one.body for one in self._drawn("markdown") if re.search(rf"· [\d,]+ {unit}", one.body)), "")

    @property
    def alerts(self) -> list[str]:
        """Return the sentences in the page's coloured boxes."""
        return [one.body for one in self._drawn("alert")]

    def enabled(self, label: str) -> bool | None:
        """Say whether the first button of exactly this label can be pressed; None where there is none."""
        return next((not one.disabled for one in self._drawn("button") if one.label == label), None)

    @property
    def broken(self) -> str:
        """Return what the page says of an error in its script, "" where there is none."""
        return next((one.message for one in self._drawn("exception")), "")

    def _drawn(self, kind: str) -> list[Any]:
        with self._guard:
            ranked = sorted(self.elements.items())
        return [getattr(one.element, kind) for _, one in ranked if one.element.WhichOneof("type") == kind]

    def find(
        self, kind: str, label: str, fits: Callable[[Any], bool] = lambda _: True, timeout_s: float = 120
    ) -> _Found:
        """Return the first element of this kind whose label holds `label` and that `fits`; waits until it is there."""
        limit = time.monotonic() + timeout_s
        while time.monotonic() < limit:
            with self._guard:
                for element in self.elements.values():
                    inner = element.element
                    if inner.WhichOneof("type") != kind:
                        continue
                    proto = getattr(inner, kind)
                    if label in proto.label and fits(proto):
                        return _Found(proto.id, element.fragment)
            time.sleep(0.01)
        raise TimeoutError(f"no {kind} {label!r}")

    def text(self) -> str:
        """Return the text of all elements that have any."""
        with self._guard:
            found = [element.element for element in self.elements.values()]
        parts = []
        for element in found:
            kind = element.WhichOneof("type")
            inner = getattr(element, kind)
            parts.append(str(getattr(inner, "body", "") or getattr(inner, "label", "")))
        return "\n".join(parts)

    def quiet_s(self) -> float:
        """Return for how many seconds no script has run: what was sent has been answered once this is long enough."""
        since = self._quiet_since
        return 0.0 if since is None else time.monotonic() - since

    def wait_for(self, check: Callable[[str], bool], timeout_s: float = 120) -> float:
        """Wait until `check(text of the page)` holds; return the time of the first sight of it."""
        limit = time.monotonic() + timeout_s
        while time.monotonic() < limit:
            if check(self.text()):
                return time.monotonic()
            time.sleep(0.005)
        raise TimeoutError(f"never seen; the page says: {self.text()[-1500:]}")

    def close(self) -> None:
        """Close the tab."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._socket.close()

    def _read(self) -> None:
        with suppress(ConnectionClosed, EOFError):
            while not self._closed:
                data = self._socket.recv()
                message = ForwardMsg()
                message.ParseFromString(data if isinstance(data, bytes) else data.encode())
                self._take(message)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            cached = self._cached.get(message.ref_hash)
            if cached is None:
                return
            cached.metadata.CopyFrom(message.metadata)
            message, kind = cached, cached.WhichOneof("type")
        elif message.hash:
            self._cached[message.hash] = message
        if kind == "new_session":
            self.page_hash = message.new_session.page_script_hash or self.page_hash
            self._run += 1
            self._quiet_since = None
            self._armed.clear()
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            with self._guard:
                self.elements[tuple(message.metadata.delta_path)] = _Drawn(
                    message.delta.new_element, message.delta.fragment_id, self._run
                )
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "navigation":
            self.page_hash = message.navigation.page_script_hash or self.page_hash
        elif kind == "auto_rerun":
            self._arm(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._disarm({message.stop_auto_rerun.fragment_id})
        elif kind == "script_finished":
            self._finish(message.script_finished)

    def _finish(self, status: int) -> None:
        """Drop what this run did not draw again, as a browser does."""
        if status == ForwardMsg.FINISHED_SUCCESSFULLY:
            with self._guard:
                self.elements = {path: one for path, one in self.elements.items() if one.run == self._run}
            self._disarm(set(self._timers) - self._armed)
            self.whole += 1
        elif status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            with self._guard:
                redrawn = {one.fragment for one in self.elements.values() if one.run == self._run}
                self.elements = {
                    path: one
                    for path, one in self.elements.items()
                    if one.run == self._run or one.fragment not in redrawn
                }
        self.finished += 1
        self._quiet_since = time.monotonic()

    def _disarm(self, fragments: set[str]) -> None:
        for fragment in fragments:
            timer = self._timers.pop(fragment, None)
            if timer is not None:
                timer.cancel()

    def _arm(self, fragment_id: str, interval_s: float) -> None:
        def fire() -> None:
            if self._closed or self._timers.get(fragment_id) is not threading.current_thread():
                return
            self.rerun(fragment_id, auto=True)
            self._start(fragment_id, fire, interval_s)

        self._armed.add(fragment_id)  # by the server, in this run; a timer that goes on by itself is not
        self._start(fragment_id, fire, interval_s)

    def _start(self, fragment_id: str, fire: Callable[[], None], interval_s: float) -> None:
        timer = threading.Timer(interval_s, fire)
        timer.daemon = True
        self._disarm({fragment_id})
        self._timers[fragment_id] = timer
        timer.start()


class _Drawn:
    def __init__(self, element: Any, fragment: str, run: int) -> None:
        self.element, self.fragment, self.run = element, fragment, run


class _Found:
    def __init__(self, widget: str, fragment: str) -> None:
        self.id, self.fragment_id = widget, fragment


@contextmanager
def running_app(
    data_dir: Path, script: str = "Home.py", command: Sequence[str] = (sys.executable, "-m", "streamlit"),
    **environment: str,
) -> Iterator[tuple[int, psutil.Process]]:  # fmt: skip
    """Start `streamlit run script` on a free port of 127.0.0.1; yields the port and the app's process.

    `command` may be another program that takes Streamlit's arguments.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (data_dir / "app.log").open("wb")
    app = subprocess.Popen(
        [*command, "run", script, "--server.port", str(port),
         "--server.address", "127.0.0.1", "--server.headless", "true"],
        cwd=ROOT, stdout=log, stderr=log,
        env={**os.environ, "PLAYGROUND_DATA_DIR": str(data_dir), **environment},
    )  # fmt: skip
    try:
        limit = time.monotonic() + 60
        while True:
            with suppress(OSError):
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).status == 200:
                    break
            if time.monotonic() > limit or app.poll() is not None:
                raise RuntimeError(f"the app did not start: {(data_dir / 'app.log').read_text()[-2000:]}")
            time.sleep(0.02)
        yield port, psutil.Process(app.pid)
    finally:
        app.terminate()
        with suppress(subprocess.TimeoutExpired):
            app.wait(10)
        if app.poll() is None:
            app.kill()


def worker_of(app: psutil.Process, timeout_s: float = 30) -> psutil.Process:
    """Return the app's worker process; waits until there is one."""
    limit = time.monotonic() + timeout_s
    while time.monotonic() < limit:
        for child in app.children():
            with suppress(psutil.Error):
                if any(re.search(r"models\.runtime\.worker$", part) for part in child.cmdline()):
                    return child
        time.sleep(0.01)
    raise TimeoutError("the app has no worker")
