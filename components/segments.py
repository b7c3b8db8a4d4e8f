"""Choose a page's segment: the task for which its models are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import rooms, state
from components.model_picker import MODEL

if TYPE_CHECKING:
    from components.modality import RoomPage, Segment
    from models.catalog import Catalog


def choose(catalog: Catalog, page: RoomPage, place: str) -> Segment | None:
    """Draw the choice of segments and return the chosen one: that of the page's model. None on a page without any."""
    if not page.segments:
        return None
    specs = {spec.id: spec for spec in rooms.models_on(catalog, page)}
    model, chosen = state.at(state.model_key(place), ""), _chosen(page, place)
    asked = model.get() if model.there else st.query_params.get(MODEL, "")
    if asked in specs and (its := page.segment_for(specs[asked])) is not None:  # however the model was set
        chosen.set(its.title)
    # one without a model is left out, unless there is none at all: then each says what to do
    there = [one for one in page.segments if any(page.segment_for(spec) == one for spec in specs.values())]
    titles = {one.title: one for one in there or page.segments}
    if chosen.held() not in titles:
        chosen.set(next(iter(titles)))
    if len(titles) == 1:
        return titles[chosen.get()]
    title = st.segmented_control(
        "Task", list(titles), key=chosen.key, required=True, label_visibility="collapsed", wrap=True,
        format_func=lambda one: f"{titles[one].icon} {one}", on_change=_go, args=(catalog, page, place),
    )  # fmt: skip
    return titles[str(title)]


def _chosen(page: RoomPage, place: str) -> state.Slot[str]:
    return state.at(state.key(place, "segment"), page.segments[0].title)


def _last(place: str, title: str) -> state.Slot[str]:
    """Return the slot of the model that a segment showed last."""
    return state.at(state.key(place, "segment", title, "model"), "")


def _go(catalog: Catalog, page: RoomPage, place: str) -> None:
    """Set the page to the chosen segment's model: the one that it showed last, else its first."""
    model, title = state.at(state.model_key(place), ""), _chosen(page, place).get()
    specs = rooms.models_on(catalog, page)
    before = next((spec for spec in specs if spec.id == model.get()), None)
    if before is not None and (its := page.segment_for(before)) is not None:
        _last(place, its.title).set(before.id)
    mine = [spec.id for spec in specs if (its := page.segment_for(spec)) is not None and its.title == title]
    last = _last(place, title).get()
    if mine:
        model.set(last if last in mine else mine[0])
        return
    model.pop()  # no model of another segment says now which one is shown
    st.query_params.pop(MODEL, None)
