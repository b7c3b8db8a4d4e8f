"""What other programs call the samplers and noise schedules: one table, with what each is here.

Sources: stable-diffusion-webui's list in the README of diffusers' schedulers, and the lists of ComfyUI
(comfy/samplers.py), InvokeAI (SCHEDULER_NAME_VALUES), NovelAI, SwarmUI, Fooocus and Easy Diffusion.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Sampler(NamedTuple):
    """Hold a scheduler of diffusers by its class's name, and whether it is the very sampler or the nearest one."""

    scheduler: str
    exact: bool


# webui's name, which is the one that our own pictures carry; what the same sampler is called elsewhere
_SAME = {
    "DPMSolverMultistepScheduler": ("DPM++ 2M", "dpmpp_2m", "dpmsolver++", "dpm_solver_multistep"),
    "DDIMScheduler": ("DDIM", "ddim_v3"),
    "EulerDiscreteScheduler": ("Euler",),
    "EulerAncestralDiscreteScheduler": ("Euler a", "euler_ancestral"),
    "HeunDiscreteScheduler": ("Heun",),
    "DPMSolverSinglestepScheduler": ("DPM++ 2S", "dpmpp_2s", "dpm_solver_singlestep"),
    "UniPCMultistepScheduler": ("UniPC", "uni_pc", "unipc_snr", "unipc_tu", "unipc_tq"),
    "DEISMultistepScheduler": ("DEIS",),
    "LMSDiscreteScheduler": ("LMS",),
    "PNDMScheduler": ("PLMS", "pndm", "ipndm"),
    "KDPM2DiscreteScheduler": ("DPM2", "dpm_2", "kdpm_2"),
    "KDPM2AncestralDiscreteScheduler": ("DPM2 a", "dpm_2_ancestral", "dpm_2_a", "kdpm_2_a"),
    "DDPMScheduler": ("DDPM",),
    "LCMScheduler": ("LCM",),
    "FlowMatchEulerDiscreteScheduler": ("FlowMatch Euler", "flow_match_euler"),
    "FlowMatchHeunDiscreteScheduler": ("FlowMatch Heun", "flow_match_heun"),
}
# those that are not here; the nearest one takes their place and is told
_NEAR = {
    "DPMSolverMultistepScheduler": (
        "DPM++ 2M SDE", "dpmpp_2m_sde", "DPM++ 2M SDE Heun", "dpmpp_2m_sde_heun", "DPM++ 3M SDE", "dpmpp_3m_sde",
        "dpmpp_3m", "DPM++ SDE", "dpmpp_sde", "dpm_solver_stability",
    ),
    "DPMSolverSinglestepScheduler": ("DPM++ 2S a", "dpmpp_2s_ancestral", "DPM fast", "dpm_fast", "DPM adaptive",
                                     "dpm_adaptive"),
    "HeunDiscreteScheduler": ("heunpp2",),
    "UniPCMultistepScheduler": ("uni_pc_bh2",),
    "EulerAncestralDiscreteScheduler": ("euler_ancestral_cfg_pp",),
    "EulerDiscreteScheduler": ("euler_cfg_pp",),
}  # fmt: skip
SIGMAS = {"karras": "Karras", "exponential": "Exponential", "beta": "Beta"}  # ours, and webui's name
AS_TRAINED = frozenset({"", "automatic", "normal", "uniform", "native", "discrete", "default", "none", "simple"})


def plain_name(name: str) -> str:
    """Return a sampler's name without what programs add to it: "k_dpmpp_2m" and "DPM++ 2M" are one."""
    found = re.sub(r"\s+", "_", name.strip().lower().replace("++", "pp").replace("+", "p"))
    found = found.removeprefix("sample_").removeprefix("k_").removesuffix("_gpu")
    return re.sub(r"[^a-z0-9]", "", found)


def find(name: str) -> tuple[Sampler, str] | None:
    """Return a sampler of another program and the noise schedule in its name ("" for none); None for an unknown one.

    Older names hold both: "DPM++ 2M Karras", "dpmpp_2m_k", "euler_karras".
    """
    if found := _TABLE.get(plain_name(name)):
        return found, ""
    first, _, last = re.sub(r"[\s_]+", " ", name.strip()).rpartition(" ")
    schedule = "karras" if last.lower() == "k" else last.lower()
    if first and schedule in SIGMAS and (found := _TABLE.get(plain_name(first))):
        return found, schedule
    return None


def webui_name(scheduler: str) -> str:
    """Return webui's name of a scheduler; the class's own where webui has none."""
    return _SAME[scheduler][0] if scheduler in _SAME else scheduler


_TABLE = {
    plain_name(name): Sampler(scheduler, exact)
    for exact, table in ((False, _NEAR), (True, _SAME)) for scheduler, names in table.items()
    for name in (*names, scheduler.removesuffix("Scheduler"), scheduler)
}  # fmt: skip
