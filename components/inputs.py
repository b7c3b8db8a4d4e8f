"""What a model takes beside its settings: prompts and pictures. Pictures go to the store at once; a hash is kept."""

from __future__ import annotations

import io
from typing import Any

import streamlit as st

from components import mask_painter, params_form, state
from components.words import plain
from models import images
from models.catalog import ModelSpec
from models.errors import PlaygroundError
from models.family import Family, InputField
from models.jobs import Jobs
from models.media import check_text
from models.params import ParamField

# a task that draws from words or chance alone takes no picture; the others take those named here
_PICTURES: dict[str, tuple[str, ...]] = {
    "image to image": ("image",), "inpaint": ("image", "mask"), "reconstruct": ("image",),
    "interpolate": ("image", "image_to"),
}  # fmt: skip


def ref_key(modality: str, name: str) -> str:
    """Return the key under which the reference of a page's picture is kept."""
    return f"{modality}-input-{name}"


def text_key(modality: str, name: str) -> str:
    """Return the key of a page's text input; the prompt is shared by all models of a page."""
    return state.prompt_key(modality) if name == "prompt" else f"{modality}-input-{name}"


def wanted(family: Family, spec: ModelSpec, fields: tuple[ParamField, ...]) -> list[InputField]:
    """Return the inputs that act under the settings as they are."""
    values = params_form.values(spec, fields)
    pictures = _PICTURES.get(str(values.get("task", "")), ())
    found = []
    for item in family.inputs:
        if item.type == "text":
            if item.name != "prompt_to" or values.get("prompt_mix"):
                found.append(item)
        elif item.type == "image" and item.name in pictures:
            found.append(item)
    return found


def collect(family: Family, spec: ModelSpec, fields: tuple[ParamField, ...]) -> dict[str, str]:
    """Return the inputs of a request. Raises `BadInput` for text that cannot be run."""
    inputs = {}
    for item in wanted(family, spec, fields):
        if item.type == "text":
            inputs[item.name] = check_text(st.session_state.get(text_key(spec.modality, item.name), ""), item.name)
        elif ref := st.session_state.get(ref_key(spec.modality, item.name)):
            inputs[item.name] = ref
    return inputs


def restore(modality: str, given: dict[str, str]) -> None:
    """Set the page's inputs to those of a request, before their widgets are drawn."""
    for name, value in given.items():
        key = ref_key(modality, name) if value.startswith("sha256:") else text_key(modality, name)
        st.session_state[key] = value


def draw_text(spec: ModelSpec, item: InputField) -> None:
    """Draw a text input beside the prompt."""
    st.text_area(
        item.label or item.name, key=text_key(spec.modality, item.name), height=80, persist_state="session",
        help=item.help,
    )  # fmt: skip


def draw_pictures(jobs: Jobs, family: Family, spec: ModelSpec, fields: tuple[ParamField, ...]) -> None:
    """Draw the pictures that the task needs: an upload each, its thumbnail, and the painter of a mask."""
    items = [item for item in wanted(family, spec, fields) if item.type == "image"]
    uploads = [item for item in items if item.name != "mask"]
    for column, item in zip(st.columns(max(1, len(uploads))), uploads, strict=False):
        with column:
            _draw_upload(jobs, spec.modality, item)
    if any(item.name == "mask" for item in items):
        _draw_mask(jobs, spec, fields)


def _draw_upload(jobs: Jobs, modality: str, item: InputField) -> None:
    key = ref_key(modality, item.name)
    st.file_uploader(
        item.label, ["png", "jpg", "jpeg", "webp"], key=f"{key}-upload-{st.session_state.get(f'{key}-turn', 0)}",
        help=item.help, on_change=_take_upload, args=(jobs, key, item.label),
    )  # fmt: skip
    if message := st.session_state.get(f"{key}-problem"):
        st.error(plain(message), icon=":material/error:")
    data = _stored(jobs, key)
    if data is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.image(data, width=96)
            st.button("Remove", icon=":material/close:", key=f"{key}-remove", on_click=_remove, args=(key,))


def _take_upload(jobs: Jobs, key: str, label: str) -> None:
    """Check an upload and keep its hash; a bad one leaves what was there."""
    turn = st.session_state.get(f"{key}-turn", 0)
    upload = st.session_state.get(f"{key}-upload-{turn}")
    if upload is None:
        return
    st.session_state[f"{key}-turn"] = turn + 1  # the box is empty again: the thumbnail shows what is kept
    st.session_state[f"{key}-problem"] = ""
    try:
        data = upload.getvalue()
        images.decode_upload(data, label.lower())
        st.session_state[key] = jobs.store.put_bytes(data)
    except PlaygroundError as error:
        st.session_state[f"{key}-problem"] = error.message


def _remove(key: str) -> None:
    st.session_state.pop(key, None)
    st.session_state[f"{key}-problem"] = ""


def _stored(jobs: Jobs, key: str) -> bytes | None:
    """Return a kept picture's bytes, or None; one that was cleared is forgotten."""
    ref = st.session_state.get(key)
    if not ref:
        return None
    try:
        return jobs.store.get_bytes(ref)
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
    buffer = io.BytesIO()
    images.fit(images.decode_upload(data), *size).save(buffer, "PNG")
    st.markdown("**Mask** · paint what is to be drawn anew")
    painted = mask_painter.draw(buffer.getvalue(), f"{spec.id}-mask", size=size)
    key = ref_key(spec.modality, "mask")
    if painted is not None:
        st.session_state[key] = jobs.store.put_bytes(painted)
        st.session_state[f"{key}-painted"] = True
    elif st.session_state.pop(f"{key}-painted", False):
        st.session_state.pop(key, None)  # wiped clean again
    with st.expander("Upload a mask instead"):
        _draw_upload(jobs, spec.modality, InputField("mask", "image", False, "Mask", "White is drawn anew."))
