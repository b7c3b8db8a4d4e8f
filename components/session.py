"""What everything that draws needs to know of where it is: the app's jobs, whose page this is, and the models."""

from __future__ import annotations

from dataclasses import dataclass

from components import owners, runtime, services
from components.owners import Owner
from models.catalog import Catalog
from models.runtime.jobs import Jobs


@dataclass(frozen=True)
class Session:
    """Hold the app's jobs (with engine and store), whose page this is, and the catalogue as it is now."""

    jobs: Jobs
    known: Owner
    catalog: Catalog

    @property
    def owner(self) -> str:
        """Return the name under which jobs and runs of this page are kept."""
        return self.known.id


def here() -> Session:
    """Return the session of the script that runs."""
    jobs = services.jobs()
    return Session(jobs, owners.current(jobs), runtime.catalog())
