"""What the room of sounds says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import run_list, shell, state
from components.audio import after as sound_after
from components.audio import (
    dictation,
    grid_cells,
    recording_input,
    sentence_rows,
    sound_actions,
    sound_pair,
    sound_view,
)
from components.escape import plain
from components.modality import Modality, RoomPage, SettingsFile, Showing, Takes, Words
from components.widgets import charts
from models import labels
from models.audio import tags
from models.audio.sound_family import SPEAKS_ANY
from models.types import Output, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.desk import Desk
    from models.spec import ModelSpec

TILE_CHARS = 80


def _draw(showing: Showing) -> None:
    sound_view.draw(showing.outputs, f"sound-{showing.key}", read=showing.read, live=showing.live)


def _draw_heard(showing: Showing) -> None:
    timed = any(output.meta.get("words") for output in showing.of("text"))
    recording = recording_input.own(showing.request) if timed and showing.request is not None else None
    sound_view.draw_heard(showing.outputs, f"sound-{showing.key}", showing.read, recording)


def _draw_tile(output: Output, read: Callable[[Output], bytes], key: str) -> None:
    st.caption(plain(sound_view.tune_words(output.text) or labels.shorten(output.text, TILE_CHARS)))
    if output.meta.get("peaks"):
        charts.draw(sound_view.wave(output, small=True), f"{key}-tile")


def _says(output: Output) -> str:
    """Return what a sound is in words, or what was recognised in one."""
    if output.kind == "text":
        return f"recognised: {output.text.strip() or 'nothing'}"
    return sound_view.tune_words(output.text) or output.text


def _draw_earlier(desk: Desk, runs: Sequence[Run], shown: str) -> None:
    sound_pair.draw(desk)
    run_list.draw_rows(desk, runs, shown)


def _draw_after(desk: Desk, run: Run, key: str) -> None:
    sound_after.draw(desk.session, run, key, desk.submit)


def _voice(desk: Desk, output: Output) -> ModelSpec | None:
    """Return a model that can speak a text, if the catalogue has one: one that is here before one to be got.

    A voice that tells which languages it reads is none for a text that is told to be of another.
    """
    catalog, language = desk.session.catalog, (output.meta.get("languages") or [""])[-1]
    found = [spec for spec in catalog.values() if SPEAKS_ANY in catalog.family(spec.id).roles
             and (not spec.reads or language in ("", *spec.reads))]  # fmt: skip
    return min(found, key=lambda spec: not spec.here, default=None)


def _speaks(desk: Desk, output: Output) -> bool:
    return desk.room.id != ROOM.id and _voice(desk, output) is not None  # what was heard here is no story to be told


def _speak(desk: Desk, output: Output) -> str:
    """Set the page to a text and speak it, where the voice is here."""
    spec = _voice(desk, output)
    assert spec is not None
    there = desks.of(desk.session, ROOM, spec.id)
    state.at(state.model_key(there.place)).set(spec.id)
    there.prompt.set(str(output.meta.get("aloud") or output.text))
    if spec.here:
        there.run()
    return spec.id


ROOM = Modality(
    id="audio",
    pages=(
        RoomPage(
            shell.PAGES / "audio.py", "Audio", ":material/graphic_eq:",
            "Folk tunes written note by note and played, by a Transformer and an LSTM; numbers spoken in six voices; "
            "a recogniser for your own voice. Hear what each setting does.",
            order=30,
        ),
    ),
    views={"audio": _draw, "text": _draw_heard},
    words=Words(decoded="sound"),
    tiles={"audio": _draw_tile, "text": _draw_tile},
    cells={"audio": grid_cells.tile},
    differences={"audio": grid_cells.difference},
    says=_says,
    earlier=_draw_earlier,
    actions={"audio": sound_actions.draw, "text": sound_actions.draw_heard},
    after=_draw_after,
    after_shared=sound_after.draw_shared,
    inputs={**recording_input.TYPES, **sentence_rows.TYPES},
    takes=(
        Takes(
            "speak", "text", "Speak", ":material/record_voice_over:",
            "Opens the Audio page, where a voice speaks this text.", _speaks, _speak,
        ),
    ),
    writes=(dictation.WRITES,),
    file=SettingsFile(
        "sound",
        "Drop a sound that was made here, in whatever format it was converted to since: its settings and seed are "
        "restored on this page. The file is read by this app and not stored.",
        tags.ENDINGS, recording_input.UPLOAD_MB,
    ),
    own_prompts=True,
)  # fmt: skip
