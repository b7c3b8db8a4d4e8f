"""What the room of pictures says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from components import desk as desks
from components import inputs, result, shell, state
from components.image import (
    caption_view,
    compare,
    gallery,
    grid_cells,
    image_view,
    picture_input,
    see,
    seen_view,
    theatre,
    walk_view,
    word_lens,
)
from components.modality import Act, Look, Modality, RoomPage, SettingsFile, Showing, Takes, Words
from models.image import files, saved
from models.types import SEED_MAX, Output, Request, drawn_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.desk import Desk
    from components.session import Session

ONE_BATCH = 4  # pictures that are drawn at once
TILE_PX = 96


def _draw(showing: Showing) -> None:
    request = showing.request
    pictures = [replace(output, data=showing.read(output)) for output in showing.of("image")]
    image_view.draw(
        pictures, f"pictures-{showing.key}", run=showing.key, live=showing.live,
        alt=request.inputs.get("prompt", "") if request is not None else "",
        size=_size(request) if showing.live else None, count=_count(request),
    )  # fmt: skip


def _draw_text(showing: Showing) -> None:
    """Draw what was said of an image: captions, or else names."""
    for output in showing.of("text"):
        if caption_view.is_one(output):
            caption_view.draw(output, showing)
        else:
            seen_view.draw(output)


def _draw_waiting(request: Request, key: str) -> None:
    """Draw the empty places of the pictures, in the size in which they come."""
    if _size(request):
        _draw(Showing([], key, lambda output: output.data, live=True, request=request))


def _draw_tile(output: Output, read: Callable[[Output], bytes], key: str) -> None:
    if data := read(output):
        st.image(data, width=TILE_PX, alt=output.text or "The image")


def _says(output: Output) -> str:
    """Return what an output is in words: what was recognised in an image or said of it, nothing for an image itself."""
    if found := seen_view.words(output):
        return f"recognised: {found}"
    return f"caption: {found}" if (found := caption_view.words(output)) else ""


def _size(request: Request | None) -> tuple[int, int] | None:
    """Return the size that a request asks for, so that its previews are shown as large as the result will be."""
    params = request.params if request is not None else {}
    width, height = params.get("width"), params.get("height")
    return (int(str(width)), int(str(height))) if width and height else None


def _count(request: Request | None) -> int:
    """Return how many pictures a request asks for."""
    return int(str(request.params.get("num_images") or 1)) if request is not None else 1


def _skips(request: Request, more: int) -> bool:
    return more > 0 or _count(request) > ONE_BATCH


def _draw_actions(act: Act) -> None:
    if "variation_strength" in act.run.request.params:
        st.button(
            "Vary", icon=":material/alt_route:", key=f"vary-{act.key}", on_click=_vary,
            args=(act.desk, act.run.request, act.output.index), help="Makes a close variation: same settings, "
                                                                     "slightly changed noise.",
        )  # fmt: skip


def _vary(desk: Desk, request: Request, index: int) -> None:
    """Run a close variation of picture `index` of a request."""
    near = {"num_images": 1, "variation_strength": 0.3, "variation_seed": drawn_seed()}
    seed = (request.seed + index) % (SEED_MAX + 1)
    desk.submit(request.model_copy(update={"params": {**request.params, **near}, "seed": seed}))


def _take(desk: Desk, output: Output) -> str:
    """Make a result the picture to start from, and choose a task that takes one."""
    here = desk if desk.room.id == ROOM.id else _own_desk(desk.session)
    item = picture_input.main_input(here.family.inputs)
    tasks = _tasks(here)
    if item is None or not _starts_from_one(here):
        state.notify(
            f"{here.spec.name} cannot start from an image. Choose one that can, then press “Use as input” again.",
            "info",
        )
        return here.spec.id
    inputs.take(here, item, result.stored(desk.session.jobs, output), "picture")
    state.at(state.model_key(here.place)).set(here.spec.id)
    task = state.at(state.setting_key(here.spec.id, "task"))
    if tasks and task.get() not in picture_input.tasks_with(here, item):
        task.set(tasks[0])
    state.notify("This image is now the starting image.", "info")
    return here.spec.id


def _tasks(desk: Desk) -> list[str]:
    """Return the tasks of a model in which its first picture acts, in the model's order."""
    item = picture_input.main_input(desk.family.inputs)
    allowed = next((field.choices for field in desk.fields if field.name == "task"), ())
    return [task for task in picture_input.tasks_with(desk, item) if task in allowed] if item is not None else []


def _starts_from_one(desk: Desk) -> bool:
    """Say whether a model can start from a picture: in one of its tasks, or always."""
    item = picture_input.main_input(desk.family.inputs)
    return item is not None and (not item.shown_if or bool(_tasks(desk)))


def _own_desk(session: Session) -> Desk:
    """Return the desk of this room's page: its chosen model if that takes a picture, else the first that does."""
    mine = [spec.id for spec in session.catalog.values() if spec.modality == ROOM.id]
    chosen = state.at(state.model_key(ROOM.id), mine[0]).get()
    every = [desks.of(session, ROOM, model) for model in (chosen, *mine)]
    return next((desk for desk in every if _starts_from_one(desk)), every[0])


def _takes_any(desk: Desk, output: Output) -> bool:
    return any(spec.modality == ROOM.id for spec in desk.session.catalog.values())


ROOM = Modality(
    id="image",
    pages=(
        RoomPage(
            shell.PAGES / "image.py", "Image", ":material/image:",
            "Emoji drawn from words by three architectures side by side: a latent diffusion in Stable Diffusion's "
            "layout, a GAN and a VAE. Steps, guidance, schedulers, inpainting, walks between seeds and prompts.",
            order=20,
        ),
    ),
    views={"image": _draw, "text": _draw_text},
    words=Words(decoded="pixels", rest=" for these images", one="image"),
    tiles={"image": _draw_tile},
    cells={"image": grid_cells.tile},
    differences={"image": grid_cells.difference},
    waiting=_draw_waiting,
    earlier=gallery.draw,
    actions={"image": _draw_actions},
    says=_says,
    looks=(
        Look("Steps", theatre.fits, theatre.draw),
        Look("Words", word_lens.fits, word_lens.draw),
        Look("Walk", walk_view.fits, walk_view.draw),
        Look("Attention", caption_view.fits_attention, caption_view.draw_attention),
        Look("Three architectures", compare.fits, compare.draw),
    ),
    jobs={walk_view.PURPOSE: walk_view.draw_job, "compare": compare.draw_job, see.PURPOSE: see.draw_job},
    inputs=picture_input.TYPES,
    takes=(
        Takes(
            "use", "image", "Use as input", ":material/input:", "Use this image as the starting image.", _takes_any,
            _take,
        ),
        Takes("see", "image", see.LABEL, see.ICON, see.HELP, see.fits, see.take),
    ),
    file=SettingsFile(
        "image",
        "Drop an image made here or with another program (stable-diffusion-webui, ComfyUI, InvokeAI, NovelAI, "
        "SwarmUI, Fooocus, Easy Diffusion): its prompt, settings and seed are restored on this page. The file is read "
        "by this app and not stored.",
        (*files.ENDINGS, *saved.NOTES), picture_input.UPLOAD_MB,
    ),
    placeholder="What to draw …",
    skips=_skips,
)  # fmt: skip
