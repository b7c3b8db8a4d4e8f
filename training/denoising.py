"""How every diffusion model is trained: noise is laid over what it should draw, and it learns to predict v.

Progressive Distillation (Salimans and Ho 2022) defines v; the weight of each step is min-SNR (Hang et al. 2023).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from training import loop
from training.optim import Average, Optimizers

SNR_GAMMA = 5.0


@dataclass(frozen=True)
class Plan:
    """Say how a model is trained.

    `unit` is what a batch holds, in the plural; a point of the curve stands for `every` steps; `average` is the decay
    of the averaged weights; `edges` name the layers that Adam trains in place of Muon; `schedule` are the arguments of
    diffusers' `DDPMScheduler`.
    """

    unit: str
    batch: int
    every: int
    learning_rate: float
    average: float
    schedule: dict[str, Any]
    edges: tuple[str, ...] = ("conv_in", "conv_out")


Predict = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
Draw = Callable[[random.Random], tuple[torch.Tensor, torch.Tensor]]
Watch = Callable[[loop.Run, Average], dict[str, float]]


def fit(
    model: Any, plan: Plan, options: argparse.Namespace, draw: Draw, predict: Predict, watch: Watch | None = None
) -> dict[str, Any]:
    """Train until the minutes are used and give the model the average of its weights; return the run's facts.

    `draw` returns a batch (batch × channels × height × width) with its conditions; `predict` returns the model's v of a
    noisy batch, its steps and its conditions. `watch` returns what else a point of the curve holds. With
    `options.export_only` nothing is trained.
    """
    from diffusers import DDPMScheduler

    optimizers = Optimizers(model, plan.learning_rate, weight_decay=0.01, edges=plan.edges)
    average = Average(model, plan.average)
    choice = loop.draws(options)
    run = loop.Run(
        options, plan.every, plan.unit, decay_from=0.6, model=model, optimizers=optimizers, average=average,
        choice=choice,
    )  # fmt: skip
    levels = DDPMScheduler(**plan.schedule).alphas_cumprod.to(options.device)  # ᾱ of each of 1000 steps
    for rate in () if getattr(options, "export_only", False) else run:
        clean, conditions = draw(choice)
        loss = loss_of(predict, clean.to(options.device), conditions.to(options.device), levels)
        loss.backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(plan.batch, loss=loss):
            run.note(**(watch(run, average) if watch else {}))
    model.load_state_dict(average.weights)
    return run.facts()


def loss_of(predict: Predict, clean: torch.Tensor, conditions: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Return the weighted squared error of the predicted v, computed in bfloat16."""
    times = torch.randint(0, len(levels), (len(clean),), device=clean.device)
    kept = levels[times][:, None, None, None]  # ᾱ of each one's step
    noise = torch.randn_like(clean)
    noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
    wanted = kept.sqrt() * noise - (1 - kept).sqrt() * clean
    with torch.autocast(clean.device.type, torch.bfloat16):
        predicted = predict(noisy, times, conditions)
    ratio = levels[times] / (1 - levels[times])
    weight = ratio.clamp(max=SNR_GAMMA) / (ratio + 1)
    return ((predicted.float() - wanted).square().mean((1, 2, 3)) * weight).mean()
