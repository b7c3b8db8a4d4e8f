"""What one app process holds: the engine with its worker, the store, the jobs."""

from __future__ import annotations

import logging

from components import ending, presence
from models.catalog import Catalog, current_catalog
from models.runtime.jobs import Jobs
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings
from models.store import Store

KEEP_BYTES = 2_000_000_000
STOP_S, KEEP_S = 1.0, 1.2  # a run that heeds Stop, and the store that keeps what it had, have this long


def start(settings: Settings | None = None) -> Jobs:
    """Start the worker, which warms up in the background, and return the jobs that it runs."""
    logging.getLogger("models").setLevel(logging.INFO)
    settings = settings or Settings()
    store = Store(settings)
    store.prune(max_bytes=KEEP_BYTES)
    engine = WorkerEngine(settings)
    # as it is at that moment: an entry added while the app runs is known at once
    jobs = Jobs(engine, store, settings, lambda request: catalog(settings).validate(request), presence.is_there)
    ending.when_asked(lambda: end(jobs))
    return jobs


def end(jobs: Jobs) -> None:
    """End the jobs and their worker at once: what a run had made so far is kept, whether it heeds Stop or not."""
    ended = jobs.close(STOP_S)
    jobs.engine.close()
    if not ended:
        jobs.close(KEEP_S)


def catalog(settings: Settings | None = None) -> Catalog:
    """Return the catalogue as its files are now; a wrong entry is left out and told in `problems`."""
    return current_catalog(settings or Settings())
