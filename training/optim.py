"""What moves the weights: Muon beside AdamW, the falling learning rate, the moving average of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def has_bfloat16(device: str) -> bool:
    """Say whether sums in bfloat16 are quick on this device: on a CPU that only mimics them they are the slower."""
    if torch.device(device).type != "cpu":
        return True
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


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
        muon: Any = torch.optim.Muon if has_bfloat16(str(others[0].device)) else FloatMuon
        self._all = [
            muon(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.95), weight_decay=0.0),
        ]

    def step(self, factor: float, clip: float = 1.0) -> None:
        """Take one step at `factor` × the learning rate, gradients clipped to norm `clip`, then clear them."""
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
        """Continue from what `state_dict` returned."""
        for optimizer, state in zip(self._all, states, strict=True):
            optimizer.load_state_dict(state)


class FloatMuon(torch.optim.Muon):
    """Do in float32 what `torch.optim.Muon` does in bfloat16, matrices of one shape together.

    On a CPU without bfloat16 torch's own takes several times as long as the rest of a step.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Take one step."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes.setdefault(weight.shape, []).append(weight)
            for shape, weights in shapes.items():
                moved = []
                for weight in weights:
                    buffer = self.state[weight].setdefault("momentum_buffer", torch.zeros_like(weight.grad))
                    buffer.lerp_(weight.grad, 1 - group["momentum"])
                    moved.append(weight.grad.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer)
                updates = _orthogonal(torch.stack(moved), group["ns_coefficients"], group["ns_steps"], group["eps"])
                rate = group["lr"] * 0.2 * max(shape) ** 0.5  # as large as AdamW's updates
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update, alpha=-rate)


def _orthogonal(values: torch.Tensor, factors: tuple[float, float, float], steps: int, eps: float) -> torch.Tensor:
    """Return the orthogonal matrices nearest to `values` (n × rows × columns), by Newton and Schulz's iteration."""
    tall = values.shape[1] > values.shape[2]
    found = values.mT if tall else values
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    a, b, c = factors
    for _ in range(steps):
        square = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(square, square, square, beta=b, alpha=c), found, beta=a)
    return found.mT if tall else found


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

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights and how many steps went into them."""
        return {"weights": self.weights, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        for name, value in self.weights.items():
            value.copy_(state["weights"][name])
        self.steps = state["steps"]
