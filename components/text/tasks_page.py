"""The page "Text tasks": its segments, what stands above their prompts, and what can be done with their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import inputs, params_form, services, shell, state
from components.escape import plain
from components.modality import Act, InputType, Look, RoomPage, Segment
from components.text import (
    label_view,
    meaning_view,
    round_trip,
    table_input,
    task_looks,
    translation_view,
    translator_lesson,
)
from models import labels
from models.errors import PlaygroundError
from models.text import row_inputs, sheets, subtitles

if TYPE_CHECKING:
    from components.desk import Desk
    from models.spec import ModelSpec

_WRITERS = ("seq2seq_lm",)
_LABELLERS = ("text_classifier", "zero_shot_classifier")
_COMPARERS = ("text_embedding",)
_FILES = ("txt", subtitles.ENDING)


def _translates(spec: ModelSpec) -> bool:
    return spec.family in _WRITERS


def _labels(spec: ModelSpec) -> bool:
    return spec.family in _LABELLERS


def _compares(spec: ModelSpec) -> bool:
    return spec.family in _COMPARERS


def _turn(desk: Desk) -> state.Slot[int]:
    return state.at(state.key(desk.place, "file-turn"), 0)


def _file_key(desk: Desk) -> str:
    return state.key(desk.place, "file", _turn(desk).get())


def _said(desk: Desk) -> state.Slot[str]:
    """Return the slot of what is told of the last file, "" for nothing."""
    return state.at(state.key(desk.place, "file-said"), "")


def _wrong(desk: Desk) -> state.Slot[str]:
    return state.at(state.key(desk.place, "file-wrong"), "")


def _take_file(desk: Desk) -> None:
    """Put a file's text into the prompt box; a bad one leaves what is there."""
    given = state.at(_file_key(desk)).get()
    if given is None:
        return
    _turn(desk).set(_turn(desk).get() + 1)  # the box is empty again: the text is in the prompt
    _said(desk).set("")
    _wrong(desk).set("")
    try:
        with services.decoder().calling(sheets.text_of, given.getvalue(), said="file", name="file") as (found, _):
            desk.write(found["text"])
        kind = "subtitles: numbers and times stay" if subtitles.is_srt(found["text"]) else "text"
        _said(desk).set(f"{given.name}: {kind}, encoding {found['encoding']}. Press Run.")
    except PlaygroundError as error:
        _wrong(desk).set(f"{labels.shorten(given.name, inputs.NAME_CHARS)}: {error.message}")


def _draw_ways(desk: Desk) -> None:
    """Say what can be labelled beside one text, with a press to it."""
    now = params_form.values(desk.spec, desk.fields).get("by")
    if now != row_inputs.TEXT:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Many texts at once:")
        for by, label, icon in ((row_inputs.LINES, "Each line", "format_list_bulleted"),
                                (row_inputs.COLUMN, "A table (CSV)", "table")):  # fmt: skip
            st.button(
                label, icon=f":material/{icon}:", key=state.key(desk.place, "by", by), type="tertiary",
                on_click=params_form.set_some, args=(desk.spec, desk.fields, {"by": by}),
                help="Sets “Label by”. Choose “text” there for one label again.",
            )  # fmt: skip


def _draw_file(desk: Desk) -> None:
    with st.expander("Open a file", icon=":material/upload_file:"):
        st.file_uploader(
            "Text or subtitles", list(_FILES), key=_file_key(desk), on_change=_take_file, args=(desk,),
            max_upload_size=1, help="Its text goes into the box below; the result is downloaded as the same kind.",
        )  # fmt: skip
        st.caption("A .txt or .srt file of up to 1 MB, in any common encoding.")
    if said := _said(desk).get():
        st.caption(f":material/check: {plain(said)}")
    if wrong := _wrong(desk).get():
        st.error(plain(wrong), icon=":material/error:")


SEGMENTS = (
    Segment(
        "Translate", ":material/translate:", _translates,
        "There is no translator in the catalogue yet. Add a model of the family seq2seq_lm; the README says how.",
        "Write or paste what to translate …", _draw_file, translator_lesson.draw,
    ),
    Segment(
        "Feelings and intentions", ":material/sentiment_satisfied:", _labels,
        "There is no classifier in the catalogue yet. Add a model of the family text_classifier or "
        "zero_shot_classifier; the README says how.",
        "Write or paste a text, or several lines …", _draw_ways,
    ),
    Segment(
        "Meaning", ":material/hub:", _compares,
        "There is no model of sentence embeddings in the catalogue yet. Add one of the family text_embedding; the "
        "README says how.",
        "Write what the others are compared with …",
    ),
)  # fmt: skip

PAGE = RoomPage(
    shell.PAGES / "text_tasks.py", "Text tasks", ":material/translate:",
    "Translate a text sentence by sentence and see which words belong together; find the feeling or intention of a "
    "sentence, of many lines or of a table; rank texts by how near they are in meaning.",
    order=15, families=(*_WRITERS, *_LABELLERS, *_COMPARERS), segments=SEGMENTS, prompt_px=190,  # paragraphs
)  # fmt: skip

LOOKS = (
    Look("Alignment", task_looks.fits_alignment, task_looks.draw_alignment),
    Look("Reasons", task_looks.fits_reasons, task_looks.draw_reasons),
)


def draws(act: Act) -> bool:
    """Say whether an output is of this page; its actions are drawn then."""
    if translation_view.fits(act.output):
        _draw_translation_actions(act)
        return True
    return label_view.fits(act.output) or meaning_view.fits(act.output)


def _draw_translation_actions(act: Act) -> None:
    catalog = act.desk.session.catalog
    if act.run.request.model in catalog and round_trip.back(catalog, catalog[act.run.request.model]) is not None:
        st.button(
            "Translate back", icon=":material/sync_alt:", key=f"back-{act.key}", on_click=round_trip.start,
            args=(act.desk, act.run, act.output),
            help="Translates this back with the model of the other direction, and shows all three texts.",
        )  # fmt: skip
    ending = subtitles.ENDING if subtitles.is_srt(act.output.text) else "txt"
    st.download_button(
        f"Plain .{ending}", act.output.text.encode(), f"{act.run.request.model.rsplit('/', 1)[-1]}.{ending}",
        "text/plain", icon=":material/description:", key=f"plain-{act.key}", on_click="ignore",
        help="The text alone, as the file that it came from: without the settings.",
    )  # fmt: skip


def _nothing(desk: Desk, item: object) -> None:
    return None


INPUTS = {**table_input.TYPES, "pairs": InputType(_nothing, lambda desk, item, given: None)}
