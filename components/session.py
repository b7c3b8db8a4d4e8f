"""What everything that draws needs to know of where it is: the app's jobs, whose page this is, and the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components import owners, runtime, services
from components.owners import Owner
from components.presses import Presses
from models.catalog import Catalog
from models.runtime.job import Choose
from models.runtime.jobs import Jobs
from models.types import Request


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

    def submit(
        self, requests: Sequence[Request], purpose: str = "", budget_s: float | None = None,
        choose: Choose | None = None,
    ) -> str:  # fmt: skip
        """Queue a job of this page's owner and return its id; see `Presses.submit`. Raises `UnknownModel`."""
        for request in requests:
            self.catalog[request.model]  # the engine knows models that others added, too
        return _PRESSES.submit(self.jobs, self.owner, requests, purpose, budget_s, choose)


_PRESSES = Presses()


def here() -> Session:
    """Return the session of the script that runs."""
    jobs = services.jobs()
    known = owners.current(jobs)
    return Session(jobs, known, runtime.catalog().of(known.id))
