"""Pictures and masks as inputs: an upload with its thumbnail, and a mask painted on the picture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from components import inputs, params_form, services, state
from components.escape import plain
from components.image import mask_painter, see
from components.modality import InputType
from models.errors import BadInput, PlaygroundError
from models.family import InputField
from models.image import uploads
from models.image.files import ENDINGS, UPLOAD_MAX_BYTES

if TYPE_CHECKING:
    from components.desk import Desk

MASKED = 256  # px
SHOWN_PX = 256
PAINTED = 1024  # px: what is painted on travels to the browser, and the mask back
UPLOAD_MB = UPLOAD_MAX_BYTES // 1_000_000  # the browser says so before it sends what is too large
_TASK = "task"


def thumbnail(desk: Desk, ref: str, data: bytes) -> bytes:
    """Return a stored picture small, upright, as a PNG; made once, and kept beside it. Raises `BadInput` for none."""
    store = desk.session.jobs.store
    if (kept := store.get_beside(ref, uploads.THUMBNAIL)) is not None:
        return kept
    with services.decoder().calling(uploads.check, data, said="image", name="image") as (_, made):
        store.keep_beside(ref, uploads.THUMBNAIL, made[uploads.THUMBNAIL])
        return made[uploads.THUMBNAIL].read_bytes()


@st.cache_data(max_entries=200, show_spinner=False)
def _own_size(ref: str, _data: bytes) -> tuple[int, int]:
    """Return a picture's size, upright, at most `PAINTED` px a side in its own shape: a mask is scaled as it is."""
    width, height = services.decoder().call(uploads.size_within, _data, said="image", side=PAINTED)
    return width, height


@st.cache_data(max_entries=20, show_spinner=False)
def _fitted(ref: str, size: tuple[int, int], _data: bytes) -> bytes:
    """Return a picture as a PNG in the size in which a run takes it."""
    with services.decoder().calling(uploads.fitted, _data, said="image", size=size) as (_, made):
        return made[uploads.SHOWN].read_bytes()


@st.cache_data(max_entries=20, show_spinner=False)
def _masked(picture: str, mask: str, size: tuple[int, int], _picture: bytes, _mask: bytes) -> tuple[bytes, float]:
    """Return a picture with a mask over it as a run takes them, a PNG enlarged by a whole number, and the share."""
    call = services.decoder().calling(uploads.masked, _picture, _mask, said="mask", size=size, side=MASKED)
    with call as (share, made):
        return made[uploads.SHOWN].read_bytes(), float(share)


def draw_picture(desk: Desk, item: InputField) -> None:
    """Draw the upload of a picture, with the thumbnail of the one that is kept."""
    if not _draw_upload(desk, item) and item == main_input(desk.family.inputs):
        # only a room that takes its pictures has such a button for them
        inputs.draw_example(desk, item, "-input.png", "image")
        for takes in [one for one in desk.room.takes if one.kind == item.type][:1]:
            st.caption(f"Or press **{plain(takes.label)}** under an image that was made here.")


def main_input(items: tuple[InputField, ...]) -> InputField | None:
    """Return the picture that a family starts from: the first one that it takes."""
    return next((item for item in items if item.type == "image"), None)


def tasks_with(desk: Desk, item: InputField) -> tuple[str, ...]:
    """Return the tasks in which an input acts; () where it acts always."""
    return tuple(str(one) for one in item.shown_if.get(_TASK, ()))


def draw_mask(desk: Desk, item: InputField) -> None:
    """Draw the painter of a mask over the picture that it belongs to, and the upload that may take its place."""
    picture = main_input(desk.family.inputs)
    data = _picture(desk, picture) if picture is not None else None
    if picture is None or data is None:
        st.caption("Add an image first, then paint over the area to redraw.")
        return
    size = _size(desk) or _own_size(inputs.kept_ref(desk, picture) or "", data)
    st.markdown("**Mask** · paint over the area to redraw")
    fitted = _fitted(inputs.kept_ref(desk, picture) or "", size, data)
    _keep_painted(desk, item, mask_painter.draw(fitted, f"{desk.spec.id}-mask", size=size))
    mask = inputs.ref(desk, item)
    given = mask.there and mask.get() != _painted(mask).get()
    with st.expander("Upload a mask instead"):
        _draw_uploader(desk, item)
    taken = _picture(desk, item) if given else None
    if taken is not None:
        _draw_masked(desk, picture, item, size, data, taken)


