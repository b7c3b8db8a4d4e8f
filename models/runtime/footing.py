"""What a worker stands on in the data folder: its lock, and the log that its output goes to."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from models.errors import PlaygroundError
from models.runtime import locks

log = logging.getLogger(__name__)
LOG = "worker.log"


class Footing:
    """Hold a worker's lock, and make lock and log again where somebody removed the folder under it.

    Waits for the lock up to `wait_s` seconds: one that is being replaced lets it go when it ends. Raises
    `PlaygroundError` after that.
    """

    def __init__(self, folder: Path, app_pid: int, wait_s: float) -> None:
        self._log = folder / LOG
        self._path = folder / f"worker-{app_pid}.lock"
        self._lock = locks.hold(self._path, wait_s)

    def renew(self) -> None:
        """Make again what was removed; what cannot be made is told in the log, and the worker goes on without."""
        try:
            if not locks.is_at(self._lock, self._path):
                before, self._lock = self._lock, locks.hold(self._path, 0)
                before.close()
            if os.fstat(2).st_nlink == 0:  # what is written there now, nobody can read
                with self._log.open("ab") as sink:
                    for output in (1, 2):
                        os.dup2(sink.fileno(), output)
                log.warning("%s was removed while the worker ran; this is a new one", self._log)
        except (PlaygroundError, OSError) as error:
            log.warning("the data folder could not be made again: %s", error)

    def release(self) -> None:
        """Let the lock go and remove its file."""
        locks.release(self._lock, self._path)
