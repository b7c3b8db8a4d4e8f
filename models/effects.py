"""What can be done to a sound after it was made: one declaration of sliders, neutral by default. Values only."""

from __future__ import annotations

from pydantic import Field

from models.params import Params, hint


class Effects(Params):
    """Declare the after-effects, in the order in which they are applied."""

    speed: float = Field(
        1.0, ge=0.5, le=2.0, description="How fast it goes; its pitch stays.", json_schema_extra=hint(step=0.05),
    )  # fmt: skip
    pitch: float = Field(
        0.0, ge=-12.0, le=12.0, description="Moves all notes up or down; its speed stays.",
        json_schema_extra=hint(step=0.5, unit="semitones"),
    )  # fmt: skip
    bass_db: float = Field(
        0.0, ge=-18.0, le=18.0, description="How loud what lies below about 250 Hz is.",
        json_schema_extra=hint(label="Bass", step=1, unit="dB"),
    )  # fmt: skip
    middle_db: float = Field(
        0.0, ge=-18.0, le=18.0, description="How loud what lies around 1 kHz is.",
        json_schema_extra=hint(label="Middle", step=1, unit="dB"),
    )  # fmt: skip
    treble_db: float = Field(
        0.0, ge=-18.0, le=18.0, description="How loud what lies above about 4 kHz is.",
        json_schema_extra=hint(label="Treble", step=1, unit="dB"),
    )  # fmt: skip
    reverb: float = Field(
        0.0, ge=0.0, le=1.0, description="How much of a hall is heard.",
        json_schema_extra=hint(label="Hall", step=0.05),
    )  # fmt: skip
    gain_db: float = Field(
        0.0, ge=-24.0, le=24.0, description="How loud it is. What goes beyond full scale is cut off.",
        json_schema_extra=hint(label="Gain", step=1, unit="dB"),
    )  # fmt: skip
    fade_in_s: float = Field(
        0.0, ge=0.0, le=10.0, description="How long it takes to come in.",
        json_schema_extra=hint(label="Fade in", step=0.1, unit="s"),
    )  # fmt: skip
    fade_out_s: float = Field(
        0.0, ge=0.0, le=10.0, description="How long it takes to die away at the end.",
        json_schema_extra=hint(label="Fade out", step=0.1, unit="s"),
    )  # fmt: skip
