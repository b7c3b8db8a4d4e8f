"""A sound as the cell of a grid: its wave, and its beginning to be played; the difference of two sounds."""

from __future__ import annotations

import io
from collections.abc import Callable

import streamlit as st
from PIL import Image, ImageDraw

from components import services
from components.audio import sound_view
from components.modality import Tile
from models import labels
from models.audio import grid_sound
from models.types import Output

WAVE_PX = (192, 56)
WAVE_COLOUR = (124, 100, 214)  # seen on light and on dark
CHARS = 60
Read = Callable[[Output], bytes]


def tile(output: Output, read: Read) -> Tile:
    """Return a sound as a cell."""
    sound, seconds = _preview(output.sha256, output, read)
    name = sound_view.tune_words(output.text) or labels.shorten(output.text, CHARS)
    return Tile("heard", text=f"{name} · {seconds:.1f} s", data=sound, media_type="audio/mpeg", cover=_wave(output))


def difference(reference: Output, output: Output, read: Read) -> Tile:
    """Return where a sound differs from another one; it plays the sound itself."""
    picture, apart = _apart(reference.sha256, output.sha256, reference, output, read)
    sound, _ = _preview(output.sha256, output, read)
    note = f"{apart:.1f} dB apart on the mean" if apart else "The same sound."
    return Tile("heard", data=sound, media_type="audio/mpeg", cover=picture, note=note)


@st.cache_data(max_entries=100, show_spinner=False)
def _preview(sha256: str, _output: Output, _read: Read) -> tuple[bytes, float]:
    with services.decoder().calling(grid_sound.preview, _read(_output), said="sound") as (found, files):
        return files[grid_sound.SOUND].read_bytes(), float(found["seconds"])


@st.cache_data(max_entries=100, show_spinner=False)
def _apart(first: str, second: str, _reference: Output, _output: Output, _read: Read) -> tuple[bytes, float]:
    given = _read(_reference), _read(_output)
    with services.decoder().calling(grid_sound.difference, *given, said="sound") as (found, files):
        return files[grid_sound.PICTURE].read_bytes(), float(found["apart_db"])


def _wave(output: Output) -> bytes:
    """Return the peaks of a sound as a PNG with a clear ground."""
    peaks, (wide, tall) = output.meta.get("peaks") or [[0.0, 0.0]], WAVE_PX
    picture = Image.new("RGBA", WAVE_PX)
    pen = ImageDraw.Draw(picture)
    for x in range(wide):
        low, high = peaks[min(len(peaks) - 1, x * len(peaks) // wide)]
        pen.line([(x, tall / 2 - tall / 2 * high), (x, tall / 2 - tall / 2 * low)], WAVE_COLOUR)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
