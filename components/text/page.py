"""What the room of texts says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import example, opening, shell, state
from components.escape import plain
from components.modality import Act, InputType, Look, Modality, Mode, RoomPage, SettingsFile, Showing
from components.text import (
    chat,
    chat_lesson,
    chat_view,
    insides,
    label_view,
    meaning_view,
    microscope_view,
    round_trip,
    side_by_side,
    story_view,
    tasks_page,
    tipping_view,
    translation_view,
)
from models import labels
from models.errors import PlaygroundError
from models.plain_text import TEXT_ARTIFACT_MAX_BYTES
from models.text import saved
from models.types import Output, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.desk import Desk
    from components.session import Session

# one prompt and one seed at three temperatures: what this playground is about, at one glance
TEMPERATURES = (0.3, 0.8, 1.6)
FIRST_PROMPT = "Once upon a time a small dragon"
TILE_CHARS = 220


def _draw(showing: Showing) -> None:
    first = showing.of("text")[0]
    if translation_view.fits(first):
        translation_view.draw(first, f"translation-{showing.key}")
        return
    if label_view.fits(first):
        label_view.draw(first, f"labels-{showing.key}")
        return
    if meaning_view.fits(first):
        meaning_view.draw(first, f"meaning-{showing.key}")
        return
    story_view.draw(showing.of("text"), f"story-{showing.key}", run=showing.key, live=showing.live)


def _draw_table(showing: Showing) -> None:
    label_view.draw_table(showing.of("table")[0], f"table-{showing.key}")


def _draw_waiting(request: Request, key: str) -> None:
    prompt = request.inputs.get("prompt", "")
    start = Output("text", 0, prompt, meta={"prompt_chars": len(prompt)})
    _draw(Showing([start], key, lambda output: output.data, live=True, request=request))


def _draw_tile(output: Output, read: Callable[[Output], bytes], key: str) -> None:
    st.caption(plain(labels.shorten(labels.own_words(output) or output.text, TILE_CHARS)))


def _draw_actions(act: Act) -> None:
    if tasks_page.draws(act):
        return
    st.button(
        "Continue", icon=":material/arrow_forward:", key=f"continue-{act.key}", on_click=act.desk.write,
        args=(act.output.text, True), help="Continues this text with the current settings.",
    )  # fmt: skip
    st.button(
        "Edit", icon=":material/edit:", key=f"edit-{act.key}", on_click=act.desk.write,
        args=(act.output.text, False), help="Copies this text into the prompt box. Edit it, then press Run.",
    )  # fmt: skip


def _draw_chat(desk: Desk) -> None:
    chat_lesson.draw(desk.session, desk.spec)
    chat.draw(chat.Chat(desk))


def _draw_below(desk: Desk) -> None:
    chat_lesson.draw(desk.session, desk.spec)


def _write_first(session: Session, there: Desk) -> None:
    state.at(state.model_key(there.place)).set(there.spec.id)
    there.prompt.set(FIRST_PROMPT)
    chat.write()
    try:
        session.submit([Request(model=there.spec.id, inputs={"prompt": FIRST_PROMPT}, seed=0)])
    except PlaygroundError as error:
        state.notify(error.message)
    opening.ask(there.page.script)


def _welcome(session: Session) -> None:
    """Draw a first story to be written with one click, and the same one at three temperatures."""
    spec = next(spec for spec in session.catalog.values() if spec.modality == ROOM.id)
    there = desks.of(session, ROOM, spec.id)
    st.text(f"“{FIRST_PROMPT} …”")
    # by a callback: a press that the script alone would read is lost where the page is just being drawn anew
    st.button("Write this story", type="primary", icon=":material/auto_stories:", key="first-run",
              on_click=_write_first, args=(session, there))  # fmt: skip
    stories = [example.read_run(example.EXAMPLES / f"temperature-{value}.json").outputs[0] for value in TEMPERATURES]
    st.caption(
        f":material/lightbulb: **An example** by {plain(spec.name)}: the same beginning and the same seed at three "
        "temperatures."
    )
    story_view.draw(  # each of them goes on
        [replace(story, text=f"{story.text} …") for story in stories], "home-example", run="home-example",
        titles=[f"Temperature {value}" for value in TEMPERATURES],
    )  # fmt: skip


# given by the chat and by the branches under the microscope: no widget of the page's own
def _nothing(desk: Desk, item: object) -> None:
    return None


ROOM = Modality(
    id="text",
    pages=(
        RoomPage(
            shell.PAGES / "text.py", "Text", ":material/article:",
            "Two story writers, a Transformer and an LSTM, and two chat models made from the first by fine-tuning. "
            "See temperature, top-p and every other setting at work, token by token.",
            order=10,
        ),
        tasks_page.PAGE,
    ),
    views={"text": _draw, "table": _draw_table},
    tiles={"text": _draw_tile, "table": _draw_tile},
    waiting=_draw_waiting,
    actions={"text": _draw_actions},
    looks=(
        Look("Microscope", microscope_view.fits, microscope_view.draw),
        Look("Tipping points", tipping_view.fits, tipping_view.draw),
        Look("Attention", insides.fits_attention, insides.draw_attention),
        Look("Layers", insides.fits_lens, insides.draw_lens),
        Look("State", insides.fits_state, insides.draw_state),
        Look("Tokens", insides.fits_tokens, insides.draw_tokens),
        *tasks_page.LOOKS,
    ),
    jobs={side_by_side.PURPOSE: side_by_side.draw_job, round_trip.PURPOSE: round_trip.draw_job},
    modes=(Mode(chat.choose, _draw_chat, chat.apart),),
    welcome=_welcome,
    beside_run=side_by_side.draw_button,
    below=_draw_below,
    inputs={
        "messages": InputType(
            _nothing, chat.restore_messages, press="Press Enter in the box below.", shown=chat_view.show,
        ),
        "tokens": InputType(_nothing, lambda desk, item, given: None),
        **tasks_page.INPUTS,
    },
    file=SettingsFile(
        "text",
        "Drop a text that was saved here: its prompt, settings and seed are restored on this page. The file is read by "
        "this app and not stored.",
        saved.ENDINGS, TEXT_ARTIFACT_MAX_BYTES // 1_000_000,
    ),
    placeholder="Write how it begins …",
    prompt_px=110,
    end_line=False,
)  # fmt: skip
