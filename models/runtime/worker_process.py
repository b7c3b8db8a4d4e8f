"""One worker process, from spawn to death, as the app sees it."""

from __future__ import annotations

import json
import logging
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from models import added
from models.blobs import file_errors
from models.errors import PlaygroundError
from models.runtime import memory, wire
from models.runtime.footing import LOG
from models.settings import PACKAGE_DIR, Settings

log = logging.getLogger(__name__)

TICK_S = 0.1
# How glibc keeps what a model or run gave back. One arena for each thread held 60 MB more after every model had run
# twice, and it grew; blocks from 4 MB on go back at once (the peak of a tune: 125 MB where it was 160).
_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "4194304", "MALLOC_TRIM_THRESHOLD_": "16777216"}
Inbox = queue.Queue[tuple[dict[str, Any], list[bytes]] | None]


class WorkerProcess:
    """Own one worker process from spawn to death. `died` is set once its connection is gone.

    Raises `PlaygroundError` with a sentence where the process cannot be started.
    """

    def __init__(self, settings: Settings, on_state: Callable[[WorkerProcess, dict[str, Any] | None], None]) -> None:
        self.fingerprint = fingerprint(settings)
        self.died = threading.Event()
        self._pending: dict[str, Inbox] = {}
        self.killed_for = ""  # why we killed it ourselves, if we did
        self._reason = ""
        self._oom_kills = memory.oom_kills()
        self._on_state = on_state
        self._settings = settings
        self._sender: wire.Sender | None = None
        self._outbox: list[dict[str, Any]] = []
        self._guard = threading.Lock()
        self._key = secrets.token_bytes(32)
        self.log_file = settings.data_dir / LOG
        self._listener = _listener()
        try:
            self._spawn()
        except BaseException:
            self._listener.close()
            raise
        self._hand_over()
        threading.Thread(target=self._listen, name=f"worker-{self.process.pid}", daemon=True).start()

    def ask(self, message: dict[str, Any]) -> None:
        """Send one message, at once or as soon as the worker has connected."""
        with self._guard:
            if self._sender is None:
                self._outbox.append(message)
                return
            sender = self._sender
        sender.send(message)

    def open_inbox(self, message_id: str) -> Inbox:
        """Return the queue of answers to a message; None in it means that the worker died."""
        inbox: Inbox = queue.Queue()
        with self._guard:
            self._pending[message_id] = inbox
            if self.died.is_set():
                inbox.put(None)
        return inbox

    def close_inbox(self, message_id: str) -> None:
        """Forget a message's answers."""
        with self._guard:
            self._pending.pop(message_id, None)

    def busy(self) -> bool:
        """Say whether an answer is awaited."""
        with self._guard:
            return bool(self._pending)

    def kill(self, why: str) -> None:
        """End the process at once. `why` is a reason of `WorkerDied`."""
        self.killed_for = why
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def retire(self, timeout_s: float = 3.0) -> None:
        """Let an idle worker end by itself; kill it if it does not within `timeout_s`."""
        self.killed_for = "replaced"
        self.ask({"op": "quit"})
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill("replaced")
            self.process.wait()

    def reason(self) -> str:
        """Return why the process died: a reason of `WorkerDied`."""
        return self._reason or self._why()

    def _why(self) -> str:
        if self.killed_for:
            return self.killed_for
        code = self.process.wait()
        if code == -signal.SIGKILL:
            # SIGKILL has many senders: blame memory only if the cgroup counted a kill since the start
            return "out_of_memory" if memory.oom_kills() > self._oom_kills else "killed"
        if code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL):
            return "crashed"
        return "exited"

    def why(self) -> str:
        """Return a sentence on why the process ended before it was ready."""
        reason = self.reason()
        if reason != "exited":
            return _NOT_READY.get(reason, f"It ended ({reason}).")
        said = ""
        with suppress(OSError), self.log_file.open("rb") as log:
            log.seek(self._log_from)
            said = next((line for line in reversed(log.read().decode("utf-8", "replace").splitlines()) if line), "")
        return f"It ended with: {said[:300]}" if said else f"It ended with exit code {self.process.returncode}."

    def _spawn(self) -> None:
        with file_errors(self.log_file):
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            sink = self.log_file.open("ab")
        with sink:
            self._log_from = sink.tell()
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "models.runtime.worker"],
                    stdin=subprocess.PIPE, stdout=sink, stderr=sink,
                    cwd=PACKAGE_DIR.parent, start_new_session=True, env={**_MALLOC, **os.environ},
                )  # fmt: skip
            except OSError as error:
                raise PlaygroundError(
                    f"{sys.executable} could not be started ({error.strerror or type(error).__name__}). Check this "
                    "Python and the machine's free memory."
                ) from error

    def _hand_over(self) -> None:
        setup = {
            "port": self._listener.getsockname()[1],
            "key": self._key.hex(),
            "app_pid": os.getpid(),
            "settings": self._settings.model_dump(mode="json"),
        }
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(setup).encode() + b"\n")
            self.process.stdin.close()

    def _connect(self) -> Connection | None:
        while self.process.poll() is None:
            connection = wire.accept(self._listener, self._key)
            if connection is not None:
                return connection
        return None

    def _listen(self) -> None:
        connection = self._connect()
        self._listener.close()
        if connection is not None:
            with self._guard:
                self._sender = wire.Sender(connection)
                early, self._outbox = self._outbox, []
            for message in early:
                self._sender.send(message)
            try:
                while True:
                    self._take(*wire.unpack(connection.recv_bytes()))
            except (EOFError, OSError):
                pass
            except Exception:
                log.exception("the worker sent what cannot be read; it is replaced")
                self.kill("crashed")
            self._sender.close(0)
            connection.close()
        self.process.wait()
        self._reason = self._why()  # as of now: a later kill of another worker raises the counter too
        with self._guard:
            self.died.set()
            waiting = list(self._pending.values())
        for inbox in waiting:
            inbox.put(None)
        self._on_state(self, None)

    def _take(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        if header["op"] == "state":
            self._on_state(self, header)
            return
        with self._guard:
            inbox = self._pending.get(header["id"])
        if inbox is not None:
            inbox.put((header, blobs))


_NOT_READY = {
    "out_of_memory": "The machine's memory was used up while it started. End other programs.",
    "killed": "It was killed from outside while it started.",
    "crashed": "It crashed in native code while it started; worker.log in the data folder says where.",
}


def _listener() -> socket.socket:
    try:
        listener = wire.listen()
    except OSError as error:
        raise PlaygroundError(
            f"No port of 127.0.0.1 could be opened for it ({error.strerror or type(error).__name__}). Check the limit "
            "of open files, and what may listen."
        ) from error
    listener.settimeout(TICK_S)
    return listener


def fingerprint(settings: Settings) -> str:
    """Return what changes when a worker's code or catalogue does: the files' names, sizes and times."""
    own = [path for path in PACKAGE_DIR.rglob("*.py") if "__pycache__" not in path.parts]
    folders: list[Path] = [*settings.family_folders(), *settings.catalog_dirs]
    more = [path for folder in folders for path in folder.glob("*.*") if path.suffix in (".py", ".toml")]
    owned = [path for _, path in added.files(settings)]
    parts = []
    for path in sorted({*own, *more, *owned}):
        with suppress(FileNotFoundError):  # an editor may replace it right now
            stat = path.stat()
            parts.append(f"{path}:{stat.st_size}:{stat.st_mtime_ns}")
    return "\n".join(parts)
