"""What differs between where a shared result was made and here, so that a run may come out differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from components.escape import plain
from models import labels, receipts
from models.errors import PlaygroundError
from models.types import Request, Run

if TYPE_CHECKING:
    from components.session import Session

_ALIKE = "Model, versions and processor here are those that made it: the same request gives the same bytes."


def is_here(session: Session, request: Request) -> bool:
    """Say whether the model of a request can run here."""
    return request.model in session.catalog


def of(session: Session, request: Request, made_with: Mapping[str, Any]) -> list[str]:
    """Say what differs here from what made a result; nothing where a run comes out the same."""
    if not is_here(session, request):
        return [f"The model {request.model} is not here: its result is shown, and it cannot be tried."]
    try:
        now = receipts.here(session.catalog, session.jobs.settings, request.model)
    except PlaygroundError as error:  # its weights are damaged
        return [error.message]
    return list(receipts.changes(made_with, now, ("there", "here")))


def draw(session: Session, runs: Sequence[Run]) -> None:
    """Draw what differs here, told once for each model and each way in which its runs were made."""
    told: dict[str, list[str]] = {}
    for run in runs:
        found = told.setdefault(run.request.model, [])
        found += [one for one in of(session, run.request, run.stats.get("made_with", {})) if one not in found]
    if not any(told.values()):
        st.caption(_ALIKE)
        return
    lines = [
        plain(one if len(told) == 1 else f"{labels.model_name(session.catalog, model)}: {one}")
        for model, found in told.items() for one in found
    ]  # fmt: skip
    st.info("What differs here, so that a run may come out differently:\n\n" + "\n".join(f"- {one}" for one in lines),
            icon=":material/difference:")  # fmt: skip
