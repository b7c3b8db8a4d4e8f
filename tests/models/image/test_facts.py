"""What a pipeline's folder says of itself, and what a damaged one gives."""

import json

import pytest

from models.torchaudio_guard import guard

guard()

from models.diffusion import schedulers  # noqa: E402
from models.image import facts  # noqa: E402


def write(folder, index=None, scheduler=None, vae=None, denoiser=None, text=None):
    parts = {
        "scheduler/scheduler_config.json": scheduler or {"_class_name": "DDIMScheduler", "beta_end": 0.012,
                                                         "prediction_type": "v_prediction"},
        "vae/config.json": vae or {"block_out_channels": [8, 8, 16], "latent_channels": 4},
        "unet/config.json": denoiser or {"block_out_channels": [8, 16], "sample_size": 16},
        "text_encoder/config.json": text or {"model_type": "clip_text_model", "num_hidden_layers": 12,
                                             "max_position_embeddings": 77},
        "model_index.json": {"_class_name": "StableDiffusionPipeline", "unet": [], "vae": [], "text_encoder": [],
                             **(index or {})},
    }  # fmt: skip
    for name, content in parts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


def test_a_stable_diffusion_folder(tmp_path):
    found = facts.describe_folder(write(tmp_path))
    schedulers_found = found.pop("schedulers")
    assert set(schedulers_found) == {name for name in schedulers.NAMES if not name.startswith("FlowMatch")}
    assert found == {
        "size_step": 8, "latent_channels": 4, "prediction_type": "v_prediction", "size": 64, "word_maps": True,
        "tasks": ["text to image", "image to image", "inpaint"], "clip_layers": 12, "context_length": 77,
    }  # fmt: skip


def test_a_consistency_model_knows_its_teachers_steps(tmp_path):
    index = {"_class_name": "LatentConsistencyModelPipeline"}
    scheduler = {"_class_name": "LCMScheduler", "original_inference_steps": 40, "beta_end": 0.012}
    found = facts.describe_folder(write(tmp_path, index=index, scheduler=scheduler))
    assert found["max_steps"] == 40
    assert found["schedulers"] == ["LCMScheduler"]


@pytest.mark.parametrize("part", ["model_index.json", "scheduler/scheduler_config.json", "vae/config.json",
                                  "unet/config.json", "text_encoder/config.json"])  # fmt: skip
@pytest.mark.parametrize("damage", ["missing", "{", "[]"])
def test_a_damaged_part_raises_what_the_family_turns_into_a_sentence(tmp_path, part, damage):
    folder = write(tmp_path)
    (folder / part).unlink() if damage == "missing" else (folder / part).write_text(damage)
    with pytest.raises((OSError, ValueError)):
        facts.describe_folder(folder)


def test_an_unknown_pipeline_is_told(tmp_path):
    with pytest.raises(AttributeError):
        facts.describe_folder(write(tmp_path, index={"_class_name": "NoSuchPipeline"}))
