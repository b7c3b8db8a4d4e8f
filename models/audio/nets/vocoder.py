"""A small neural vocoder: from a mel spectrogram to sound, in one pass.

The shape is that of Vocos (Siuzdak 2023): ConvNeXt blocks (Liu et al. 2022) along time at the rate of the frames, then
magnitude and phase of a short-time Fourier transform, and its inverse. The magnitude is what least squares finds for
the mel bands, corrected by the net, so that what is to be learnt is above all the phase.
"""

from __future__ import annotations

import torch

from models.torchaudio_guard import guard

guard()

from diffusers import ModelMixin  # noqa: E402
from diffusers.configuration_utils import ConfigMixin, register_to_config  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402


class Vocoder(ModelMixin, ConfigMixin):  # type: ignore[misc, unused-ignore]
    """Turn normalised log-mels into sound; the sizes are those of the transform that made the mels."""

    config_name = "config.json"

    @register_to_config  # type: ignore[misc, untyped-decorator, unused-ignore]
    def __init__(
        self, n_mels: int = 64, n_fft: int = 256, hop_length: int = 64, width: int = 160, num_blocks: int = 4,
        expansion: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem = nn.Conv1d(n_mels, width, 7, padding=3)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(_Block(width, expansion, num_blocks) for _ in range(num_blocks))
        self.last_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 2 * (n_fft // 2 + 1))

    def spectrum(self, mel: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
        """Return the complex spectrum, batch × frequencies × frames; see `forward`."""
        x = self.norm(self.stem(mel).transpose(1, 2))  # batch × frames × width
        for block in self.blocks:
            x = block(x)
        correction, phase = self.out(self.last_norm(x)).transpose(1, 2).chunk(2, 1)  # batch × frequencies × frames
        size = magnitude.clamp(min=1e-5) * correction.clamp(-6.0, 6.0).exp()
        return torch.complex(size * phase.cos(), size * phase.sin())

    def forward(self, mel: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
        """Return sound (batch × samples, samples = (frames − 1) × hop) of normalised mels (batch × bands × frames).

        `magnitude` (batch × frequencies × frames) is what least squares finds for the bands.
        """
        own = self.config
        window = torch.hann_window(own.n_fft, device=mel.device)
        sound: torch.Tensor = torch.istft(self.spectrum(mel, magnitude), own.n_fft, own.hop_length, window=window)
        return sound


class _Block(nn.Module):
    """Mix along time by channel, then across channels, scaled, beside the input as it was."""

    def __init__(self, width: int, expansion: int, count: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.across = nn.Linear(width, expansion * width)
        self.back = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 1 / count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return batch × frames × width."""
        mixed = self.norm(self.along(x.transpose(1, 2)).transpose(1, 2))
        out: torch.Tensor = x + self.scale * self.back(F.gelu(self.across(mixed)))
        return out
