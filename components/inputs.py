"""What a model takes beside its settings: prompts and pictures. Pictures go to the store at once; a hash is kept."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from components import mask_painter, params_form, sentence_rows, state
from components.words import plain
from models import images, sounds
from models.blobs import REFERENCE
from models.errors import PlaygroundError
from models.family import Family, InputField
from models.images import UPLOAD_MAX_BYTES
from models.jobs import Jobs
from models.params import ParamField, in_effect
from models.plain_text import check_text
from models.spec import ModelSpec

# a task that draws from words or chance alone takes no picture; the others take those named here
_PICTURES: dict[str, tuple[str, ...]] = {
    "image to image": ("image",), "inpaint": ("image", "mask"), "reconstruct": ("image",),
    "interpolate": ("image", "image_to"),
}  # fmt: skip
_WORDLESS = ("reconstruct", "interpolate")  # tasks in which no prompt acts
EXAMPLES = Path(__file__).parent / "examples"
THUMBNAIL = 96
SOUND_MB = sounds.UPLOAD_MAX_BYTES // 1_000_000
UPLOAD_MB = UPLOAD_MAX_BYTES // 1_000_000  # the browser says so before it sends what is too large


def ref_key(modality: str, name: str) -> str:
    """Return the key under which the reference of a page's picture is kept."""
    return f"{modality}-input-{name}"


def text_key(modality: str, family: Family, name: str) -> str:
    """Return the key of a page's text input; see `state.prompt_key`."""
    return state.prompt_key(modality, family.name) if name == "prompt" else f"{modality}-input-{name}"


def wanted(family: Family, spec: ModelSpec, fields: tuple[ParamField, ...]) -> list[InputField]:
    """Return the inputs that act under the settings as they are."""
    return wanted_under(family, fields, params_form.values(spec, fields))


def wanted_under(family: Family, fields: tuple[ParamField, ...], values: Mapping[str, Any]) -> list[InputField]:
    """Return the inputs that act under these values of all settings."""
    task = str(values.get("task", ""))
    names = {*_PICTURES.get(task, ()), *(item.name for item in family.inputs if item.type == "audio")}
    if task not in _WORDLESS:
        names.add("prompt")
        if values.get("prompt_mix") and "prompt_mix" in in_effect(fields, values):
            names.add("prompt_to")
    if values.get("guidance_scale", 1) > 1 and "guidance_scale" in in_effect(fields, values):
        names.add("negative_prompt")
    return [item for item in family.inputs if item.name in names]


def collect(family: Family, spec: ModelSpec, fields: tuple[ParamField, ...]) -> dict[str, str]:
    """Return the inputs of a request. Raises `BadInput` for text that cannot be run."""
    inputs = {}
    for item in wanted(family, spec, fields):
        if item.type == "text":
            inputs[item.name] = check_text(
                st.session_state.get(text_key(spec.modality, family, item.name), ""), item.name
            )
        elif ref := st.session_state.get(ref_key(spec.modality, item.name)):
            inputs[item.name] = ref
    if _has_rows(family) and (rows := sentence_rows.kept(inputs.get("prompt", ""))):
        inputs["rows"] = rows
    return inputs


def _has_rows(family: Family) -> bool:
    return any(item.name == "rows" for item in family.inputs)


def restore(modality: str, family: Family, given: Mapping[str, str]) -> None:
    """Set the page's inputs to those of a request, before their widgets are drawn; other names are passed over.

    What names no picture in an input for one clears it.
    """
    if _has_rows(family):
        sentence_rows.keep(given)
    for item in family.inputs:
        if item.name not in given or item.name == "rows":
            continue
        if item.type == "text":
            st.session_state[text_key(modality, family, item.name)] = given[item.name]
        elif REFERENCE.fullmatch(given[item.name]):
            st.session_state[ref_key(modality, item.name)] = given[item.name]
        else:
            st.session_state.pop(ref_key(modality, item.name), None)


def missing(family: Family, spec: ModelSpec, fields: tuple[ParamField, ...]) -> str:
    """Return a sentence about the pictures that the task needs and that are not there yet; "" where none is missing."""
    names = [
        item.label.lower() for item in wanted(family, spec, fields)
        if item.type in ("image", "audio") and not st.session_state.get(ref_key(spec.modality, item.name))
    ]  # fmt: skip
    return f"Still to be given, as links and files do not hold it: the {' and the '.join(names)}." if names else ""


