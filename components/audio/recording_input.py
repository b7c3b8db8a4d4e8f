"""Recordings as inputs: by microphone, as a file, or the one that ships with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import inputs
from components import session as sessions
from components.example import example_file
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
        _draw_example(desk, item)
        return
    data = inputs.stored(desk, item)
    if data is None:
        return
    st.caption("Your recording:")
    st.audio(data)
    inputs.draw_remove(desk, item)


def _draw_example(desk: Desk, item: InputField) -> None:
    """Offer the recording that ships with a model, for those who have none at hand."""
    file = example_file(desk.spec, "-input.wav")
    if file is None:
        return
    key = inputs.ref_key(desk.place, item.name)

    def chosen() -> None:
        try:
            inputs.take(desk, item, file.read_bytes())
            inputs.problem(desk, item).set("")
        except PlaygroundError as error:  # a full disk
            inputs.problem(desk, item).set(error.message)

    st.button(
        "Use an example", icon=":material/lightbulb:", key=f"{key}-example", on_click=chosen,
        help="Loads a sample recording; then press Run.",
    )  # fmt: skip


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
