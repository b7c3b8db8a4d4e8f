"""A spectrogram to look into: zoomed and moved along time, with its scales; follows the player above it."""

from __future__ import annotations

import math

from components import frontend
from components.widgets import picture_parts

MARKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000)
HEIGHT_PX = 240  # as in spectrogram.css

_component = frontend.component("playground_spectrogram", __file__, shared=(picture_parts,))


def draw(png: bytes, seconds: float, top_hz: float, key: str, *, alt: str, follows: bool = True) -> None:
    """Draw a picture of a mel spectrogram of `seconds`, from 0 to `top_hz` on the mel scale.

    `follows`: a line runs through it as the player above plays, and a press in it moves the player there.
    """
    marks = [[hertz, f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz"] for hertz in shown_marks(top_hz)]
    data = {
        "url": picture_parts.png_url(png), "seconds": max(0.001, seconds), "top_hz": max(1.0, top_hz), "marks": marks,
        "alt": alt, "follows": follows,
    }  # fmt: skip
    _component(key=key, data=data)


def shown_marks(top_hz: float) -> list[int]:
    """Return the frequencies to be named: those that stand clear of one another and of the edges."""
    found: list[int] = []
    above = 1.0
    for hertz in reversed(MARKS_HZ):
        place = _mel(hertz) / _mel(top_hz) if top_hz > 0 else 1.0
        if max(0.05, 20 / HEIGHT_PX) <= above - place and place > 0.05:
            found.append(hertz)
            above = place
    return found[::-1]


def _mel(hertz: float) -> float:
    """Return a frequency on the mel scale as torchaudio has it by default (O'Shaughnessy 1987)."""
    return 2595 * math.log10(1 + hertz / 700)