def take(jobs: Jobs, modality: str, name: str, data: bytes, said: str = "picture") -> None:
    """Make a picture the input `name`. Raises `BadInput` for what is none; what was there before then stays."""
    (sounds if name == "audio" else images).decode_upload(data, name=said)
    st.session_state[ref_key(modality, name)] = jobs.store.put_bytes(data)


def draw_text(family: Family, spec: ModelSpec, item: InputField) -> None:
    """Draw a text input beside the prompt."""
    st.text_area(
        item.label or item.name, key=text_key(spec.modality, family, item.name), height=80, persist_state="session",
        help=item.help,
    )  # fmt: skip


def draw_pictures(jobs: Jobs, family: Family, spec: ModelSpec, fields: tuple[ParamField, ...]) -> None:
    """Draw the pictures that the task needs: an upload each, its thumbnail, and the painter of a mask."""
    for item in wanted(family, spec, fields):
        if item.type == "audio":
            _draw_recording(jobs, spec, item)
    items = [item for item in wanted(family, spec, fields) if item.type == "image"]
    uploads = [item for item in items if item.name != "mask"]
    for column, item in zip(st.columns(max(1, len(uploads))), uploads, strict=False):
        with column:
            _draw_upload(jobs, spec.modality, item)
            if _stored(jobs, ref_key(spec.modality, item.name)) is None and item.name == "image":
                st.caption("Or press **Use as input** under a picture that was made here.")
    if any(item.name == "mask" for item in items):
        _draw_mask(jobs, spec, fields)


def _draw_upload(jobs: Jobs, modality: str, item: InputField) -> None:
    key = ref_key(modality, item.name)
    st.file_uploader(
        item.label, ["png", "jpg", "jpeg", "webp"], key=f"{key}-upload-{st.session_state.get(f'{key}-turn', 0)}",
        help=item.help, on_change=_take_upload, args=(jobs, modality, item), max_upload_size=UPLOAD_MB,
    )  # fmt: skip
    if message := st.session_state.get(f"{key}-problem"):
        st.error(plain(message), icon=":material/error:")
    data = _stored(jobs, key)
    if data is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.image(thumbnail(st.session_state[key], THUMBNAIL, data), alt=item.label)
            st.button("Remove", icon=":material/close:", key=f"{key}-remove", on_click=_remove, args=(key,))


@st.cache_data(max_entries=200, show_spinner=False)
def thumbnail(ref: str, side: int, _data: bytes) -> bytes:
    """Return a picture, upright, as a PNG of at most `side` px a side. `ref` names the bytes."""
    picture = images.decode_upload(_data)
    picture.thumbnail((side, side))
    return _png(picture)


@st.cache_data(max_entries=20, show_spinner=False)
def _fitted(ref: str, size: tuple[int, int], _data: bytes) -> bytes:
    """Return a picture as a PNG in the size in which a run takes it."""
    return _png(images.fit(images.decode_upload(_data), *size))


def _png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _take_upload(jobs: Jobs, modality: str, item: InputField) -> None:
    """Check an upload and keep its hash; a bad one leaves what was there."""
    key = ref_key(modality, item.name)
    turn = st.session_state.get(f"{key}-turn", 0)
    upload = st.session_state.get(f"{key}-upload-{turn}")
    if upload is None:
        return
    st.session_state[f"{key}-turn"] = turn + 1  # the box is empty again: the thumbnail shows what is kept
    st.session_state[f"{key}-problem"] = ""
    try:
        take(jobs, modality, item.name, upload.getvalue(), item.label.lower())
    except PlaygroundError as error:
        st.session_state[f"{key}-problem"] = error.message


