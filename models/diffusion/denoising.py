"""Watch a diffusers pipeline while it runs: every step's latents, Stop and Skip within a step.

Every pipeline calls its scheduler's `step` at each step. Each request has a scheduler of its own, whose `step` is
wrapped here: that works for pipelines with a callback, with the legacy one and with none, and for those that ignore
`_interrupt`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from models.diffusion.schedulers import predicted_x0
from models.watching import Interrupted, Watch

KEPT_BYTES = 4_000_000  # of one picture's kept steps
SETTLED = 0.1  # of the distance between two unrelated pictures: a picture this near to its end counts as settled


class DenoisingWatch(Watch):
    """Watch one call of a diffusers pipeline, from denoising step to denoising step.

    `x0` is the newest step's prediction; `times` holds the timesteps so far. `kept` holds, of the first picture, each
    step's noisy latents and predicted x0 (fp16, channels × height × width each). `unpack` turns a pipeline's own shape
    of latents into batch × channels × height × width. `skipped()` tells whether the user pressed Skip.
    """

    def __init__(
        self, stopped: Callable[[], bool], skipped: Callable[[], bool],
        unpack: Callable[[torch.Tensor], torch.Tensor] = lambda latents: latents, keep: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(stopped)
        self.x0: torch.Tensor | None = None
        self.times: list[float] = []
        self.kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        # changes the latents after each step, given the next step's timestep (None after the last): see `Inpainting`
        self.blend: Callable[[torch.Tensor, Any], torch.Tensor] | None = None
        self._skipped, self._unpack, self._keep = skipped, unpack, keep

    def attach(self, scheduler: Any) -> None:
        """Wrap a scheduler's `step`, and keep its signature, which pipelines inspect."""
        step = scheduler.step

        @functools.wraps(step)
        def watched(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            self._observe(scheduler, model_output, timestep, sample)
            result = step(model_output, timestep, sample, *args, **kwargs)
            if self.blend is None:
                return result
            later = scheduler.timesteps[self.step] if self.step < len(scheduler.timesteps) else None
            if isinstance(result, tuple):
                return (self.blend(result[0], later), *result[1:])
            result.prev_sample = self.blend(result.prev_sample, later)
            return result

        scheduler.step = watched

    def take(self, scheduler: Any, output: torch.Tensor, time: Any, sample: torch.Tensor) -> None:
        """Take a step's model output and noisy latents, in the pipeline's own shape."""
        x0 = predicted_x0(scheduler, output, time, sample)
        self.x0 = self._unpack(x0)
        if self._keep:
            pair = (self._unpack(sample)[0].half().clone(), self.x0[0].half().clone())
            if self.step * 2 * pair[0].nbytes <= KEPT_BYTES:
                self.kept.append(pair)

    def _observe(self, scheduler: Any, output: torch.Tensor, time: Any, sample: torch.Tensor) -> None:
        self.total = len(scheduler.timesteps)
        self.step += 1
        self.times.append(float(time))
        self.take(scheduler, output, time, sample)
        self.changed.set()
        self.check()
        if self._skipped():
            raise Interrupted("skipped")


class Inpainting:
    """Restore the given picture outside of the mask after each step, with the noise of that step's level.

    This is what Stable Diffusion's own inpainting does with a plain U-Net (blended latent diffusion, Avrahami et al.
    2023). diffusers' pipeline does it for 4 latent channels alone; this is for all others. `latents` are the given
    picture's (1 × channels × height × width); `mask` has the same size, 1 where it is to be repainted; `noise` has one
    row per picture.
    """

    def __init__(self, scheduler: Any, latents: torch.Tensor, mask: torch.Tensor, noise: torch.Tensor) -> None:
        self.scheduler, self.latents, self.mask, self.noise = scheduler, latents, mask, noise

    def __call__(self, sample: torch.Tensor, later: Any) -> torch.Tensor:
        """Return the blended latents; `later` is the next step's timestep, None after the last."""
        given = self.latents.expand_as(self.noise)
        if later is not None:
            given = self.scheduler.add_noise(given, self.noise, later.reshape(1))
        return given * (1 - self.mask) + sample * self.mask


def distances(kept: list[tuple[torch.Tensor, torch.Tensor]]) -> list[float]:
    """Return how far each step's predicted x0 is from the last one, as a share of the distance to another picture.

    Two unrelated pictures of one model are √2 times as far apart as one is from their mean (root mean square, in
    latents); as latents are centred, that mean is taken to be 0. The measure does not depend on how many steps there
    are, which a change per step does.
    """
    x0 = torch.stack([pair[1].float() for pair in kept]).flatten(1)  # steps × values
    other = 2**0.5 * x0[-1].square().mean().sqrt().clamp(min=1e-6)
    return [round(float(value), 4) for value in (x0 - x0[-1]).square().mean(1).sqrt() / other]


def settled(distances: Sequence[float]) -> int:
    """Return the first step (from 1) from which on every distance to the last picture is at most `SETTLED`."""
    far = [step for step, distance in enumerate(distances, 1) if distance > SETTLED]
    return far[-1] + 1 if far else 1


def slerp(start: torch.Tensor, end: torch.Tensor, share: float) -> torch.Tensor:
    """Return the point at `share` (0–1) of the arc from `start` to `end`, of one shape (spherical lerp, Shoemake 1985).

    Gaussian noise lies near a sphere: an arc stays on it, a straight line between two draws does not.
    """
    if share <= 0:
        return start
    if share >= 1:
        return end
    a, b = start.flatten().double(), end.flatten().double()
    angle = torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if float(angle.sin()) < 1e-6:
        return torch.lerp(start, end, share)
    left, right = torch.sin((1 - share) * angle) / angle.sin(), torch.sin(share * angle) / angle.sin()
    return (left * a + right * b).view(start.shape).to(start.dtype)
