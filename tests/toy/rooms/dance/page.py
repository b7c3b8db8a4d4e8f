"""What the room of dances says of itself."""

from __future__ import annotations

import io
from pathlib import Path

import streamlit as st
from PIL import Image, UnidentifiedImageError

from components import desk as desks
from components import inputs, state
from components.modality import Act, InputType, Modality, RoomPage, Showing, Takes
from models.errors import BadInput


def _draw(showing: Showing) -> None:
    for output in showing.of("dance"):
        st.text(f"{'Dancing' if showing.live else 'Danced'}: {output.text}")


def _draw_poster(showing: Showing) -> None:
    for output in showing.of("image"):
        st.image(showing.read(output), width=64)


def _draw_floor(desk, item):
    st.file_uploader(
        item.label, ["png"], key=inputs.upload_key(desk, item, "upload"), on_change=inputs.take_upload,
        args=(desk, item, "upload"),
    )  # fmt: skip
    inputs.draw_problem(desk, item)
    if inputs.stored(desk, item) is not None:
        st.caption("The floor is laid.")


def _check_floor(folder: Path, data: bytes, name: str) -> None:
    try:
        Image.open(io.BytesIO(data)).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise BadInput(f"The {name} is not a picture. Upload a PNG file.") from error


def _bow(act: Act) -> None:
    st.button("Bow", key=f"bow-{act.key}", on_click=act.desk.write, args=("a bow after it",))


def _after(desk, run, key):
    st.caption(f"The floor was used for {run.outputs[0].meta['bars']} bars.")


def _take_title(desk, output):
    state.at(state.prompt_key("dance")).set(f"a dance of {output.text}")


def _take_steps(desk, output):
    there = desks.of(desk.session, desk.room, "dance/march")
    there.prompt.set(output.text)
    return there.spec.id


ROOM = Modality(
    id="dance",
    pages=(
        RoomPage(Path(__file__).with_name("dance.py"), "Dance", ":material/music_note:", "Steps to both sides."),
        RoomPage(Path(__file__).with_name("drill.py"), "Drill", ":material/steps:", "Steps to orders.",
                 families=("driller",)),
    ),
    views={"dance": _draw, "image": _draw_poster},
    actions={"dance": _bow},
    after=_after,
    inputs={
        "floor": InputType(inputs.kept_ref, inputs.restore_ref, _draw_floor, _check_floor)
    },
    takes=(Takes("dance", "text", "Dance it", ":material/music_note:", "Open the Dance page with this text.",
                 lambda desk, output: desk.room.id != "dance", _take_title),
           Takes("drill", "dance", "Drill it", ":material/steps:", "Open the Drill page with these steps.",
                 lambda desk, output: desk.page.id == "dance", _take_steps)),
    placeholder="What to dance …",
)  # fmt: skip
