"""Train audio/digits-diffusion: draws the mel spectrogram of a spoken digit, in a chosen speaker's voice.

    python -m training.audio.digit_diffusion --data ../shared/data --minutes 40

A U-Net (`UNet2DModel` of diffusers; Ho et al. 2020) on spectrograms of 64 bands × 96 frames, folded into patches of
8 × 4 (32 channels × 8 × 24), so that two weak cores are enough. The label is the pair of digit and speaker; one in ten
is left out, for classifier-free guidance (Ho & Salimans 2022). v-prediction (Salimans & Ho 2022), min-SNR weights
(Hang et al. 2023). Sampling begins at the noisiest step, however few there are (trailing spacing, Lin et al. 2023).
"""

from __future__ import annotations

import argparse
import json
import random
from typing import Any

import torch
from torch.nn import functional as F

from models.audio.sampling.mels import Mels, MelSettings
from training import loop
from training.audio.digits import RATE, SPEAKERS, Digits, Take, load_digits
from training.denoising import Plan, fit

FRAMES = 96
PATCH = (8, 4)  # bands × frames
NOTHING = 10 * len(SPEAKERS)  # the label that says nothing
LEARNING_RATE = 2e-3
BATCH = 32
EVERY = 100  # steps between points of the curve
EMPTY = 0.1
SCHEDULE = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
            "clip_sample": False, "timestep_spacing": "trailing"}  # fmt: skip
GUIDANCE, STEPS = 2.0, 20


def main() -> None:
    """Run the training that the command line asks for."""
    options = loop.options(__doc__, "models/embedded/digits-diffusion", 40.0, "digits/").parse_args()
    loop.prepare(options)
    digits = load_digits(options.data)
    mels = Mels(MelSettings())
    model = make_model()
    if options.from_shipped:
        model.load_state_dict(type(model).from_pretrained(options.shipped / "unet").float().state_dict())
    model.to(options.device)
    print(f"{sum(one.numel() for one in model.parameters()):,} parameters", flush=True)
    facts = train(model, mels, digits, options)
    export(model, mels, facts, options)


def make_model() -> Any:
    """Return an untrained U-Net."""
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=(64 // PATCH[0], FRAMES // PATCH[1]), in_channels=PATCH[0] * PATCH[1],
        out_channels=PATCH[0] * PATCH[1], block_out_channels=(64, 96, 128), layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=32, norm_num_groups=16,
        num_class_embeds=NOTHING + 1,
    )  # fmt: skip


def fold(mel: torch.Tensor) -> torch.Tensor:
    """Return batch × 32 × 8 × 24 of spectrograms (batch × 64 × 96): each patch becomes channels."""
    count, bands, frames = mel.shape
    cut = mel.view(count, bands // PATCH[0], PATCH[0], frames // PATCH[1], PATCH[1])
    return cut.permute(0, 2, 4, 1, 3).reshape(count, PATCH[0] * PATCH[1], bands // PATCH[0], frames // PATCH[1])


def spectrogram(take: Take, mels: Mels, choice: random.Random) -> torch.Tensor:
    """Return 64 × 96 of a recording, begun a little earlier or later, a little quicker or slower, in near silence."""
    sound = take.sound
    speed = choice.uniform(0.92, 1.08)
    sound = F.interpolate(sound[None, None], scale_factor=1 / speed, mode="linear", align_corners=False)[0, 0]
    room = RATE * FRAMES * 64 // RATE
    before = choice.randrange(80, 600)
    sound = F.pad(sound[: room - before], (before, max(0, room - before - len(sound))))
    sound = sound + torch.randn(len(sound)) * 3e-4
    return mels.to_mel(sound)[:, :FRAMES]


def batch(digits: Digits, mels: Mels, choice: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
    """Return folded spectrograms and their labels (int64)."""
    takes = choice.choices(digits.train, k=BATCH)
    labels = [NOTHING if choice.random() < EMPTY else label_of(take.digit, take.speaker) for take in takes]
    return fold(torch.stack([spectrogram(take, mels, choice) for take in takes])), torch.tensor(labels)


def label_of(digit: int, speaker: int) -> int:
    """Return the label of a digit in a speaker's voice."""
    return digit * len(SPEAKERS) + speaker


def train(model: Any, mels: Mels, digits: Digits, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used and give the model the average of its weights."""

    def draw(choice: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        return batch(digits, mels, choice)  # batch × 32 × 8 × 24, batch

    def predict(noisy: torch.Tensor, times: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model(noisy, times, labels).sample
        return found

    edges = ("conv_in", "conv_out", "class_embedding")
    plan = Plan("spectrograms", BATCH, EVERY, LEARNING_RATE, 0.998, SCHEDULE, edges)
    return fit(model, plan, options, draw, predict)


def export(model: Any, mels: Mels, trained: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the folder of a diffusers pipeline (U-Net and scheduler, fp16) with what its spectrograms mean."""
    from diffusers import DDPMPipeline, DDPMScheduler

    pipeline = DDPMPipeline(model.cpu().half(), DDPMScheduler(**SCHEDULE))
    pipeline.save_pretrained(options.out)
    meaning = {"mel": mels.settings.to_dict(), "frames": FRAMES, "patch": PATCH, "labels": list("0123456789"),
               "speakers": SPEAKERS, "nothing": NOTHING}  # fmt: skip
    (options.out / "spectrogram.json").write_text(json.dumps(meaning, indent=1))
    facts = {**trained, "parameters": sum(one.numel() for one in model.parameters())}
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name != "curve"})


if __name__ == "__main__":
    main()
