"""Locks between processes: a file that is locked while its holder lives, and gone after.

The system lets a lock go when its holder ends, however it ends; a file that is left then is taken over.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from models.blobs import file_errors
from models.errors import PlaygroundError

TICK_S = 0.05


def hold(path: Path, wait_s: float) -> IO[str]:
    """Wait for the lock of a file, and hold it until `release`, or until this process ends.

    Raises `PlaygroundError` where another process still holds it after `wait_s` seconds.
    """
    limit = time.monotonic() + wait_s
    while True:
        with file_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("a+")
            if _locks(handle):
                if is_at(handle, path):  # else its last holder took the file away meanwhile
                    handle.truncate(0)
                    handle.write(str(os.getpid()))
                    handle.flush()
                    return handle
            elif time.monotonic() > limit:
                handle.seek(0)
                holder = handle.read(20).strip() or "unknown"
                handle.close()
                raise PlaygroundError(
                    f"Another worker of this app (process {holder}) has held {path} for {wait_s:.0f} s. End that "
                    "process; a worker starts then."
                )
            else:
                time.sleep(TICK_S)
            handle.close()


def release(handle: IO[str], path: Path) -> None:
    """Let a lock go and remove its file."""
    with suppress(OSError):
        if is_at(handle, path):
            path.unlink()
    handle.close()


def is_held(path: Path) -> bool:
    """Say whether somebody, in this process or another, holds the lock of a file."""
    try:
        with path.open("r+") as handle:
            return not _locks(handle) and is_at(handle, path)
    except OSError:
        return False


def sweep(folder: Path, pattern: str) -> int:
    """Remove the files of locks that nobody holds, as of processes that were killed; return how many."""
    count = 0
    for path in folder.glob(pattern):
        with suppress(OSError), path.open("a+") as handle:
            if _locks(handle) and is_at(handle, path):
                path.unlink()
                count += 1
    return count


def _locks(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(handle: IO[str], path: Path) -> bool:
    """Say whether the open file is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False
