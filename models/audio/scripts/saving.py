"""What the scripts of this room share: loudness, sounds written as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.audio.loudness import EVEN
from models.scripts import Part
from models.stamps import file_name

if TYPE_CHECKING:
    from models.types import Request

IMPORTS = ("import numpy as np", "import soundfile")


def even(loudness: str, sound: str, rate: str) -> tuple[list[str], list[str]]:
    """Return the lines that bring a sound to the chosen loudness, and what they carry."""
    if loudness != EVEN:
        return [], []
    return [f"{sound} = level({sound}, {rate}, {loudness!r})[0]  # EBU R 128"], ["models.audio.loudness:level"]


def save(request: Request, rate: str) -> Part:
    """Return the part that writes `sounds` (arrays of −1 … 1, frames (× channels)) into WAV files of 16 bits."""
    stem, ending = file_name(request.model, request.seed, media_type="audio/wav").rsplit(".", 1)
    lines = [
        "for number, sound in enumerate(sounds):",
        f'    name = {stem!r} + (f"-{{number + 1}}" if number else "") + {f".{ending}"!r}',
        "    whole = (np.clip(sound, -1, 1) * 32767).round().astype(np.int16)  # the library would add dither",
        f'    soundfile.write(name, whole, {rate}, subtype="PCM_16")',
        "    print(name)",
    ]
    return Part("Save", "\n".join(lines))
