"""The child process in which a long tool runs: one call, one answer, within its memory and its time.

Started by `models.runtime.tools` as `python -m models.runtime.tool_process`. It reads one JSON line from stdin, writes
the line `begun` when its libraries are there, and one JSON line with `data` or `error`. It ends when its parent does.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import threading
from typing import Any

from models.blobs import Blobs
from models.catalog import load_catalog
from models.runtime import memory
from models.runtime.tools import as_error, call_tool
from models.settings import Settings
from models.torchaudio_guard import guard


def main() -> None:
    """Serve the one call."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    setup = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    memory.prefer_killing_me()
    os.nice(5)  # the pages and a generation go first
    import torch

    torch.set_num_threads(1)
    guard()
    settings = Settings.model_validate(setup["settings"])
    catalog, blobs = load_catalog(settings, strict=False, everyone=True), Blobs(settings.data_dir)
    catalog.family(setup["model"])  # its imports, before memory is limited
    memory.limit_address_space(int(setup["bytes"]))
    most = int(setup["seconds"]) + 5 + int(sum(os.times()[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    print("begun", file=answers, flush=True)
    try:
        answer: dict[str, Any] = {"data": call_tool(catalog, setup["model"], setup["tool"], setup["data"], blobs)}
    except Exception as error:
        answer = {"error": as_error(error).to_dict()}
    print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)  # a thread waits for the parent's end


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
