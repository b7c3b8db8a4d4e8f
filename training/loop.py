"""What the training scripts of the image models share: a clock that a pause does not fool, optimizers, checkpoints."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Clock:
    """Count the seconds of training. A pause (SIGSTOP) does not count: a step counts at most three times the usual."""

    def __init__(self, minutes: float, seconds: float = 0.0) -> None:
        self.budget_s = 60 * minutes
        self.seconds = seconds
        self._recent: list[float] = []
        self._at = time.perf_counter()

    @property
    def progress(self) -> float:
        """Return the share of the budget that is used, 0 … 1."""
        return min(1.0, self.seconds / self.budget_s)

    def restart(self) -> None:
        """Leave out what happened since the last step (a measurement, an export)."""
        self._at = time.perf_counter()

    def step(self) -> float:
        """Count one step and return the median seconds of the last ones."""
        now = time.perf_counter()
        taken, self._at = now - self._at, now
        self._recent = [*self._recent[-50:], taken]
        usual = statistics.median(self._recent)
        self.seconds += min(taken, 3 * usual)
        return usual


class Optimizers:
    """Train matrices and convolutions by Muon (Jordan et al. 2024), all else by AdamW.

    `torch.optim.Muon` takes matrices alone: a convolution is given to it as a matrix of output channels × the rest,
    a view of the same memory, as Muon's authors do. The first and the last layer, embeddings, norms and biases go to
    AdamW. `set(factor)` scales both learning rates.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float = 0.0, edges: tuple[str, ...] = ()) -> None:
        self.lr = lr
        self._model = model
        self._views: list[tuple[nn.Parameter, nn.Parameter]] = []
        others = []
        for name, weight in model.named_parameters():
            inner = weight.ndim >= 2 and not any(edge in name for edge in ("embed", *edges))
            if inner and min(weight.shape[0], weight[0].numel()) > 8:
                self._views.append((weight, nn.Parameter(_matrix(weight.data))))
            else:
                others.append(weight)
        matrices = [view for _, view in self._views]
        self._all = [
            torch.optim.Muon(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.95), weight_decay=0.0),
        ]

    def step(self, factor: float, clip: float = 1.0) -> None:
        """Take one step at `factor` × the learning rate, gradients clipped to norm `clip`, then forget them."""
        nn.utils.clip_grad_norm_(self._model.parameters(), clip)
        for weight, view in self._views:
            view.grad = None if weight.grad is None else _rows(weight.grad, weight).reshape(view.shape)
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = self.lr * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._model.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """Return both optimizers' state."""
        return [optimizer.state_dict() for optimizer in self._all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Take up what `state_dict` returned."""
        for optimizer, state in zip(self._all, states, strict=True):
            optimizer.load_state_dict(state)


def _rows(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a convolution's values with the channels in the order in which `like` lies in memory."""
    return values if like.is_contiguous() else values.permute(0, 2, 3, 1)


def _matrix(weight: torch.Tensor) -> torch.Tensor:
    """Return a view of `weight` as outputs × the rest; the order of the rest does not matter to Muon."""
    return _rows(weight, weight).view(len(weight), -1)


def falling(step: int, progress: float, decay_from: float = 0.5, warm_up: int = 100) -> float:
    """Return warm-up–stable–decay's factor on the learning rate (Hu et al. 2024) at a share `progress` of the time."""
    return min(1.0, (step + 1) / warm_up) * min(1.0, max(0.0, (1 - progress) / (1 - decay_from)))


class Average:
    """Keep an exponential moving average of a model's weights, in float32, warmed up over the first steps."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - keep)
            else:
                self.weights[name].copy_(value)


def options(description: str | None, out: str, minutes: float) -> argparse.ArgumentParser:
    """Return a parser with the options that every image script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/")
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--work", type=Path, default=Path(".train") / Path(out).name, help="checkpoints, outside git")
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as many as torch takes")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def prepare(found: argparse.Namespace) -> None:
    """Fix the seed and the threads and make the folder for checkpoints."""
    from models.torchaudio_guard import guard

    guard()
    torch.manual_seed(found.seed)
    if found.threads:
        torch.set_num_threads(found.threads)
    found.work.mkdir(parents=True, exist_ok=True)


def save(file: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint so that a half-written file is never taken for one."""
    torch.save(content, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def resume(file: Path, device: str) -> dict[str, Any] | None:
    """Return a checkpoint's content, or None where there is none."""
    return torch.load(file, map_location=device, weights_only=True) if file.exists() else None


def batches(files: list[int], size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield indices (int64, `size`) in a new order each pass, without end."""
    pool = torch.tensor(files)
    queue = torch.empty(0, dtype=torch.int64)
    while True:
        while len(queue) < size:
            queue = torch.cat([queue, pool[torch.randperm(len(pool), generator=generator)]])
        yield queue[:size]
        queue = queue[size:]


def psnr(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the mean over pictures (batch × 3 × height × width, −1 … 1) of the peak signal-to-noise ratio in dB."""
    error = ((got.clamp(-1, 1) - wanted) / 2).square().flatten(1).mean(1)
    return float((-10 * error.clamp(min=1e-10).log10()).mean())
