"""A small caption-conditioned generator: DCGAN's upsampling stack (Radford et al. 2016) steered by a mapped style.

The style comes from noise and words through a mapping net (Karras et al. 2019) and acts in each block as a scale and a
shift per channel (FiLM, Perez et al. 2018). It also transforms the features before the last block by an affine map (as
StyleGAN3 does with its input, Karras et al. 2021).
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


class GANGenerator(ModelMixin, ConfigMixin):  # type: ignore[misc, unused-ignore]
    """Draw 64 × 64 pictures from noise and words."""

    @register_to_config  # type: ignore[misc, untyped-decorator, unused-ignore]
    def __init__(
        self, vocabulary: list[str] | tuple[str, ...] = (), noise_size: int = 96, word_size: int = 128,
        style_size: int = 192, channels: tuple[int, ...] = (192, 160, 96, 64, 32),
    ) -> None:  # fmt: skip
        super().__init__()
        self.words = WordBag(len(vocabulary), word_size)
        self.mapping = nn.Sequential(
            nn.Linear(noise_size + word_size, style_size), nn.LeakyReLU(0.2), nn.Linear(style_size, style_size)
        )
        self.start = nn.Linear(style_size, channels[0] * 16)
        self.blocks = nn.ModuleList(Block(inputs, outputs, style_size) for inputs, outputs in pairwise(channels))
        self.pose = nn.Linear(style_size, 6)
        nn.init.zeros_(self.pose.weight)
        nn.init.zeros_(self.pose.bias)
        self.paint = nn.Conv2d(channels[-1], 3, 3, 1, 1)

    def style(self, noise: torch.Tensor, meaning: torch.Tensor) -> torch.Tensor:
        """Return styles, batch × style, for noise (batch × noise_size) and word vectors (batch × word_size)."""
        # word vectors at a fixed length weigh as much as the noise
        style: torch.Tensor = self.mapping(torch.cat([noise, F.normalize(meaning, dim=1) * 8], 1))
        return style

    def centre(self, meaning: torch.Tensor) -> torch.Tensor:
        """Return the mean style over noise, batch × style, of each of these word vectors (batch × word_size).

        Truncation pulls towards it (Mokady et al. 2022: the mean over the same words keeps them, one over all
        words loses them). Taken over 64 fixed draws and their opposites.
        """
        draws = torch.randn(64, self.config.noise_size, generator=torch.Generator().manual_seed(0))
        noise = torch.cat([draws, -draws]).to(meaning)
        return torch.stack([self.style(noise, one.expand(len(noise), -1)).mean(0) for one in meaning])

    def draw(self, style: torch.Tensor) -> torch.Tensor:
        """Return pictures, batch × 3 × 64 × 64, −1 … 1."""
        x = self.start(F.leaky_relu(style, 0.2)).view(len(style), -1, 4, 4)
        for block in self.blocks[:-1]:
            x = block(x, style)
        upright = torch.eye(2, 3, device=x.device).flatten()
        pose = (upright + 0.5 * torch.tanh(self.pose(style).float())).view(-1, 2, 3)
        where = F.affine_grid(pose, list(x.shape), align_corners=False)
        x = F.grid_sample(x.float(), where, padding_mode="border", align_corners=False).to(x.dtype)
        x = self.blocks[-1](x, style)
        picture: torch.Tensor = torch.tanh(self.paint(x))
        return picture

    def forward(self, noise: torch.Tensor, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return pictures for noise (batch × noise_size) and word ids, one row per picture."""
        return self.draw(self.style(noise, self.words(rows)))


class Block(nn.Module):
    """Double the size, then two convolutions, each steered by the style."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.around = nn.Conv2d(inputs, outputs, 1)
        self.steer = nn.Linear(style, 4 * outputs)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Return batch × outputs × 2 · height × 2 · width."""
        scale1, shift1, scale2, shift2 = self.steer(style)[:, :, None, None].chunk(4, 1)
        x = F.interpolate(x, scale_factor=2.0)
        inner = F.leaky_relu(_norm(self.first(x)) * (1 + scale1) + shift1, 0.2)
        inner = F.leaky_relu(_norm(self.second(inner)) * (1 + scale2) + shift2, 0.2)
        out: torch.Tensor = inner + self.around(x)
        return out


def _norm(x: torch.Tensor) -> torch.Tensor:
    """Return x at unit mean square over each position's channels (Karras et al. 2018, section 4.2)."""
    return x * (x.float().square().mean(1, keepdim=True) + 1e-6).rsqrt().to(x.dtype)
