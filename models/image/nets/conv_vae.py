"""A convolutional β-VAE (Kingma & Welling 2014, Higgins et al. 2017) whose latent can be edited by hand.

The net's own latent is a small grid. The user edits its coordinates along the training set's principal components,
scaled to a standard deviation of 1: the first ones change the picture most, and samples of the normal distribution lie
where pictures are. A word prior predicts mean and standard deviation of the pictures of a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from models.torchaudio_guard import guard

guard()

from diffusers import ModelMixin  # noqa: E402
from diffusers.configuration_utils import ConfigMixin, register_to_config  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from models.image.nets.word_bag import WordBag  # noqa: E402


class ConvVAE(ModelMixin, ConfigMixin):  # type: ignore[misc, unused-ignore]
    """Encode 64 × 64 pictures to `channels` × 4 × 4 numbers and decode them."""

    mean: torch.Tensor
    spread: torch.Tensor
    basis: torch.Tensor

    @register_to_config  # type: ignore[misc, untyped-decorator, unused-ignore]
    def __init__(
        self, vocabulary: list[str] | tuple[str, ...] = (), widths: tuple[int, ...] = (32, 48, 64, 96, 128),
        channels: int = 48, axes: int = 320, word_size: int = 96, hidden: int = 256,
    ) -> None:  # fmt: skip
        super().__init__()
        up = tuple(reversed(widths))
        self.read = nn.Conv2d(3, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(Stage(a, b, 2) for a, b in pairwise(widths))
        self.to_latent = nn.Conv2d(widths[-1], 2 * channels, 1)
        self.from_latent = nn.Conv2d(channels, up[0], 1)
        self.up = nn.ModuleList(Stage(a, b, 1) for a, b in pairwise(up))
        self.paint = nn.Conv2d(up[-1], 3, 3, 1, 1)
        size = channels * 16
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(axes))
        self.register_buffer("basis", torch.eye(size)[:, :axes].contiguous())
        self.words = WordBag(len(vocabulary), word_size)
        self.prior = nn.Sequential(
            nn.Linear(word_size, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 2 * axes)
        )

    def encode(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance, each batch × channels × 4 × 4, of pictures (batch × 3 × 64 × 64, −1 … 1)."""
        x = self.read(picture)
        for stage in self.down:
            x = stage(x)
        mean, log_variance = self.to_latent(x).chunk(2, 1)
        return mean, log_variance.clamp(-12, 4)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return pictures, batch × 3 × 64 × 64 around −1 … 1, from latents, batch × channels × 4 × 4."""
        x = self.from_latent(latent)
        for stage in self.up:
            x = stage(F.interpolate(x, scale_factor=2.0))
        picture: torch.Tensor = self.paint(x)
        return picture

    def to_axes(self, latent: torch.Tensor) -> torch.Tensor:
        """Return latents (batch × channels × 4 × 4) in principal components: batch × axes, scaled, largest first."""
        return (latent.flatten(1) - self.mean) @ self.basis / self.spread

    def from_axes(self, place: torch.Tensor) -> torch.Tensor:
        """Undo `to_axes`, without the part outside of the kept components."""
        flat = (place * self.spread) @ self.basis.T + self.mean
        return flat.view(len(place), -1, 4, 4)

    def where(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation, each batch × axes, of the coordinates that fit these words (ids)."""
        mean, log_spread = self.prior(self.words(rows)).chunk(2, 1)
        return mean, log_spread.clamp(-3, 1).exp()


class Stage(nn.Module):
    """A residual pair of convolutions (He et al. 2016), halving the size first where `stride` is 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.norm = nn.GroupNorm(8, outputs)
        self.first = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return batch × outputs × height / stride × width / stride."""
        x = self.around(x)
        inner = self.first(F.silu(self.norm(x)))
        out: torch.Tensor = x + self.second(F.silu(self.norm2(inner)))
        return out
