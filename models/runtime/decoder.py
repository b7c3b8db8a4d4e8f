"""Foreign bytes, such as uploads, decoded in a process of their own: one call at a time, in bounded memory and time.

A decoder is a C library that reads what anybody sends. In the process that draws the pages, one file could take all
memory, hold the interpreter, or end everybody's session. So the page hands the bytes, and the name of a function that
reads them, to `models.runtime.decode_process`. That is kept warm, for a start costs more than most uploads do, and ends
when nothing came for a while. A call that breaks it, or takes too long, ends it; the next call starts another.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from models.blobs import file_errors
from models.errors import BadInput, PlaygroundError, error_from_dict
from models.runtime.decode_process import too_much
from models.settings import PACKAGE_DIR, Settings

log = logging.getLogger(__name__)

IDLE_S = 300.0  # a process that nobody asked for so long is ended
WAIT_S = 60.0  # for the uploads of others
START_S = 60.0  # a busy machine imports slowly
_FOLDER = "decoding"
# the process needs no secrets; a library with many threads, or heaps, takes address space that it never uses
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
_SMALL = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}


class Decoder:
    """Run functions on foreign bytes in a child process. Thread-safe: callers wait their turn.

    Temporary files lie in `data_dir/decoding`, which is emptied here.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / _FOLDER
        self._turn = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._used = 0.0
        self._idle: threading.Timer | None = None

    def call(self, work: Callable[..., Any], *files: bytes, said: str = "file", **options: Any) -> Any:
        """Return what `work(folder, *files, **options)` returns there; see `calling`."""
        with self.calling(work, *files, said=said, **options) as (value, _):
            return value

    @contextmanager
    def calling(
        self, work: Callable[..., Any], *files: bytes, said: str = "file", **options: Any
    ) -> Iterator[tuple[Any, dict[str, Path]]]:
        """Give what `work(folder, *files, **options)` returns in the child, and the files that it left in `folder`.

        The files, by name, go with the context. `work` is a function of a module, without a closure; `options` and what
        it returns are plain JSON. `said` is the word for the file in a sentence. Raises what `work` raises of
        `PlaygroundError`; `BadInput` for a file that takes too long or too much memory, or ends the process; and
        `PlaygroundError` where others' uploads take all the time.
        """
        with file_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            value = self._answer(work, files, said, folder, options)
            yield value, {file.name: file for file in sorted(folder.iterdir())}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End the process. A call under way ends as one that broke it."""
        if self._idle is not None:
            self._idle.cancel()
        if (child := self._child) is not None:
            child.kill()

    @property
    def pid(self) -> int | None:
        """Return the process's id, None where none runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def _answer(
        self, work: Callable[..., Any], files: tuple[bytes, ...], said: str, folder: Path, options: dict[str, Any]
    ) -> Any:
        asked = {
            **_named(work), "said": said, "folder": str(folder), "options": options, "sizes": [len(f) for f in files],
            "bytes": self._settings.decode_bytes, "lock": str(self._folder / "lock"),
        }  # fmt: skip
        if not self._turn.acquire(timeout=WAIT_S):
            raise PlaygroundError("Other uploads are being read at the moment. Try again in a minute.")
        try:
            child = self._started()
            line = self._told(child, asked, files, said)
        finally:
            self._used = time.monotonic()
            self._turn.release()
        answer = json.loads(line)
        if trace := answer.get("trace"):
            log.error("a %s could not be read:\n%s", said, trace)
        if "error" in answer:
            raise error_from_dict(answer["error"])
        return answer["value"]

    def _told(self, child: subprocess.Popen[bytes], asked: dict[str, Any], files: tuple[bytes, ...], said: str) -> str:
        """Hand a call over and wait for its answer; a process that gives none in time is ended."""
        limit = time.monotonic() + self._settings.decode_max_s
        line = self._line(child, self._settings.decode_max_s, (json.dumps(asked).encode() + b"\n", *files))
        if not line.endswith(b"\n"):
            self._end(child)
            if time.monotonic() >= limit:
                raise BadInput(
                    f"Reading the {said} took longer than {self._settings.decode_max_s:.0f} s, which is the most "
                    "allowed. Save it again, smaller or in a simpler format, and upload that.",
                    limit=self._settings.decode_max_s,
                )
            log.error("the process that reads uploads ended with %s", child.returncode)
            raise BadInput(too_much(said))
        if json.loads(line).get("spent"):  # what it holds is given back by its end alone
            self._end(child)
        return line.decode()

    @staticmethod
    def _line(child: subprocess.Popen[bytes], most_s: float, given: tuple[bytes, ...] = ()) -> bytes:
        """Hand over what is given and return the line that is answered; a process that is late is killed."""
        assert child.stdin is not None and child.stdout is not None
        late = threading.Timer(most_s, child.kill)  # also where it does not read what it is sent
        late.daemon = True
        late.start()
        try:
            with suppress(BrokenPipeError):  # it ended: the empty answer tells
                for data in given:
                    child.stdin.write(data)
                child.stdin.flush()
            return child.stdout.readline()
        finally:
            late.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        """Return a process that lives."""
        if self.pid is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "models.runtime.decode_process"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=PACKAGE_DIR.parent,
                env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **_SMALL},
            )  # fmt: skip
            self._watch_idle(self._child)
            self._line(self._child, START_S)
        assert self._child is not None
        return self._child

    def _watch_idle(self, child: subprocess.Popen[bytes]) -> None:
        """End a process once it is idle; looked for now and then."""

        def look() -> None:
            if self._child is not child or child.poll() is not None:
                return
            if time.monotonic() - self._used > IDLE_S and self._turn.acquire(blocking=False):
                try:
                    self._end(child)
                finally:
                    self._turn.release()
                return
            again()

        def again() -> None:
            self._idle = threading.Timer(IDLE_S / 10, look)
            self._idle.daemon = True
            self._idle.start()

        self._used = time.monotonic()
        again()

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        if self._child is child:
            self._child = None


def _named(work: Callable[..., Any]) -> dict[str, str]:
    """Return how another process finds a function: by its module's name, or by its file where that has no name there.

    A function that a room's guard wraps is found below the wrapping.
    """
    work = inspect.unwrap(work)
    module = work.__module__
    own = module.split(".")[0]
    here = (PACKAGE_DIR.parent / own).exists() or (PACKAGE_DIR.parent / f"{own}.py").exists()
    return {
        "module": module, "file": "" if here else str(Path(inspect.getfile(work)).resolve()),
        "function": work.__qualname__,
    }  # fmt: skip
