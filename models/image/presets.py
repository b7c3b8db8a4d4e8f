"""Settings of makers of pictures that the authors of their schedulers recommend."""

from __future__ import annotations

from models.presets import Preset

_DPM = "DPMSolverMultistepScheduler"
DIFFUSION = (
    Preset("Draft", {"num_inference_steps": 8, "scheduler": _DPM}, "Eight steps: a picture in a third of the time.",
           "Lu et al. 2022, DPM-Solver++"),
    Preset("Without guidance", {"guidance_scale": 1.0}, "As the net alone draws: varied, often not what was asked for.",
           "Ho & Salimans 2022, Classifier-Free Diffusion Guidance"),
    Preset("Karras noise levels", {"scheduler": _DPM, "sigmas": "karras", "num_inference_steps": 12},
           "More of the steps where details are made.", "Karras et al. 2022, equation 5"),
    Preset("Fresh noise", {"scheduler": "EulerAncestralDiscreteScheduler", "num_inference_steps": 30},
           "New noise at each step: mends what few steps break, and never settles.", "k-diffusion"),
)  # fmt: skip
