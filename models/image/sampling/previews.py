"""Previews of intermediate latents: a small linear map in place of the decoder, and a budget of time for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

FILE = "latent_rgb.safetensors"
SHARE = 0.05  # of a run's time
SHORT_RUN_S = 0.25  # the budget of a run under 5 s
GAP_S = 0.2


class LatentColours(nn.Module):
    """Map latents to colours: one position becomes `patch` × `patch` pixels.

    `weight` is channels × (3 · patch²), `bias` 3 · patch²; colours lie in 0 … 1.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.float())
        self.register_buffer("bias", bias.float())
        self.patch = round((len(bias) / 3) ** 0.5)

    @torch.inference_mode()
    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return uint8, batch × height · patch × width · patch × 3, for latents (batch × channels × height × width)."""
        colours = torch.einsum("bchw,cd->bdhw", latents.float(), self.weight) + self.bias[None, :, None, None]
        pixels = F.pixel_shuffle(colours, self.patch)  # batch × 3 × …
        return (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def load_colours(folder: Path | None, vae: Any) -> LatentColours:
    """Return the map that was fitted with the autoencoder (`FILE` in its folder), or fit one now."""
    file = folder / FILE if folder is not None else None
    if file is not None and file.exists():
        from safetensors.torch import load_file

        found = load_file(file)
        return LatentColours(found["weight"], found["bias"])
    fitted: LatentColours = fit_colours(vae)
    return fitted


@torch.inference_mode()
def fit_colours(vae: Any, pictures: int = 24) -> LatentColours:
    """Fit the map by least squares on plain and two-coloured pictures that `vae` encodes: no data set is needed."""
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    side = factor * 8
    chance = torch.Generator().manual_seed(0)
    colours = torch.rand(pictures, 2, 3, generator=chance)
    ramp = torch.linspace(0, 1, side)
    mix = torch.stack([ramp[None].expand(side, side), ramp[:, None].expand(side, side)])  # 2 × side × side
    mix = mix[torch.arange(pictures) % 2][:, None]  # pictures × 1 × side × side
    shown = colours[:, 0, :, None, None] * (1 - mix) + colours[:, 1, :, None, None] * mix
    dtype = next(vae.parameters()).dtype
    parts = [vae.encode((part * 2 - 1).to(dtype)).latent_dist.mean.float() for part in shown.split(4)]
    latents = to_model_scale(vae, torch.cat(parts))
    small = F.adaptive_avg_pool2d(shown, latents.shape[-2:])
    known = latents.permute(0, 2, 3, 1).flatten(0, 2)
    known = torch.cat([known, torch.ones(len(known), 1)], 1)
    # ridge regression: an untrained or narrow autoencoder may give collinear channels
    target = small.permute(0, 2, 3, 1).flatten(0, 2)
    gram = known.T @ known + 1e-3 * len(known) * torch.eye(known.shape[1])
    solution = torch.linalg.solve(gram, known.T @ target)
    return LatentColours(solution[:-1], solution[-1])


def to_model_scale(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Return what `vae` encoded (any batch) in the scale in which the denoiser works."""
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    return (latents - shift) * vae.config.scaling_factor


def from_model_scale(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Undo `to_model_scale`."""
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    return latents / vae.config.scaling_factor + shift


class Budget:
    """Hold previews to `SHARE` of a run's time, or `SHORT_RUN_S` in a short one, and `GAP_S` seconds apart."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._spent = 0.0
        self._slowest = 0.0

    def allows(self) -> bool:
        """Say whether the next preview fits, as slow as the slowest so far."""
        now = time.monotonic()
        limit = max(SHORT_RUN_S, SHARE * (now - self._started))
        return now - self._last >= GAP_S and self._spent + self._slowest <= limit

    def spend(self, seconds: float) -> None:
        """Count one preview."""
        self._spent += seconds
        self._slowest = max(self._slowest, seconds)
        self._last = time.monotonic()
