"""The child process in which foreign bytes are decoded, one call after another, each within its memory.

Started by `models.runtime.decoder` as `python -m models.runtime.decode_process`. It reads from stdin, for each call,
one JSON line and the bytes that it counts; it answers with one JSON line, `value` or `error`. What a call breaks is
this process alone. It ends when its parent does.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import queue
import random
import resource
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from models.errors import BadInput, PlaygroundError
from models.runtime import memory

FILE_MAX_BYTES = 300_000_000  # of anything that a call writes
CORES = 2  # libraries start as many threads as there are cores, each with memory of its own
_GROWN_BYTES = 64_000_000  # what a call may leave behind before this process is done with


def main() -> None:
    """Serve calls until the parent goes away."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    memory.prefer_killing_me()
    os.nice(5)  # the pages and a generation go first
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, random.sample(cores, min(CORES, len(cores))))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_MAX_BYTES, FILE_MAX_BYTES))
    calls: queue.SimpleQueue[tuple[dict[str, Any], list[bytes]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, calls), name="calls", daemon=True).start()
    usual = memory.rss_bytes()
    print("{}", file=answers, flush=True)  # a call's time begins when this process has begun
    while True:
        asked, files = calls.get()
        before = memory.rss_bytes()
        try:
            work = _imported(asked["module"], asked["file"], asked["function"])
            usual += max(0, memory.rss_bytes() - before)
            answer = _serve(work, asked, files)
        except Exception as error:
            answer = _failed(asked["said"], error)
        del files
        memory.trim()
        answer["spent"] = memory.rss_bytes() > usual + _GROWN_BYTES
        print(json.dumps(answer), file=answers, flush=True)


def _serve(work: Callable[..., Any], asked: dict[str, Any], files: list[bytes]) -> dict[str, Any]:
    """Run one call. What it raises becomes a sentence."""
    with open(asked["lock"], "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time on this host, whichever app asked
        try:
            with memory.within_address_space(int(asked["bytes"])):
                return {"value": work(Path(asked["folder"]), *files, **asked["options"])}
        except PlaygroundError as error:
            return {"error": error.to_dict()}
        except MemoryError:
            return {"error": BadInput(too_much(asked["said"])).to_dict()}


def _failed(said: str, error: Exception) -> dict[str, Any]:
    """Return the sentence for what nobody foresaw, and its traceback for the parent's log."""
    told = PlaygroundError(
        f"The {said} could not be read: its reader failed ({type(error).__name__}). Upload another file; the log has "
        "the details."
    )
    return {"error": told.to_dict(), "trace": "".join(traceback.format_exception(error))}


def too_much(said: str) -> str:
    """Return the sentence for a file that its decoder had no memory for, or ended at."""
    return (
        f"The {said} cannot be read: it is damaged, or needs more memory than is allowed. Save it again, smaller, and "
        "upload that."
    )


def _imported(module: str, file: str, function: str) -> Callable[..., Any]:
    """Return a function of a module of ours by its name, of a room from elsewhere by its file.

    The libraries that the module names as `NEEDS` are imported with it, before memory is limited.
    """
    if file:
        from models.family import import_file

        found = import_file(Path(file))
    else:
        found = importlib.import_module(module)
    for name in getattr(found, "NEEDS", ()):
        importlib.import_module(name)
    for name in function.split("."):
        found = getattr(found, name)
    work: Callable[..., Any] = found
    return work


def _read(stream: BinaryIO, calls: queue.SimpleQueue[tuple[dict[str, Any], list[bytes]]]) -> None:
    """Take calls as they come; the end of the stream is that of the parent, and ends all at once."""
    while line := stream.readline():
        asked = json.loads(line)
        files = [stream.read(size) for size in asked["sizes"]]
        if [len(one) for one in files] != asked["sizes"]:
            break
        calls.put((asked, files))
        del files  # the call alone holds them
    os._exit(0)


if __name__ == "__main__":
    main()
