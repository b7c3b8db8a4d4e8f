"""A translation translated back: what came of the first text, beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import job_panel, result, state
from components.escape import plain
from components.text import story_view
from models.errors import PlaygroundError
from models.text import measures, tasks
from models.text.languages import name_of
from models.types import Output, Request, Run

if TYPE_CHECKING:
    from components.desk import Desk
    from models.catalog import Catalog
    from models.runtime.job_view import JobView
    from models.spec import ModelSpec

PURPOSE = "round-trip"
READ = 200  # stored runs among which that of the translation is looked for


def back(catalog: Catalog, spec: ModelSpec) -> ModelSpec | None:
    """Return the model of the other direction, of the same collection if there is one; None where there is none."""
    languages = spec.facts.get("languages", [])
    if spec.facts.get("task") != tasks.TRANSLATION or len(languages) != 2:
        return None
    found = [one for one in catalog.values() if one.facts.get("languages") == languages[::-1]
             and one.facts.get("task") == tasks.TRANSLATION]  # fmt: skip
    return next((one for one in found if one.collection == spec.collection), next(iter(found), None))


def start(desk: Desk, run: Run, output: Output) -> None:
    """Queue the way back of a translation."""
    state.clear_notices()
    there = back(desk.session.catalog, desk.session.catalog[run.request.model])
    if there is None or desk.busy():
        return
    try:
        desk.session.submit([Request(model=there.id, inputs={"prompt": output.text}, seed=run.request.seed)], PURPOSE)
    except PlaygroundError as error:
        state.notify(error.message)


def draw_job(desk: Desk, view: JobView, key: str) -> None:
    """Draw the first text, its translation and the way back, with the share of words that came back."""
    if not view.finished:
        job_panel.draw(desk.session, view.id)
        return
    request, run = view.requests[0], next(iter(view.runs), None)
    there, back_text = request.inputs["prompt"], run.outputs[0].text if run is not None and run.outputs else ""
    first = next((one.request.inputs.get("prompt", "") for one in desk.session.jobs.store.runs(
        desk.session.owner, limit=READ) if one.purpose != PURPOSE and any(
        output.kind == "text" and output.text == there for output in one.outputs)), "")  # fmt: skip
    if run is not None and run.error:
        result.draw_made(desk.session.jobs, run, key)
    languages = desk.session.catalog[request.model].facts.get("languages", ["", ""])
    texts = [(f"Text ({name_of(languages[1])})", first), (f"Translation ({name_of(languages[0])})", there),
             ("Translated back", back_text)]  # fmt: skip
    shown = [(title, Output("text", at, text)) for at, (title, text) in enumerate(texts) if text]
    story_view.draw([one for _, one in shown], f"story-{key}", run=key, titles=[title for title, _ in shown])
    if first and back_text:
        same = 1 - measures.changed(Output("text", 0, back_text), Output("text", 0, first))
        st.caption(
            plain(f"{same:.0%} of the words came back, in order. What did not may have been lost on either way.")
        )
    if run is not None:
        result.draw_told(desk, run, key)
