"""What a classifier sees in an image: its names by probability, the style, and the button that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from components import desk as desks
from components import inputs, result, rooms, state
from components.escape import plain
from components.image import picture_input
from models.image.families.image_classifier import SEES
from models.types import Output

if TYPE_CHECKING:
    from components.desk import Desk
    from components.modality import Showing
    from models.spec import ModelSpec

_ROOM = "image"
_LEAST = 0.01  # styles below are not told


def draw(showing: Showing) -> None:
    """Draw the names as bars, the likeliest first, and the styles in a line."""
    for output in showing.of("text"):
        seen, styles = output.meta.get("seen", []), output.meta.get("styles", [])
        st.markdown(f"#### {plain(seen[0]['label'] if seen else output.text)}")
        for one in seen:
            st.progress(min(1.0, max(0.0, one["probability"])), text=plain(said(one)))
        likely = sorted((one for one in styles if one["probability"] >= _LEAST), key=lambda one: -one["probability"])
        if likely:
            st.caption(plain(f"Style: {', '.join(map(said, likely))}."))


def said(one: dict[str, Any]) -> str:
    """Return a name with its probability: "red heart 93.0%"."""
    return f"{one['label']} {one['probability']:.1%}"


def words(output: Output) -> str:
    """Return what an image's classifier saw, in a few words; "" for what is no such output."""
    seen = output.meta.get("seen")
    return said(seen[0]) if seen else ""


def _model(desk: Desk) -> ModelSpec | None:
    """Return the first model that names images, if the catalogue has one."""
    catalog = desk.session.catalog
    here = (spec for spec in catalog.values() if spec.modality == _ROOM)
    return next((spec for spec in here if SEES in catalog.family(spec.id).roles), None)


def fits(desk: Desk, output: Output) -> bool:
    """Say whether there is a model that can be asked what an image shows."""
    return _model(desk) is not None


def take(desk: Desk, output: Output) -> str:
    """Set the page to the model that names images, with this one as its input."""
    spec = _model(desk)
    assert spec is not None
    there = desks.of(desk.session, rooms.room(_ROOM), spec.id)
    item = picture_input.main_input(there.family.inputs)
    assert item is not None
    inputs.take(there, item, result.stored(desk.session.jobs, output), "picture")
    state.at(state.model_key(there.place)).set(spec.id)
    state.notify(f"{spec.name} has this image. Press Run to see what it recognises.", "info")
    return spec.id
