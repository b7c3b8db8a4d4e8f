"""Recordings as inputs: by microphone, as a file, or the one that ships with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import inputs
from components import session as sessions
from components.modality import InputType
from models.audio import sounds, uploads
from models.blobs import REFERENCE
from models.errors import PlaygroundError
from models.family import InputField
from models.types import Request

if TYPE_CHECKING:
    from components.desk import Desk

UPLOAD_MB = sounds.UPLOAD_MAX_BYTES // 1_000_000
ENDINGS = ("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "aac", "webm", "weba")


def draw(desk: Desk, item: InputField) -> None:
    """Draw what takes a recording, and the one that is kept."""
    left, right = st.columns(2)
    with left:
        st.audio_input(
            "Record", key=inputs.upload_key(desk, item, "record"), on_change=inputs.take_upload,
            args=(desk, item, "record", "upload"), help=item.help,
        )  # fmt: skip
    with right:
        st.file_uploader(
            "Or upload a file", list(item.accept or ENDINGS), key=inputs.upload_key(desk, item, "upload"),
            on_change=inputs.take_upload, args=(desk, item, "record", "upload"), max_upload_size=UPLOAD_MB,
        )  # fmt: skip
    inputs.draw_limits(item)
    inputs.draw_problem(desk, item)
    if inputs.kept_ref(desk, item) is None:
        inputs.draw_example(desk, item, "-input.wav", "recording")
        return
    data = inputs.stored(desk, item)
    if data is None:
        return
    st.caption("The recording:")
    st.audio(data)
    inputs.draw_remove(desk, item)


def _show(desk: Desk, ref: str) -> None:
    """Draw an upload to be listened to."""
    st.audio(desk.session.jobs.store.get_bytes(ref))


def own(request: Request) -> bytes | None:
    """Return the recording of a request where it is whose page this is, and still here; else None."""
    here, ref = sessions.here(), request.inputs.get("audio", "")
    if not REFERENCE.fullmatch(ref) or not here.jobs.store.owns(here.owner, ref):
        return None
    try:
        return here.jobs.store.get_bytes(ref)
    except PlaygroundError:  # it was cleared
        return None


TYPES = {"audio": InputType(inputs.kept_ref, inputs.restore_ref, draw, uploads.check, shown=_show)}
