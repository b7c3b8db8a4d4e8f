"""What everything that draws needs to know of where it is: the app's jobs, whose page this is, and the models."""

from __future__ import annotations

from dataclasses import dataclass

from components import presence, runtime, services
from models.catalog import Catalog
from models.runtime.jobs import Jobs


@dataclass(frozen=True)
class Session:
    """Hold the app's jobs (with engine and store), the owner of what this page runs, and the catalogue as it is now."""

    jobs: Jobs
    owner: str
    catalog: Catalog


def here() -> Session:
    """Return the session of the script that runs."""
    return Session(services.jobs(), presence.session_id(), runtime.catalog())
