"""What a command owes its shell: streams that close or are full, Ctrl+C at any moment, files that are whole or absent.

Light on purpose: it is imported before everything else, so that Ctrl+C is heard while the rest is.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE
FAILED = 1


class PipeClosed(Exception):
    """Nobody reads stdout any more, as behind `| head`."""


class Unwritable(Exception):
    """Say in one sentence why something could not be written."""


class _LogFile(logging.FileHandler):
    """Append records to a file, made with the first one; where that cannot be, they are lost without a word."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextmanager
def log_into(file: Path) -> Iterator[None]:
    """Keep what is logged from warnings on, tracebacks too, in a file: stderr has the sentences alone."""
    kept = _LogFile(file, encoding="utf-8", delay=True)
    kept.setLevel(logging.WARNING)
    kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(kept)
    logging.captureWarnings(True)  # those of libraries mean nothing to who runs a command
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(kept)
        kept.close()


def begin() -> None:
    """End silently with 130 at Ctrl+C from now on. Call first thing; see `on_interrupt`."""
    signal.signal(signal.SIGINT, lambda *_: leave(INTERRUPTED))


def on_interrupt(ask: Callable[[], bool]) -> None:
    """Call `ask` at Ctrl+C, which returns whether it will end by itself; where not, and at the second Ctrl+C, end."""
    asked: list[bool] = []

    def handle(*_: Any) -> None:
        if asked or not ask():
            leave(INTERRUPTED)
        asked.append(True)

    signal.signal(signal.SIGINT, handle)


def leave(code: int) -> None:
    """End the process at once, whatever it is doing, with what was printed so far."""
    with suppress(OSError, ValueError, RuntimeError):
        sys.stdout.flush()
    os._exit(code)


def plain_streams() -> None:
    """Let stdout and stderr write any text: what their code page lacks comes as an escape."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def say(text: str, end: str = "\n") -> None:
    """Print to stdout at once. Raises `PipeClosed`, and `Unwritable` where the disk is full or refuses."""
    _write(lambda: print(text, end=end, flush=True))


def flush() -> None:
    """Write what stdout still holds; raises as `say` does."""
    _write(sys.stdout.flush)


def tell(sentence: str) -> None:
    """Print a sentence to stderr; one that cannot be written is lost."""
    with suppress(OSError, ValueError):
        print(sentence, file=sys.stderr, flush=True)


def show(line: str) -> None:
    """Write a line over the last one on stderr, where that is a terminal; "" wipes it. It is lost as in `tell`."""
    with suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _write(write: Callable[[], None]) -> None:
    try:
        write()
    except BrokenPipeError as error:
        _close_stdout()
        raise PipeClosed from error
    except OSError as error:
        _close_stdout()
        raise Unwritable(f"The output could not be written: {(error.strerror or str(error)).lower()}.") from error
    except ValueError as error:  # the shell gave none: `>&-`
        raise Unwritable("The output could not be written: standard output is closed.") from error


def _close_stdout() -> None:
    """Point stdout nowhere: the interpreter writes what it holds once more when it ends."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def check_target(path: Path, option: str = "out") -> None:
    """Raise `Unwritable` where a file could not be written, before work is done for it. Changes nothing."""
    folder = path.parent
    if path.is_dir():
        raise Unwritable(f"--{option}: {path} is a folder. Name a file in it.")
    if not folder.is_dir():
        raise Unwritable(f"--{option}: the folder {folder} does not exist. Make it first, or name another file.")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise Unwritable(f"--{option}: {path} cannot be written (permission denied). Name another file.")


def write_file(path: Path, data: bytes, option: str = "out") -> Path:
    """Write a file whole or not at all; what was there before stays until the new one is complete.

    Where that fails the data goes into the system's folder for temporary files. Returns `path`; raises `Unwritable`
    with where the data is.
    """
    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            with path.open("wb", buffering=0) as file:
                file.write(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
        return path
    except OSError as error:
        why = f"--{option}: {path} could not be written: {(error.strerror or str(error)).lower()}."
        try:
            kept = Path(tempfile.mkdtemp(prefix="playground-"), path.name or "result")
            _replace(kept, data)
        except OSError:
            raise Unwritable(
                f"{why} Free some space and run it again: the same request gives the same result."
            ) from error
        raise Unwritable(f"{why} The result is in {kept}.") from error


def _replace(path: Path, data: bytes) -> None:
    mask = os.umask(0)
    os.umask(mask)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~mask
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
