"""Read the Free Spoken Digit Dataset: 3,000 recordings of ten digits by six speakers, 8 kHz.

By its authors' rule the recordings numbered 0 to 4 are the test split. Numbers 5 to 7 are held out of training here, to
choose by; the test split is looked at once, for the card.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch

RATE = 8000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)")


@dataclass
class Take:
    """Hold one recording: float32 samples, −1 … 1, at 8 kHz."""

    sound: torch.Tensor
    digit: int
    speaker: int


@dataclass
class Digits:
    """Hold the three splits."""

    train: list[Take]
    held_out: list[Take]
    test: list[Take]


def load_digits(data: Path) -> Digits:
    """Read every recording, brought to the same loudness of its loudest part."""
    import soundfile

    found = Digits([], [], [])
    for file in sorted((data / "digits").glob("*.wav")):
        match = _NAME.fullmatch(file.stem)
        if match is None:
            continue
        samples, rate = soundfile.read(file, dtype="float32")
        if rate != RATE:
            raise ValueError(f"{file.name} is at {rate} Hz, not {RATE}")
        sound = torch.from_numpy(samples)
        sound = sound - sound.mean()
        take = Take(sound / sound.abs().max().clamp(min=1e-4) * 0.8, int(match[1]), SPEAKERS.index(match[2]))
        number = int(match[3])
        (found.test if number < 5 else found.held_out if number < 8 else found.train).append(take)
    return found
