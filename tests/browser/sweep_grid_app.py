"""A page of a sweep's grid as components draw it, with results that are made here; buttons let time pass.

The address says what is shown: `kind`, `axes` (how many values each has), `made` (cells, or all), `late` (a job that
waits), `measure`, `short` (the page is short for a while before the grid is drawn again). The kind "cards" shows
those of a quiz.
"""

import io
import time
import wave
from itertools import product

import numpy as np
import streamlit as st
from PIL import Image

from components import guide, quiz_cells, sweep_grid, theme
from components.modality import Tile
from components.quiz_cells import Card
from components.sweep_grid import Sent
from models.labels import shorten

KEY = "grid"
NAMES = ("Temperature", "Seed", "Prompt", "Length")
STORY = ("Once upon a time there was a fox who lived under a hill. Every morning she counted the stars that were left, "
         "and one day there was one too many. It had a small door in it, and the door was open. ")  # fmt: skip
LONG = "An old lighthouse keeper who has never seen the sea writes letters to the ships that pass by at night. " * 3
HEBREW = "שלום עולם, זה סיפור קטן על שועל (fox) ועל כוכב אחד."
PROMPTS = (f"“{LONG}”", f"“{HEBREW}”", "“A dog”", "“A cat”")


def words(axis, at):
    if NAMES[axis] == "Prompt":
        return PROMPTS[at % len(PROMPTS)]
    return f"{NAMES[axis]} {at}" if axis != 1 else f"seed {at}"


def image(number, side=64):
    y, x = np.mgrid[:side, :side]
    pixels = np.stack([40 + 2 * x, 60 + 2 * y, np.full_like(x, 40 * number % 255)], -1)
    pixels[np.hypot(x - 10 - 5 * (number % 10), y - side / 2) < side / 5] = (250, 220, 90)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "png")
    return file.getvalue()


def sound(number, rate=8000):
    samples = 8000 * np.sin(2 * np.pi * (220 + 20 * number) * np.arange(5 * rate) / rate)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def tile(kind, number):
    if kind == "picture":
        return Tile("seen", data=image(number), media_type="image/png", small=True, version=f"{number}")
    if kind == "sound":
        return Tile("heard", text=f"Reel in D · {number}.0 s", data=sound(number), media_type="audio/wav",
                    cover=image(number, 32), version=f"{number}")  # fmt: skip
    text = HEBREW * 4 if kind == "hebrew" else f"{number}. " + STORY * 2
    note = "Stopped before it was finished." if number == 1 else ""
    return Tile("text", text=shorten(text, 400), note=note, version=f"{number}")


st.set_page_config(page_title="Grid", layout="wide")
theme.apply()
query, state = st.query_params, st.session_state
kind = query.get("kind", "text")
sizes = [int(one) for one in query.get("axes", "4,3").split(",")]
order = [int(one) for one in query.get("order", "0,1,2,3").split(",")][: len(sizes)]
count = int(np.prod(sizes))
made = [int(one) for one in query["made"].split(",")] if "made" in query else list(range(count))
state.setdefault("phase", "queued" if query.get("late") else "done")
state.setdefault("chosen", None)
state.setdefault("opened", 0)


def pick():
    at = sweep_grid.picked(KEY)
    if at is not None:
        state.chosen, state.opened = at, state.opened + 1


def draw():
    living = state.phase in ("queued", "running")
    there = set() if state.phase == "queued" else set(made)
    states = ["computed" if at in there else "waiting" for at in range(count)]
    want = sweep_grid.wanted(KEY)
    values = [len(str(at)) / 10 + at / 7 for at in range(count)]
    measured = query.get("measure") == "1"
    sweep_grid.draw(
        KEY, name=KEY, live=living, states=states, same=list(range(count)), chosen=state.chosen,
        axes=[(NAMES[axis], [words(axis, at) for at in range(many)]) for axis, many in zip(order, sizes, strict=True)],
        sent=[Sent(want.mount, want.pin, at, tile(kind, at)) for at in want.cells if at in there],
        heat=[value / max(values) for value in values] if measured else None,
        measure="Repetition" if measured else "", marks=[f"{value:.2f}" for value in values] if measured else None,
        on_want=lambda: None, on_pick=pick,
    )  # fmt: skip


if kind == "cards":
    st.header("Cards")
    quiz_cells.draw("cards", [Card("A", Tile("text", text=STORY * 9)), Card("B", Tile("text", text=STORY))])
    st.stop()
st.header("Grid")
guide.draw(None, grid=KEY)
if query.get("short"):
    st.html("<div style='height: 700px'>what stands above it</div>")
if state.phase in ("queued", "running"):  # a living job's panel and what stands after it are different places
    with st.container():
        st.text(f"It is {state.phase}.")
        draw()
else:
    if query.get("short"):
        st.text("It is done.")  # in the place of the panel
        time.sleep(0.7)
    draw()
for phase in ("running", "done"):
    if st.button(f"Let it be {phase}"):
        state.phase = phase
        st.rerun()
if state.chosen is not None:
    st.html("<div style='height: 1800px'>curves and tables</div>")
    places = list(product(*[range(many) for many in sizes]))[state.chosen]
    name = ", ".join(words(axis, at) for axis, at in zip(order, places, strict=True))
    guide.draw_opened(name, KEY, state.opened)
    st.text(f"Cell {state.chosen} in full")
    st.html("<div style='height: 900px'>more of it</div>")
