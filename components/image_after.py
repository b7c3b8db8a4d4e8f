"""What can be looked into under a finished picture."""

from __future__ import annotations

from models.catalog import Catalog
from models.jobs import Jobs, JobView
from models.types import Run


def draw(jobs: Jobs, owner: str, catalog: Catalog, run: Run, key: str) -> None:
    """Draw nothing yet."""


def draw_job(jobs: Jobs, owner: str, view: JobView, key: str) -> None:
    """Draw nothing yet."""
