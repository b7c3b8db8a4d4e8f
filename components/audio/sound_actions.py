"""What can be done with a sound: other file formats, notes as files, notes among them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from components import services
from components.modality import Act
from models.audio import sounds, subtitles, written
from models.stamps import file_name
from models.types import Output, Run

_SUBTITLES = {"srt": "application/x-subrip", "vtt": "text/vtt"}


def draw(act: Act) -> None:
    """Draw the menu of files beside the WAV that every sound has."""
    run, output, key = act.run, act.output, act.key
    with st.popover("More files", icon=":material/folder_zip:", key=f"files-{key}"):
        st.caption("FLAC, MP3 and OGG files contain the settings, too.")
        for kind in ("FLAC", "MP3", "OGG"):
            media_type = sounds.FORMATS[kind]
            st.download_button(
                kind, partial(_written, run, output, kind.lower()), _name(run, output, media_type), media_type,
                key=f"{kind}-{key}", on_click="ignore",
            )  # fmt: skip
        if output.text.startswith("M:"):
            st.download_button(
                "MIDI", partial(_written, run, output, "mid"), _name(run, output, "audio/midi"), "audio/midi",
                key=f"midi-{key}", on_click="ignore",
            )  # fmt: skip
            st.download_button(
                "ABC notation", partial(_written, run, output, "abc"), _name(run, output, "text/vnd.abc"),
                "text/vnd.abc", key=f"abc-{key}", on_click="ignore",
            )  # fmt: skip


def draw_heard(act: Act) -> None:
    """Draw the downloads of what was heard as subtitles, where it has times."""
    if not (act.output.meta.get("segments") or act.output.meta.get("words")):
        return
    with st.popover("Subtitles", icon=":material/subtitles:", key=f"subtitles-{act.key}"):
        stem = _name(act.run, act.output, "text/plain").rsplit(".", 1)[0]
        for ending, media_type in _SUBTITLES.items():
            written_as = partial(subtitles.write, act.output.meta, ending)
            st.download_button(
                f"Download .{ending}", written_as, f"{stem}.{ending}", media_type,
                key=f"{ending}-{act.key}", icon=":material/download:", on_click="ignore",
            )  # fmt: skip


def _name(run: Run, output: Output, media_type: str) -> str:
    return file_name(run.request.model, run.request.seed, output.index, media_type)


def _written(run: Run, output: Output, ending: str) -> bytes:
    """Return a stored sound as another kind of file."""
    data = output.data or services.jobs().store.get_bytes(output.sha256)
    return written.write(run.request, replace(output, data=data), ending)