def _size(desk: Desk) -> tuple[int, int] | None:
    """Return the size in which a run takes pictures; None for a model without such settings, which takes their own."""
    values: dict[str, Any] = params_form.values(desk.spec, desk.fields)
    width, height = values.get("width"), values.get("height")
    return (int(width), int(height)) if width and height else None


def _draw_masked(
    desk: Desk, picture: InputField, item: InputField, size: tuple[int, int], data: bytes, mask: bytes
) -> None:
    """Draw a mask as it is taken: over its picture, cropped and scaled with it."""
    below, above = (inputs.kept_ref(desk, one) or "" for one in (picture, item))
    shown, share = _masked(below, above, size, data, mask)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.image(shown, alt="The image with the mask over it")
        inputs.draw_remove(desk, item)
    if share:
        percent = "less than 1" if share < 0.01 else f"{100 * share:.0f}"
        st.caption(f"The mask that was given: violet is redrawn, {percent}% of the image. Painting replaces it.")
    else:
        st.warning("This mask redraws nothing. Paint what to redraw in white on black, or on transparent ground.")


def _draw_upload(desk: Desk, item: InputField) -> bool:
    """Draw the box and what it holds; say whether it holds anything."""
    _draw_uploader(desk, item)
    data = _picture(desk, item)
    if data is None:
        return False
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(thumbnail(desk, inputs.kept_ref(desk, item) or "", data), alt=item.label)
        inputs.draw_remove(desk, item)
        see.draw_button(desk, item)
    return True


def _draw_uploader(desk: Desk, item: InputField) -> None:
    """Draw the box that takes a picture, and what was wrong with the last one."""
    st.file_uploader(
        item.label, list(item.accept or ENDINGS), key=inputs.upload_key(desk, item, "upload"), help=item.help,
        on_change=inputs.take_upload, args=(desk, item, "upload"), max_upload_size=UPLOAD_MB,
    )  # fmt: skip
    inputs.draw_limits(item)
    inputs.draw_problem(desk, item)


def _picture(desk: Desk, item: InputField) -> bytes | None:
    """Return a kept picture's bytes, or None; what is none, as a link may name it, is forgotten."""
    data = inputs.stored(desk, item)
    if data is None:
        return None
    try:
        thumbnail(desk, inputs.kept_ref(desk, item) or "", data)
        return data
    except BadInput:
        inputs.ref(desk, item).pop()
        return None


def _keep_painted(desk: Desk, item: InputField, painted: bytes | None) -> None:
    """Take what was painted as the mask when it changes: one that was uploaded or restored since stays till then."""
    mask = inputs.ref(desk, item)
    before = _painted(mask).get()
    now = _stored(painted) if painted is not None else None
    if now == before:
        return
    if painted is not None:
        try:
            inputs.stored_upload(desk, item, painted, "mask")
        except PlaygroundError as error:
            inputs.problem(desk, item).set(error.message)
            return
    _painted(mask).set(now)
    if now is not None:
        mask.set(now)
    elif mask.get() == before:
        mask.pop()  # wiped clean again


def _stored(data: bytes) -> str:
    """Return the reference under which bytes are stored."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _painted(mask: state.Slot[str]) -> state.Slot[str | None]:
    """Return the slot of the reference of what was painted last."""
    return state.at(state.key(mask.key, "painted"), None)


def _restore(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    inputs.restore_ref(desk, item, given)


def _show(desk: Desk, ref: str) -> None:
    """Draw an upload to be looked at."""
    data = desk.session.jobs.store.get_bytes(ref)
    st.image(_fitted(ref, _own_size(ref, data), data), alt="The image that was uploaded", width=SHOWN_PX)


TYPES = {
    "image": InputType(inputs.kept_ref, _restore, draw_picture, uploads.check, beside=True, shown=_show),
    "mask": InputType(inputs.kept_ref, _restore, draw_mask, uploads.check, uses=("width", "height"), shown=_show),
}
