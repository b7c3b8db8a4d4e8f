"""A small neural vocoder: it makes natural what Griffin-Lim found for a mel spectrogram, in one pass.

The shape is that of Vocos (Siuzdak 2023): ConvNeXt blocks (Liu et al. 2022) along time at the rate of the frames, then
a short-time Fourier transform, and its inverse. As in deep Griffin-Lim (Masuyama et al. 2019) the net begins from the
sound that Griffin-Lim came to and says by how much each magnitude and phase of it is to be changed: untrained it
changes nothing, and a net of this size need not find phases from nothing.
"""

from __future__ import annotations

import math

import torch

from models.torchaudio_guard import guard

guard()

from diffusers import ModelMixin  # noqa: E402
from diffusers.configuration_utils import ConfigMixin, register_to_config  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402


class Vocoder(ModelMixin, ConfigMixin):  # type: ignore[misc, unused-ignore]
    """Turn normalised log-mels and their sound by Griffin-Lim into a better one; sizes are those of the mels."""

    config_name = "config.json"

    @register_to_config  # type: ignore[misc, untyped-decorator, unused-ignore]
    def __init__(
        self, n_mels: int = 64, n_fft: int = 256, hop_length: int = 64, width: int = 160, num_blocks: int = 4,
        expansion: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        bins = n_fft // 2 + 1
        self.stem = nn.Conv1d(n_mels + 5 * bins, width, 3, padding=1)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(_Block(width, expansion, num_blocks) for _ in range(num_blocks))
        self.last_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 2 * bins)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def spectrum(self, mel: torch.Tensor, rough: torch.Tensor) -> torch.Tensor:
        """Return the complex spectrum, batch × frequencies × frames; see `forward`."""
        own = self.config
        window = torch.hann_window(own.n_fft, device=mel.device)
        found = torch.stft(rough, own.n_fft, own.hop_length, window=window, return_complex=True)
        x = self.norm(self.stem(torch.cat([mel, *self._seen(found)], 1)).transpose(1, 2))  # batch × frames × width
        for block in self.blocks:
            x = block(x)
        louder, turn = self.out(self.last_norm(x)).transpose(1, 2).chunk(2, 1)  # batch × frequencies × frames
        size = louder.clamp(-6.0, 6.0).exp()
        return found * torch.complex(size * turn.cos(), size * turn.sin())

    def forward(self, mel: torch.Tensor, rough: torch.Tensor) -> torch.Tensor:
        """Return sound (batch × samples, samples = (frames − 1) × hop) of normalised mels (batch × bands × frames).

        `rough` (batch × samples) is what Griffin-Lim made of the same mels.
        """
        own = self.config
        window = torch.hann_window(own.n_fft, device=mel.device)
        sound: torch.Tensor = torch.istft(self.spectrum(mel, rough), own.n_fft, own.hop_length, window=window)
        return sound

    def _seen(self, spectrum: torch.Tensor) -> list[torch.Tensor]:
        """Return what the net sees of a spectrum (batch × frequencies × frames): levels, and how phases follow another.

        Phases themselves mean nothing; what counts is by how much they differ from frame to frame, beyond what a
        steady tone would, and from frequency to frequency.
        """
        own = self.config
        size = spectrum.abs()
        unit = spectrum / (size + 1e-6)
        steady = torch.polar(
            torch.ones(size.shape[1], device=size.device),
            -2 * math.pi * own.hop_length / own.n_fft * torch.arange(size.shape[1], device=size.device),
        )
        along = F.pad(torch.view_as_real(unit[..., 1:] * unit[..., :-1].conj() * steady[:, None]), (0, 0, 1, 0))
        across = F.pad(torch.view_as_real(unit[:, 1:] * unit[:, :-1].conj()), (0, 0, 0, 0, 1, 0))
        return [((size + 1e-4).log() + 3) / 3, along[..., 0], along[..., 1], across[..., 0], across[..., 1]]


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
