"""Log-mel spectrograms and their inversion to sound, by torchaudio's transforms.

Inversion: least squares from mel bands to frequencies, then Griffin & Lim 1984 in its fast form (Perraudin et al.
2013), from a phase of zero, so that the same spectrogram gives the same sound.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch

FLOOR = 1e-5  # of magnitude, before the logarithm


@dataclass(frozen=True)
class MelSettings:
    """Hold the transform's parameters; `mean` and `spread` normalise the logarithm to about −1 … 1."""

    sample_rate: int = 8000
    n_fft: int = 256
    hop_length: int = 64
    n_mels: int = 64
    f_min: float = 40.0
    f_max: float = 4000.0
    mean: float = -5.2
    spread: float = 1.95

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON."""
        return asdict(self)


class Mels:
    """Turn sound (… × samples, −1 … 1) into normalised log-mels (… × bands × frames) and back."""

    def __init__(self, settings: MelSettings) -> None:
        self.settings = settings

    @cached_property
    def _forward(self) -> Any:
        from torchaudio.transforms import MelSpectrogram

        own = self.settings
        return MelSpectrogram(
            own.sample_rate, n_fft=own.n_fft, hop_length=own.hop_length, n_mels=own.n_mels, f_min=own.f_min,
            f_max=own.f_max, power=1.0, norm="slaney", mel_scale="slaney",
        )  # fmt: skip

    @cached_property
    def _pseudo_inverse(self) -> torch.Tensor:
        bank: torch.Tensor = self._forward.mel_scale.fb  # frequencies × bands
        return torch.linalg.pinv(bank.T)  # frequencies × bands

    def to_mel(self, sound: torch.Tensor) -> torch.Tensor:
        """Return float32, … × bands × frames, frames = samples // hop + 1."""
        magnitude = self._forward(sound.float())
        logarithm: torch.Tensor = (magnitude.clamp(min=FLOOR).log() - self.settings.mean) / self.settings.spread
        return logarithm

    def magnitude(self, mel: torch.Tensor) -> torch.Tensor:
        """Return the least squares' magnitude, … × frequencies × frames, ≥ 0, of normalised log-mels."""
        own = self.settings
        bands = (mel.float() * own.spread + own.mean).exp() - FLOOR
        return (self._pseudo_inverse @ bands).clamp(min=0)

    def to_sound(self, mel: torch.Tensor, rounds: int = 64) -> torch.Tensor:
        """Return sound, … × samples, after `rounds` rounds of Griffin-Lim."""
        from torchaudio.functional import griffinlim

        own = self.settings
        sound: torch.Tensor = griffinlim(
            self.magnitude(mel), window=torch.hann_window(own.n_fft), n_fft=own.n_fft, hop_length=own.hop_length,
            win_length=own.n_fft, power=1.0, n_iter=rounds, momentum=0.99, length=None, rand_init=False,
        )  # fmt: skip
        return sound
