"""How the app ends when the server is asked to: by SIGTERM, Ctrl+C or SIGQUIT."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from streamlit import runtime

LIMIT_S = 2.7  # the whole app is gone by then, whatever still runs


def when_asked(end: Callable[[], None], limit_s: float = LIMIT_S) -> None:
    """Call `end` once, in a thread of its own, when the server is asked to end.

    The process waits for `end`, and is ended `limit_s` seconds after the signal at the latest: scripts of pages, open
    requests and thread pools do not hold it. Does nothing outside of a running server. Thread-safe.
    """
    if not runtime.exists():
        return
    # signal handlers can be set in the main thread alone, which is the event loop's
    loop = runtime.get_instance()._get_async_objs().eventloop
    loop.call_soon_threadsafe(_listen, end, limit_s)


def _listen(end: Callable[[], None], limit_s: float) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    asked = threading.Event()

    def also(before: Any) -> Callable[[int, Any], None]:
        def handle(number: int, frame: Any) -> None:
            if not asked.is_set():
                asked.set()
                _limit(limit_s)
                threading.Thread(target=end, name="ending").start()  # not a daemon: the interpreter waits for it
            if callable(before):
                before(number, frame)

        return handle

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, also(signal.getsignal(number)))


def _limit(seconds: float) -> None:
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()
