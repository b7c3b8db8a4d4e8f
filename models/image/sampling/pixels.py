"""Between tensors and pictures, and noise that each picture of a batch draws from its own seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from models import seeds
from models.diffusion.denoising import slerp

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from models.image.families.gan import GANParams
    from models.image.families.vae import VAEParams


def to_pixels(picture: torch.Tensor) -> np.ndarray:
    """Return uint8, height × width × 3, of one picture (3 × height × width, −1 … 1)."""
    array: np.ndarray = ((picture.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return array


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """Return 1 × 3 × height × width, float32, −1 … 1, of an RGB picture."""
    import numpy as np

    pixels = torch.from_numpy(np.array(picture.convert("RGB"), dtype=np.float32))
    return (pixels / 127.5 - 1).permute(2, 0, 1)[None]


def seeded_noise(shape: tuple[int, ...], seed: int, number: int, params: GANParams | VAEParams) -> torch.Tensor:
    """Return normal noise of picture `number`, moved towards the variation seed's as far as `params` say."""
    noise = torch.randn(shape, generator=seeds.generator(seed, number))
    if params.variation_strength > 0:
        other = torch.randn(shape, generator=seeds.generator(params.variation_seed))
        noise = slerp(noise, other, params.variation_strength)
    return noise
