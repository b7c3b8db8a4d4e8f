"""The things that all sessions of an app share: its jobs, with the worker and the store, what reads uploads, what
gets models.

No cache of Streamlit's holds them: any visitor's browser can ask the server to clear those, and then a second worker
would wait for the lock of the first. Nor does a module of this package: the watcher of files, where a developer turned
it on, drops every module of the app when one is saved. They are held by a module without a file.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from models.errors import PlaygroundError
from models.runtime.decoder import Decoder
from models.runtime.gets import Gets
from models.runtime.jobs import Jobs

_HOLDER = "playground_held"
START_WAIT_S = 30.0  # a store of gigabytes is looked through at the start


def jobs() -> Jobs:
    """Return this process's jobs, started at the first call.

    After an edit they are still those of before, until the app starts again. Raises `PlaygroundError` where they cannot
    be started, or another page is starting them for longer than `START_WAIT_S`.
    """

    def start() -> Jobs:
        from components import runtime  # the newest code, where a watcher dropped what was imported

        return runtime.start()

    return cast("Jobs", _held("jobs", start))


def decoder() -> Decoder:
    """Return what reads uploads in a process of its own; it starts with the first of them. Raises as `jobs` does."""

    def start() -> Decoder:
        from components import runtime

        return runtime.start_decoder()

    return cast("Decoder", _held("decoder", start))


def gets() -> Gets:
    """Return what gets models in the background. Raises as `jobs` does."""

    def start() -> Gets:
        from components import runtime

        return runtime.start_gets()

    return cast("Gets", _held("gets", start))


def _held(name: str, start: Callable[[], Any]) -> Any:
    held = vars(sys.modules.setdefault(_HOLDER, ModuleType(_HOLDER)))
    if name in held:
        return held[name]
    guard: threading.Lock = held.setdefault(f"guard-{name}", threading.Lock())  # a start may ask for the other one
    if not guard.acquire(timeout=START_WAIT_S):
        raise PlaygroundError("The app is still starting. Reload this page in a minute.")
    try:
        if name not in held:
            held[name] = start()
        return held[name]
    finally:
        guard.release()
