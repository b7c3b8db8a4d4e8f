"""Settings of writers of tunes."""

from __future__ import annotations

from models.presets import Preset

TUNES = (
    Preset("Safe", {"temperature": 0.7, "top_p": 0.9}, "Keeps to what tunes do: bars in metre, few surprises."),
    Preset("Adventurous", {"temperature": 1.2, "top_p": 1.0, "min_p": 0.05}, "Leaps and turns, at times out of metre."),
    Preset("Session", {"instrument": "fiddle", "swing": 0.6, "chords": 0.7, "drone": 0.2, "reverb": 0.3},
           "How it is played alone: a fiddle with chords, in a room."),
)  # fmt: skip
