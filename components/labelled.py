"""Results by name: what differs among those that stand beside one another, in their rooms' words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from components import rooms
from models import labels
from models.catalog import Catalog
from models.labels import Named
from models.types import ASIDE, Output, Request, Run


def of_runs(catalog: Catalog, runs: Sequence[Run], *, page_model: str = "") -> list[str]:
    """Return a line of plain text for each run: what tells it from the others, then what it says."""
    return of_outputs(catalog, [(run, first(run)) for run in runs], page_model=page_model, of_whole_runs=True)


def of_outputs(
    catalog: Catalog, found: Sequence[tuple[Run, Output | None]], *, page_model: str = "", of_whole_runs: bool = False,
    says: bool = True,
) -> list[str]:  # fmt: skip
    """Return a line of plain text for each output of a run; `says` false: without what it says."""
    named = [
        Named(run.request, run, None if of_whole_runs else output, said(run, output) if says and output else "")
        for run, output in found
    ]
    return labels.labels(catalog, named, zone=zone(), page_model=page_model)


def of_requests(catalog: Catalog, requests: Sequence[Request]) -> list[str]:
    """Return a line of plain text for each request of a job: what tells it from the others."""
    return labels.labels(catalog, [Named(request) for request in requests], zone=zone())


def said(run: Run, output: Output) -> str:
    """Return what an output says: in its room's words, else its own after the prompt."""
    says = rooms.of(run.request.model).says
    return says(output) if says is not None else labels.own_words(output).lstrip(" .,;:!?")  # it goes on a sentence


def first(run: Run) -> Output | None:
    """Return a run's first result, None where there is none."""
    return next(iter(shown(run.outputs)), None)


def shown(outputs: Sequence[Output]) -> list[Output]:
    """Return the outputs that are results, not what was noted beside them."""
    return [output for output in outputs if output.kind not in ASIDE]


def zone() -> tzinfo | None:
    """Return the reader's time zone, None (the server's) where the browser does not tell."""
    try:
        name = st.context.timezone
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