def _draw_recording(jobs: Jobs, spec: ModelSpec, item: InputField) -> None:
    """Draw what takes a recording, by microphone or as a file, and the one that is kept."""
    modality = spec.modality
    key = ref_key(modality, item.name)
    turn = st.session_state.get(f"{key}-turn", 0)
    left, right = st.columns(2)
    with left:
        st.audio_input(
            "Record", key=f"{key}-record-{turn}", on_change=_take_recording, args=(jobs, modality, item), help=item.help
        )
    with right:
        st.file_uploader(
            "Or give a file", ["wav", "flac", "mp3", "ogg", "oga", "opus"], key=f"{key}-upload-{turn}",
            on_change=_take_recording, args=(jobs, modality, item), max_upload_size=SOUND_MB,
        )  # fmt: skip
    if message := st.session_state.get(f"{key}-problem"):
        st.error(plain(message), icon=":material/error:")
    ref = st.session_state.get(key)
    if not ref:
        _draw_example(jobs, spec, item)
        return
    try:
        data = jobs.store.get_bytes(ref)
    except PlaygroundError:
        st.session_state.pop(key, None)
        return
    st.caption("The recording that is heard:")
    st.audio(data)
    st.button("Remove", icon=":material/close:", key=f"{key}-remove", on_click=_remove, args=(key,))


def _draw_example(jobs: Jobs, spec: ModelSpec, item: InputField) -> None:
    """Offer the recording that ships with a model, for those who have none at hand."""
    file = EXAMPLES / f"{spec.id.replace('/', '-')}-input.wav"
    if not file.exists():
        return

    def chosen() -> None:
        take(jobs, spec.modality, item.name, file.read_bytes(), item.label.lower())
        st.session_state[f"{ref_key(spec.modality, item.name)}-problem"] = ""

    st.button(
        "Take an example", icon=":material/lightbulb:", key=f"{ref_key(spec.modality, item.name)}-example",
        on_click=chosen, help="A recording that was made here; then press Run.",
    )  # fmt: skip


def _take_recording(jobs: Jobs, modality: str, item: InputField) -> None:
    """Check a recording and keep its hash; a bad one leaves what was there."""
    key = ref_key(modality, item.name)
    turn = st.session_state.get(f"{key}-turn", 0)
    given = st.session_state.get(f"{key}-record-{turn}") or st.session_state.get(f"{key}-upload-{turn}")
    if given is None:
        return
    st.session_state[f"{key}-turn"] = turn + 1
    st.session_state[f"{key}-problem"] = ""
    try:
        take(jobs, modality, item.name, given.getvalue(), item.label.lower())
    except PlaygroundError as error:
        st.session_state[f"{key}-problem"] = error.message


def _remove(key: str) -> None:
    st.session_state.pop(key, None)
    st.session_state[f"{key}-problem"] = ""


def _stored(jobs: Jobs, key: str) -> bytes | None:
    """Return a kept picture's bytes, or None; one that was cleared, or is no picture, is forgotten."""
    ref = st.session_state.get(key)
    if not ref:
        return None
    try:
        data = jobs.store.get_bytes(ref)
        thumbnail(ref, THUMBNAIL, data)
        return data
    except PlaygroundError:
        st.session_state.pop(key, None)
        return None


def _draw_mask(jobs: Jobs, spec: ModelSpec, fields: tuple[ParamField, ...]) -> None:
    data = _stored(jobs, ref_key(spec.modality, "image"))
    if data is None:
        st.caption("Give a picture first; then paint on it what is to be drawn anew.")
        return
    values: dict[str, Any] = params_form.values(spec, fields)
    size = (int(values["width"]), int(values["height"]))
    st.markdown("**Mask** · paint what is to be drawn anew")
    picture = _fitted(st.session_state[ref_key(spec.modality, "image")], size, data)
    _keep_painted(jobs, spec, mask_painter.draw(picture, f"{spec.id}-mask", size=size))
    key = ref_key(spec.modality, "mask")
    given = key in st.session_state and st.session_state[key] != st.session_state.get(f"{key}-painted")
    with st.expander("Upload a mask instead", expanded=given):
        _draw_upload(jobs, spec.modality, InputField("mask", "image", False, "Mask", "White is drawn anew."))


def _keep_painted(jobs: Jobs, spec: ModelSpec, painted: bytes | None) -> None:
    """Take what was painted as the mask when it changes: one that was uploaded or restored since stays till then."""
    key = ref_key(spec.modality, "mask")
    before = st.session_state.get(f"{key}-painted")
    now = jobs.store.put_bytes(painted) if painted is not None else None
    if now == before:
        return
    st.session_state[f"{key}-painted"] = now
    if now is not None:
        st.session_state[key] = now
    elif st.session_state.get(key) == before:
        st.session_state.pop(key)  # wiped clean again
