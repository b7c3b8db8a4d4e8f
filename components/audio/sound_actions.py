"""What can be done with a sound: other file formats, notes as files, notes among them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from components import services
from components.modality import Act
from models.audio import scores, sounds, tunes
from models.stamps import file_name
from models.types import Output, Run


def draw(act: Act) -> None:
    """Draw the menu of files beside the WAV that every sound has."""
    run, output, key = act.run, act.output, act.key
    with st.popover("More files", icon=":material/folder_zip:", key=f"files-{key}"):
        st.caption("FLAC and MP3 files contain the settings, too.")
        for kind in ("FLAC", "MP3"):
            media_type = sounds.FORMATS[kind]
            st.download_button(
                kind, partial(_converted, output, kind), _name(run, output, media_type), media_type,
                key=f"{kind}-{key}", on_click="ignore",
            )  # fmt: skip
        if output.text.startswith("M:"):
            st.download_button(
                "MIDI", partial(_midi, run, output), _name(run, output, "audio/midi"), "audio/midi",
                key=f"midi-{key}", on_click="ignore",
            )  # fmt: skip
            st.download_button(
                "ABC notation", partial(_abc, run, output), _name(run, output, "text/vnd.abc"), "text/vnd.abc",
                key=f"abc-{key}", on_click="ignore",
            )  # fmt: skip


def _name(run: Run, output: Output, media_type: str) -> str:
    return file_name(run.request.model, run.request.seed, output.index, media_type)


def _converted(output: Output, kind: str) -> bytes:
    """Return a stored WAV as another kind of file, its tags kept."""
    data = output.data or services.jobs().store.get_bytes(output.sha256)
    samples, rate = sounds.read_wav(data)
    return sounds.encode(samples, rate, kind, sounds.read_comment(data))


def _midi(run: Run, output: Output) -> bytes:
    params = run.request.params
    return scores.midi(
        output.text, int(output.meta.get("tempo", 120)), str(params.get("instrument", "plucked string")),
        chords=float(str(params.get("chords", 0.5))) > 0, repeats=bool(params.get("repeats", True)),
    )  # fmt: skip


def _abc(run: Run, output: Output) -> bytes:
    seed = output.meta.get("seed", run.request.seed)
    return tunes.to_abc(output.text, f"{run.request.model}, seed {seed}", int(output.meta.get("tempo", 0))).encode()
