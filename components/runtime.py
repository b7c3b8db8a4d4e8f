"""What one app process holds: the engine with its worker, the store, the jobs."""

from __future__ import annotations

import logging

from components import presence
from models.catalog import Catalog, current_catalog
from models.runtime.jobs import Jobs
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings
from models.store import Store

KEEP_BYTES = 2_000_000_000


def start(settings: Settings | None = None) -> Jobs:
    """Start the worker, which warms up in the background, and return the jobs that it runs."""
    logging.getLogger("models").setLevel(logging.INFO)
    settings = settings or Settings()
    store = Store(settings)
    store.prune(max_bytes=KEEP_BYTES)
    engine = WorkerEngine(settings)
    # as it is at that moment: an entry added while the app runs is known at once
    return Jobs(engine, store, settings, lambda request: catalog(settings).validate(request), presence.is_there)


def catalog(settings: Settings | None = None) -> Catalog:
    """Return the catalogue as its files are now; a wrong entry is left out and told in `problems`."""
    return current_catalog(settings or Settings())
