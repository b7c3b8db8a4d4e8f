"""A page of the components that draw pictures, and what they give to Python. Pictures are drawn here."""

import io

import numpy as np
import streamlit as st
from PIL import Image

from components import theme
from components.image import ab_slider, mask_painter
from components.widgets import frame_player

SIDE = 64


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "png")
    return file.getvalue()


def picture(number, width=SIDE, height=SIDE):
    """A ball on a slope of colours; the number moves the ball and turns the colours."""
    y, x = np.mgrid[:height, :width]
    slope = np.stack([40 + 180 * x / width, 60 + 150 * y / height, 200 - 140 * x / width], -1)
    slope = np.roll(slope, number, -1)
    ball = np.hypot(x - width * (0.3 + 0.04 * number), y - height / 2) < height / 5
    return np.where(ball[..., None], [250, 220, 90], slope)


def noisy(number, count):
    noise = np.random.default_rng(number).uniform(0, 255, (SIDE, SIDE, 3))
    share = number / (count - 1)
    return picture(2) * share + noise * (1 - share)


def strip(tiles):
    return png(np.concatenate(tiles, 1))


def told(mask):
    if mask is None:
        return "mask none"
    white = np.argwhere(np.asarray(Image.open(io.BytesIO(mask)).convert("L")) > 127)
    (top, left), (bottom, right) = white.min(0), white.max(0)
    return f"mask {len(white)} in {left},{top} to {right},{bottom}"


st.set_page_config(page_title="Components", layout="wide")
theme.apply()
kind = st.query_params.get("show", "painter")
state = st.session_state
state.setdefault("number", 0)
state.setdefault("runs", 0)
state.runs += 1

if kind == "painter":
    st.header("Painter")
    size = (96, 64) if st.query_params.get("wide") else (SIDE, SIDE)
    first, second, third = st.columns(3)
    first.button("Rerun")
    if second.button("Other picture"):
        state.number += 1
    third.toggle("Hide", key="hide")
    if not state.hide:
        st.text(told(mask_painter.draw(png(picture(state.number, *size)), "painter", size=size)))
    st.text(f"number {state.number} run {state.runs}")
elif kind == "ab":
    st.header("Two pictures")
    ab_slider.draw(png(picture(0)), png(picture(5)), "ab", labels=("Guidance 1", "<b>Guidance</b> 7.5"))
elif kind == "player":
    st.header("Player")
    count = 12
    frame_player.draw(
        strip([picture(0) * 0.4 + noisy(n, count) * 0.6 for n in range(count)]),
        count,
        (SIDE, SIDE),
        "player",
        captions=[f"Step {n + 1}: <i>noise</i> {round(100 - 100 * n / (count - 1))} %" for n in range(count)],
        second_sheet_png=None if st.query_params.get("one") else strip([noisy(n, count) for n in range(count)]),
        titles=("What it aims at", "What it has"),
        marker=8,
        marker_label="settled",
    )
    st.button("Rerun")
