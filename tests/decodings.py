"""What a test lets the process do that reads uploads, and how much memory it took there."""

import os
import sys
import time
from pathlib import Path

import numpy as np

from models.errors import BadInput


def describe(folder, data, word="", hold_bytes=0, take_s=0.0, log=""):
    """Say who is asked, after holding memory and taking time; leave the data in a file."""
    (folder / "copy").write_bytes(data)
    held = np.ones(hold_bytes, np.uint8)
    if log:
        with open(log, "a") as told:
            told.write("begin\n")
    time.sleep(take_s)
    if log:
        with open(log, "a") as told:
            told.write("end\n")
    return {"pid": os.getpid(), "word": word, "held": len(held), "torch": "torch" in sys.modules,
            "secret": os.environ.get("PLAYGROUND_SECRET", "")}  # fmt: skip


def refuse(folder, data):
    raise BadInput("It is blue; red is allowed. Paint it.")


def fail(folder, data):
    return {}[data]


def crash(folder, data):
    os.abort()


def peak_over(decoder, work, *files, **options):
    """Run one call; return what it gave, or its error's words, and the bytes by which the process grew meanwhile."""
    decoder.call(describe, b"")  # it lives
    status = Path(f"/proc/{decoder.pid}/status")
    before = _kilobytes(status, "VmRSS")
    Path(f"/proc/{decoder.pid}/clear_refs").write_text("5")
    pid = decoder.pid
    try:
        given = decoder.call(work, *files, **options)
    except BadInput as error:
        given = error.message
    assert decoder.pid == pid, given  # it lived through it
    return given, 1024 * (_kilobytes(status, "VmHWM") - before)


def _kilobytes(status, name):
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
