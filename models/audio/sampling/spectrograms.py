"""Sample spectrograms of labelled sounds by diffusion with guidance, and invert them to sound."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.audio.sampling.mels import Mels, MelSettings
from models.diffusion import schedulers
from models.errors import PlaygroundError

FILE = "spectrogram.json"
FADE_S = 0.008


@dataclass(frozen=True)
class SpectrogramLayout:
    """Say how a model's spectrograms are laid out: read from `FILE` beside its weights.

    `labels` × `speakers` are its classes, in this order; `unconditional` is the class without a condition. A
    spectrogram of bands × `frames` is folded into patches of `patch` (bands × frames).
    """

    mel: MelSettings
    frames: int
    patch: tuple[int, int]
    labels: tuple[str, ...]
    speakers: tuple[str, ...]
    unconditional: int

    def unfold(self, folded: torch.Tensor) -> torch.Tensor:
        """Return spectrograms, batch × bands × frames, of batch × patch area × bands / p × frames / q."""
        count, _, rows, columns = folded.shape
        tall, wide = self.patch
        cut = folded.view(count, tall, wide, rows, columns).permute(0, 3, 1, 4, 2)  # batch × rows × p × columns × q
        return cut.reshape(count, rows * tall, columns * wide)

    def classes(self, words: Sequence[str], speaker: str) -> list[int]:
        """Return the class of each word in a speaker's voice."""
        voice = self.speakers.index(speaker)
        return [self.labels.index(word) * len(self.speakers) + voice for word in words]


def read_layout(folder: Path) -> SpectrogramLayout:
    """Read `FILE`. Raises `OSError`, `ValueError`, `KeyError` or `TypeError` where it is missing or damaged."""
    found = json.loads((folder / FILE).read_text("utf-8"))
    return SpectrogramLayout(
        MelSettings(**found["mel"]), int(found["frames"]), tuple(found["patch"]), tuple(found["labels"]),
        tuple(found["speakers"]), int(found["nothing"]),
    )  # fmt: skip


@dataclass
class Step:
    """Hold one step of a run: its number, of how many, its timestep and the predicted x0."""

    number: int
    total: int
    time: float
    x0: torch.Tensor  # folded, batch × channels × rows × columns


def denoise(
    unet: Any, scheduler: Any, classes: Sequence[int], unconditional: int, guidance: float, steps: int,
    generators: Sequence[torch.Generator], stopped: Callable[[], bool], eta: float = 0.0,
) -> Iterator[Step]:  # fmt: skip
    """Yield each step of sampling one folded spectrogram per class; ends early once `stopped()`.

    Classifier-free guidance: Ho & Salimans 2022. 1: conditional alone, in half the time; 0: unconditional. The noise
    that some schedulers add at each step comes from the first generator. Raises `PlaygroundError` where numbers are no
    longer finite.
    """
    size = unet.config.sample_size
    rows, columns = (size, size) if isinstance(size, int) else tuple(size)
    scheduler.set_timesteps(steps)
    shape = (1, unet.config.in_channels, rows, columns)
    x = torch.cat([torch.randn(shape, generator=one) for one in generators]) * scheduler.init_noise_sigma
    wanted = torch.tensor(list(classes))
    given = {"generator": generators[0], "eta": eta}
    known = inspect.signature(scheduler.step).parameters
    extra = {name: value for name, value in given.items() if name in known}
    for number, time in enumerate(scheduler.timesteps, 1):
        scaled = scheduler.scale_model_input(x, time)
        if guidance != 1:
            both = unet(
                torch.cat([scaled, scaled]), time, torch.cat([wanted, torch.full_like(wanted, unconditional)])
            ).sample
            said, free = both.chunk(2)
            predicted = free + guidance * (said - free)
        else:
            predicted = unet(scaled, time, wanted).sample
        x0 = schedulers.predicted_x0(scheduler, predicted, time, x)
        x = scheduler.step(predicted, time, x, **extra).prev_sample
        if not bool(x.isfinite().all()):
            raise PlaygroundError(
                f"{type(scheduler).__name__} came to numbers without an end at step {number} of "
                f"{len(scheduler.timesteps)}. Choose other steps, or another scheduler."
            )
        yield Step(number, len(scheduler.timesteps), float(time), x0)
        if stopped():
            return


def speak(mels: Mels, spectrograms: torch.Tensor, pause_s: float, rounds: int, vocoder: Any = None) -> np.ndarray:
    """Return one sound, float32, of spectrograms (parts × bands × frames) one after another, with pauses.

    By `rounds` rounds of Griffin-Lim; a `Vocoder` goes on from there, where one is given.
    """
    rate, made = mels.settings.sample_rate, mels.to_sound(spectrograms, rounds)
    if vocoder is not None:
        made = vocoder(spectrograms.float(), made)
    parts = [trim(part.numpy(), rate) for part in made]
    gap = np.zeros(int(pause_s * rate), np.float32)
    pieces: list[np.ndarray] = []
    for part in parts:
        pieces += [gap, part] if pieces else [part]
    sound = np.concatenate(pieces)
    peak = float(np.abs(sound).max())
    out: np.ndarray = (sound * (0.89 / peak) if peak > 0 else sound).astype(np.float32)
    return out


def trim(sound: np.ndarray, rate: int, floor: float = 0.02) -> np.ndarray:
    """Return a sound without the near silence at its ends, faded in and out, at a root mean square of 0.1."""
    window = max(1, rate // 100)
    energy = np.convolve(sound**2, np.ones(window) / window, "same") ** 0.5
    loud = np.flatnonzero(energy > floor * max(1e-6, float(energy.max())))
    first, last = (loud[0], loud[-1] + 1) if len(loud) else (0, len(sound))
    cut = sound[max(0, first - window) : last + 2 * window].astype(np.float32).copy()
    fade = min(len(cut) // 2, max(1, int(FADE_S * rate)))
    cut[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    cut[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    level = float(np.sqrt((cut**2).mean()))
    out: np.ndarray = cut * (0.1 / level) if level > 0 else cut
    return out
