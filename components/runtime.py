"""What one app process holds: the engine with its worker, the store, the jobs."""

from __future__ import annotations

import gc
import logging
from contextlib import suppress

from components import connections, ending, leaving, presence
from models.catalog import Catalog, current_catalog
from models.errors import PlaygroundError
from models.runtime import forecasts, reuse, together
from models.runtime.decoder import Decoder
from models.runtime.gets import Gets
from models.runtime.jobs import Jobs
from models.runtime.tidying import Tidying
from models.runtime.worker_client import WorkerEngine
from models.settings import Settings, current
from models.store import Store

STOP_S, KEEP_S = 1.0, 1.2  # a run that heeds Stop, and the store that keeps what it had, have this long


def start(settings: Settings | None = None) -> Jobs:
    """Start the worker, which warms up in the background, and return the jobs that it runs."""
    logging.getLogger("models").setLevel(logging.INFO)
    settings = settings or Settings()
    store = Store(connections.settings_of_store(settings))
    engine = WorkerEngine(settings)
    # as it is at that moment: an entry added while the app runs is known at once
    jobs = Jobs(
        engine, store, settings, lambda request: catalog(settings).validate(request), presence.is_there,
        lambda request: forecasts.work_of(catalog(settings), request),
        lambda requests: together.how_many(catalog(settings), requests),
        reuse.made_before(store, lambda: catalog(settings)),
    )  # fmt: skip
    store.last = jobs.open_runs
    tidying = Tidying(store, settings, jobs.open_runs)
    with suppress(PlaygroundError):  # the pages say what is wrong with the store
        tidying.once()
    tidying.start()

    def end_all() -> None:
        tidying.close()
        end(jobs)

    ending.when_asked(end_all)
    leaving.watch()
    # what was imported never becomes garbage: a full collection, in which every page waits, need not look at it
    gc.collect()
    gc.freeze()
    return jobs


def start_decoder(settings: Settings | None = None) -> Decoder:
    """Return what reads uploads in a process of its own, which ends with this one."""
    return Decoder(settings or Settings())


def start_gets(settings: Settings | None = None) -> Gets:
    """Return what gets models in the background; what is under way ends with this process."""
    gets = Gets(settings or Settings())
    ending.when_asked(gets.close)
    return gets


def end(jobs: Jobs) -> None:
    """End the jobs and their worker at once: what a run had made so far is kept, whether it heeds Stop or not."""
    ended = jobs.close(STOP_S)
    jobs.engine.close()
    if not ended:
        jobs.close(KEEP_S)


def catalog(settings: Settings | None = None) -> Catalog:
    """Return the catalogue as its files are now; a wrong entry is left out and told in `problems`."""
    return current_catalog(settings or current())
