"""“What does it see?”: an image given to the recogniser and to the captioner at once, their answers side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import inputs, job_panel, opening, result, rooms, state
from components.escape import plain
from models.errors import PlaygroundError
from models.image.families.image_classifier import SEES
from models.image.families.image_to_text import CAPTIONS
from models.types import Request

if TYPE_CHECKING:
    from components.desk import Desk
    from models.family import InputField
    from models.runtime.job_view import JobView
    from models.spec import ModelSpec
    from models.types import Output

PURPOSE = "see"
LABEL, ICON = "What does it see?", ":material/visibility:"
HELP = "Asks the recogniser and the captioner: which name each gives this image, in words too, and how sure it is."
_ROOM = "image"
_WIDTHS = {SEES: 1, CAPTIONS: 2}  # of columns: a captioner has two decoders


def _models(desk: Desk) -> list[ModelSpec]:
    """Return the first model that names images and the first that describes them, as far as they are here."""
    catalog = desk.session.catalog
    here = [spec for spec in catalog.values() if spec.modality == _ROOM and spec.here]
    firsts = [next((spec for spec in here if role in catalog.family(spec.id).roles), None) for role in _WIDTHS]
    return [spec for spec in firsts if spec is not None]


def fits(desk: Desk, output: Output) -> bool:
    """Say whether there is a model that can be asked what an image shows."""
    return bool(_models(desk))


def take(desk: Desk, output: Output) -> str:
    """Ask what an image shows that was made here. What stands on the page, its model too, stays."""
    there, item = _asked(desk)
    _ask(desk, inputs.stored_upload(there, item, result.stored(desk.session.jobs, output), "picture"))
    return there.spec.id


def draw_button(desk: Desk, item: InputField) -> None:
    """Draw the button under an image that was uploaded for the input `item`."""
    if not _models(desk):
        return
    pressed = st.button(
        LABEL, icon=ICON, key=state.key(inputs.ref_key(desk.place, item.name), "see"), on_click=_take_upload,
        args=(desk, item), help=HELP,
    )  # fmt: skip
    if pressed:
        opening.follow()


def _take_upload(desk: Desk, item: InputField) -> None:
    state.clear_notices()
    given = inputs.kept_ref(desk, item)
    if given is None:
        return
    _ask(desk, given)
    there, _ = _asked(desk)
    if there.page != desk.page:
        opening.ask(there.page.script)


def _asked(desk: Desk) -> tuple[Desk, InputField]:
    """Return the desk of the model that is asked first, and its input that takes an image."""
    there = desks.of(desk.session, rooms.room(_ROOM), _models(desk)[0].id)
    return there, next(item for item in there.family.inputs if item.type == "image")


def _ask(desk: Desk, given: str) -> None:
    """Queue one request for each model, at its own defaults, about the image of a reference, or say why not."""
    if desk.busy():
        state.notify(f"Another run of yours is under way. Press “{LABEL}” again when it is done.", "info")
        return
    try:
        desk.session.submit(
            [Request(model=spec.id, inputs={_input(desk, spec): given}) for spec in _models(desk)], PURPOSE
        )  # fmt: skip
    except PlaygroundError as error:
        state.notify(error.message)


def _input(desk: Desk, spec: ModelSpec) -> str:
    """Return the name of the input by which a model takes an image."""
    return next(item.name for item in desk.session.catalog.family(spec.id).inputs if item.type == "image")


def draw_job(desk: Desk, view: JobView, key: str) -> None:
    """Draw what each model says of the image, side by side."""
    if not view.finished:
        job_panel.draw(desk.session, view.id)
        return
    catalog = desk.session.catalog
    roles = [catalog.family(one.model).roles if one.model in catalog else () for one in view.requests]
    widths = [next((_WIDTHS[role] for role in mine if role in _WIDTHS), 1) for mine in roles]
    for column, (place, request) in zip(st.columns(widths), enumerate(view.requests), strict=True):
        with column:
            spec = catalog.get(request.model)
            st.markdown(f"**{plain(spec.name if spec else request.model)}**")
            if place >= len(view.runs):
                st.caption("Not asked: the job was stopped.")
                continue
            run = view.runs[place]
            result.draw_made(desk.session.jobs, run, f"{key}-{place}")
            st.caption(result.facts(catalog, run))
            if run.outputs:
                result.draw_actions(desk, run, f"{key}-{place}", brief=True)
