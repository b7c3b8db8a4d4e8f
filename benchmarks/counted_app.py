"""Streamlit, as `python -m benchmarks.counted_app run SCRIPT …`: at SIGUSR1 it writes what it holds to a file.

The file is named by `COUNTED_FILE`: JSON with the sessions that are connected, that wait for a browser to come back and
that are alive in memory; media files and uploads with their bytes; the objects that there are most of.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

FILE = "COUNTED_FILE"


def counted(most: int = 25) -> dict[str, Any]:
    """Return what this process holds; a full collection comes first."""
    from streamlit import runtime

    gc.collect()
    objects = gc.get_objects()
    kinds = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in objects)
    found: dict[str, Any] = {"most": dict(kinds.most_common(most)), "objects": len(objects)}
    del objects
    if runtime.exists():
        app = runtime.get_instance()
        sessions: Any = app._session_mgr
        media: Any = app.media_file_mgr._storage
        uploads: Any = app.uploaded_file_mgr
        files = [file for kept in uploads.file_storage.values() for file in kept.values()]
        found |= {
            "connected": len(sessions.list_active_sessions()),
            "waiting": len(sessions._session_storage._cache._data),  # past its time too
            "alive": kinds["streamlit.runtime.app_session.AppSession"],
            "media_files": len(media._files_by_id),
            "media_bytes": sum(file.content_size for file in list(media._files_by_id.values())),
            "uploads": len(files),
            "upload_bytes": sum(len(file.data) for file in files),
            "threads": Counter(thread.name.split("-")[0] for thread in threading.enumerate()),
        }
    return found


def main() -> None:
    """Be Streamlit."""
    file = Path(os.environ[FILE])

    def write(*_: object) -> None:
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(counted()))
        temporary.rename(file)

    # in a thread of its own: what the signal interrupts may hold a lock
    signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=write).start())
    from streamlit.web import cli

    cli.main()


if __name__ == "__main__":
    main()
