"""Facts from a diffusers folder: sizes, schedulers that run, tasks. It reads configs, not weights."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from models.diffusion import schedulers


def describe_folder(folder: Path) -> dict[str, Any]:
    """Return the catalogue's facts of a diffusers folder.

    `schedulers` were each tried on the model's own schedule; `size_step` is what width and height are multiples of, in
    pixels; `size` the size that the model was trained on, in pixels. Raises `OSError`, `KeyError` and `ValueError` for
    a damaged folder.
    """
    index = _read(folder / "model_index.json")
    config = _read(folder / "scheduler" / "scheduler_config.json")
    vae = _read(folder / "vae" / "config.json")
    denoiser = _read(folder / ("unet" if "unet" in index else "transformer") / "config.json")
    factor = 2 ** (len(vae["block_out_channels"]) - 1)
    # a U-Net halves its grid between its blocks; a transformer takes 2 × 2 positions as one token
    halvings = len(denoiser["block_out_channels"]) - 1 if "unet" in index else 1
    channels = int(vae["latent_channels"])
    found: dict[str, Any] = {
        "size_step": factor * 2**halvings,
        "latent_channels": channels, "prediction_type": str(config.get("prediction_type", "epsilon")),
        "schedulers": _schedulers(str(index["_class_name"]), config, channels),
        "tasks": _tasks(str(index["_class_name"])),
    }  # fmt: skip
    if "original_inference_steps" in _told(str(index["_class_name"])):
        found["max_steps"] = config.get("original_inference_steps", 50)  # the teacher's steps
    if isinstance(denoiser.get("sample_size"), int):
        found["size"] = denoiser["sample_size"] * factor
    if schedulers.is_flow(config):
        found["prediction_type"] = "flow"
    found["word_maps"] = "unet" in index  # cross-attention that `making.word_maps` can record
    if "text_encoder" in index:
        text = _read(folder / "text_encoder" / "config.json")
        if text.get("model_type", "").startswith("clip"):
            found["clip_layers"] = int(text["num_hidden_layers"])
            found["context_length"] = int(text["max_position_embeddings"])
    return found


def _schedulers(pipeline: str, config: dict[str, Any], channels: int) -> list[str]:
    """Return the schedulers that run on this schedule and accept the arguments that this kind of pipeline passes.

    A consistency model's pipeline passes its teacher's number of steps, Flux's its own noise levels.
    """
    import diffusers

    told = _told(pipeline)

    def takes(name: str) -> bool:
        return told <= set(inspect.signature(getattr(diffusers, name).set_timesteps).parameters)

    return [name for name in schedulers.running(config, channels) if takes(name)]


def _told(pipeline: str) -> set[str]:
    """Return the names of what this kind of pipeline passes to `set_timesteps` beside the number of steps."""
    import diffusers

    cls = getattr(diffusers, pipeline)
    told = set()
    if "original_inference_steps" in inspect.signature(cls.__call__).parameters:
        told.add("original_inference_steps")
    if hasattr(cls, "_pack_latents"):
        told.add("sigmas")
    return told


def _tasks(pipeline: str) -> list[str]:
    """Return the tasks for which diffusers has a pipeline of this kind."""
    from diffusers.pipelines import auto_pipeline as auto

    tasks = {
        "text to image": auto.AUTO_TEXT2IMAGE_PIPELINES_MAPPING,
        "image to image": auto.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING,
        "inpaint": auto.AUTO_INPAINT_PIPELINES_MAPPING,
    }  # fmt: skip
    return [task for task, mapping in tasks.items() if auto._get_task_class(mapping, pipeline, False) is not None]


def _read(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} holds no JSON object")
    return found
