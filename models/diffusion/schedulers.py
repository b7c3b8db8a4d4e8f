"""diffusers' schedulers as settings: which of them run for a model, and a new one for each request.

A scheduler keeps state while it runs, so a request never uses the loaded pipeline's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

# every scheduler that the settings may name, in the order in which the page lists them
NAMES = (
    "DPMSolverMultistepScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler",
    "LMSDiscreteScheduler", "PNDMScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
    "DDPMScheduler", "LCMScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler",
)  # fmt: skip
# those whose samples grow with σ (Karras et al. 2022): x = x₀ + σ·ε; all others keep the variance: x = α·x₀ + σ·ε
_EXPLODING = {
    "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler",
    "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "CosineDPMSolverMultistepScheduler",
}  # fmt: skip
WITH_SIGMAS = (  # those that take Karras, exponential and beta spacing of σ
    "DPMSolverMultistepScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler", "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler", "DEISMultistepScheduler", "LMSDiscreteScheduler", "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
)  # fmt: skip
WITH_SPACING = (
    "DPMSolverMultistepScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler", "LMSDiscreteScheduler",
    "PNDMScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "DDPMScheduler", "LCMScheduler",
)  # fmt: skip
_WIDEST = 100.0  # standard deviations of noise and image, which a step keeps to about 4
_SIGMAS = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}


def make(config: Mapping[str, Any], name: str, sigmas: str = "default", spacing: str = "default") -> Any:
    """Return a fresh scheduler `name` with a model's own schedule (`config`, as diffusers stores it).

    `sigmas` is one of default, karras, exponential, beta (Karras et al. 2022, eq. 5; Lee et al. 2024 for beta);
    `spacing` one of default, leading, linspace, trailing (Lin et al. 2023, table 2). Raises `ValueError` where the
    scheduler cannot take the model's schedule.
    """
    import diffusers

    cls = getattr(diffusers, name)
    changes: dict[str, Any] = {}
    if name in WITH_SIGMAS:
        # a file may have one of them switched on: exactly one may be
        changes = {flag: kind == sigmas for kind, flag in _SIGMAS.items()} if sigmas != "default" else {}
    if spacing != "default" and name in WITH_SPACING:
        changes["timestep_spacing"] = spacing
    known = inspect.signature(cls.__init__).parameters
    kept = {key: value for key, value in config.items() if key in known}
    if "clip_sample" in known:
        kept.setdefault("clip_sample", False)  # latents are not pixels: they are not limited to −1 … 1
    if name == "PNDMScheduler":
        kept["skip_prk_steps"] = True  # as Stable Diffusion runs it
    if name == "DPMSolverMultistepScheduler":
        kept["algorithm_type"] = "dpmsolver++"
    if name.startswith("FlowMatch") != is_flow(config):
        raise ValueError(f"{name} does not fit this model's schedule")
    return cls.from_config(kept, **{key: value for key, value in changes.items() if key in known})


def is_flow(config: Mapping[str, Any]) -> bool:
    """Say whether a scheduler's config belongs to a flow-matching model (Lipman et al. 2023)."""
    name = str(config.get("_class_name", ""))
    return name.startswith("FlowMatch") or bool(config.get("use_flow_sigmas"))


def running(config: Mapping[str, Any], channels: int) -> list[str]:
    """Return the names of the schedulers that run for a model: each is tried, five steps on a tiny tensor.

    One whose numbers grow beyond all that noise and image are made of does not run: Heun's average of two slopes does
    where the first step begins at nearly pure noise.
    """
    return [name for name in NAMES if _runs(config, name, channels)]


def _runs(config: Mapping[str, Any], name: str, channels: int) -> bool:
    try:
        scheduler = make(config, name)
        scheduler.set_timesteps(5)
        start = torch.Generator().manual_seed(0)
        sample = torch.randn(1, channels, 2, 2, generator=start) * getattr(scheduler, "init_noise_sigma", 1.0)
        for time in scheduler.timesteps:
            given = scheduler.scale_model_input(sample, time) if hasattr(scheduler, "scale_model_input") else sample
            sample = scheduler.step(given * 0.1, time, sample, return_dict=False)[0]
        return bool(sample.abs().max() < _WIDEST)
    except Exception:  # each scheduler fails in its own way; it is then not offered
        return False


def predicted_x0(scheduler: Any, output: torch.Tensor, time: Any, sample: torch.Tensor) -> torch.Tensor:
    """Return the x0 that the model predicts at this step; call it before `scheduler.step`.

    `output` is the model's output (after guidance), `sample` the noisy latents, both of one shape. The formulas are
    those of Salimans & Ho 2022, appendix D, in each scheduler's own scaling.
    """
    name = type(scheduler).__name__
    kind = scheduler.config.get("prediction_type", "epsilon")
    output, sample = output.float(), sample.float()
    index = getattr(scheduler, "step_index", None)
    sigmas = getattr(scheduler, "sigmas", None)
    if sigmas is not None and index is None and hasattr(scheduler, "index_for_timestep"):
        index = scheduler.index_for_timestep(time)  # the first step
    if name.startswith("FlowMatch") or scheduler.config.get("use_flow_sigmas"):
        assert sigmas is not None and index is not None
        return sample + float(sigmas[-1] - sigmas[index]) * output  # to the last level: 0, or 1 where it is inverted
    if sigmas is not None and index is not None:
        if name.startswith("KDPM2") and not scheduler.state_in_first_order:
            sigmas = scheduler.sigmas_interpol  # its second half step starts between two levels
            index -= "Ancestral" in name  # which this one counts from the step before
        sigma = float(sigmas[min(index, len(sigmas) - 1)])
        alpha = 1.0 if name in _EXPLODING else (sigma**2 + 1) ** -0.5
        noise = sigma if name in _EXPLODING else sigma * alpha
        if name in _EXPLODING and kind == "v_prediction":
            return sample / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5
    else:
        kept = float(scheduler.alphas_cumprod[int(time)])
        alpha, noise = kept**0.5, (1 - kept) ** 0.5
    if kind == "sample":
        return output
    if kind == "v_prediction":
        return alpha * sample - noise * output
    return (sample - noise * output) / alpha
