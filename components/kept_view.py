"""Kept results beside the present one, each under the name of what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from components import job_panel, keeping, labelled, result
from components.escape import plain
from models import labels
from models.labels import Named
from models.types import Request, Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from components.desk import Desk


def draw(
    desk: Desk, kept: Sequence[Run], present: Request | Run | None = None, *, among: Request | None = None
) -> DeltaGenerator:
    """Draw kept runs in columns; return the column, named by what differs too, in which the present one is drawn.

    Without a present one all columns are theirs, and their names say what differs from `among`. Where nothing is kept,
    the present one has the whole width and no name.
    """
    if not kept:
        return st.container()
    named = [Named(run.request, run) for run in kept]
    if isinstance(present, Run):
        named.append(Named(present.request, present))
    elif beside := present or among:
        named.append(Named(beside))
    names = labels.labels(desk.session.catalog, named, zone=labelled.zone())
    names = [_with_model(desk, one.request, name) for one, name in zip(named, names, strict=True)]
    columns = st.columns(len(kept) + (present is not None))
    for column, run, name in zip(columns, kept, names, strict=False):
        with column:
            st.markdown(f"**{plain(name)}**")
            if desk.room.end_line:  # as high as the line of progress beside it
                with st.container(height=job_panel.ROW_PX, border=False, vertical_alignment="center"):
                    st.caption(":material/keep: Kept")
            result.draw_made(desk.session.jobs, run, f"kept-{run.id}")
            st.button(
                "Stop keeping", icon=":material/close:", type="tertiary", key=f"let-go-{run.id}",
                on_click=keeping.let_go, args=(desk, run), help="It stays among the earlier results.",
            )  # fmt: skip
    if present is not None:
        columns[-1].markdown(f"**{plain(names[-1])}** · now")
    return columns[-1]


def _with_model(desk: Desk, request: Request, name: str) -> str:
    """Return a name with its model's where the page shows another model by now."""
    if request.model == desk.spec.id or request.model not in desk.session.catalog:
        return name
    model = desk.session.catalog[request.model].name
    return name if model in name else f"{model} · {name}"
