"""Sessions whose page was closed are let go once nobody can come back to them.

Streamlit keeps a closed session for two minutes, for a browser that comes back; past that it lets it go when the next
page is closed, so that the last visitors' sessions, with their uploads and three open files each, stay until then.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from streamlit import runtime

from models.runtime import memory

log = logging.getLogger(__name__)
EVERY_S = 10.0


def watch() -> None:
    """Let sessions go while the server runs. Does nothing outside of one. Thread-safe."""
    if not runtime.exists():
        return
    app = runtime.get_instance()
    storage = app._session_mgr._session_storage  # type: ignore[attr-defined]
    loop = app._get_async_objs().eventloop
    loop.call_soon_threadsafe(_again, loop, storage)


def let_go(storage: Any) -> int:
    """Drop the sessions of a session storage that are past their time; return how many."""
    before = len(storage._cache._data)
    storage._cache.expire()
    gone: int = before - len(storage._cache._data)
    if gone:
        memory.trim()  # sessions hang in circles, and scripts of pages are not followed by a collection
    return gone


def _again(loop: asyncio.AbstractEventLoop, storage: Any) -> None:
    try:
        let_go(storage)
    except Exception:  # another version of Streamlit: its sessions stay longer, the app goes on
        log.exception("closed sessions could not be let go")
        return
    loop.call_later(EVERY_S, _again, loop, storage)
