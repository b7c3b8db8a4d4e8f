"""Measure image/emoji-diffusion by the judge over guidance scales.

    python -m training.image.emoji_marks --data ../shared/data

For 200 fixed training names (the same for every model) and every held-out name: the share whose name the judge ranks
among its first five, for several guidance scales; and how often a picture asked for in a colour has that hue.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import torch

from training.image.emoji import COLOURS, EmojiSet, load_emoji, on_white
from training.image.emoji_judge import Judge, load_judge, share

STEPS = 20
SCALES = (1.0, 2.0, 3.0, 5.0, 7.5)
NAMES = 200
BATCH, GPU_BATCH = 40, 256


def main() -> None:
    """Measure the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded/emoji-diffusion"))
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--scales", type=float, nargs="+", default=SCALES)
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    emoji, judge = load_emoji(options.data), load_judge()
    pipeline = load_pipeline(options.out)
    marks = measure(pipeline, judge, emoji, options.names, options.scales)
    print(json.dumps(marks, indent=1))


def load_pipeline(folder: Path) -> Any:
    """Return the shipped pipeline as anyone would load it."""
    from diffusers import AutoPipelineForText2Image

    pipeline = AutoPipelineForText2Image.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@torch.inference_mode()
def draw(pipeline: Any, prompts: list[str], guidance: float, seed: int = 0) -> torch.Tensor:
    """Return pictures, prompts × 3 × 64 × 64, −1 … 1, on the CPU; prompt k has the seed `seed` + k."""
    parts = []
    batch = BATCH if pipeline.device.type == "cpu" else GPU_BATCH
    for at in range(0, len(prompts), batch):
        some = prompts[at : at + batch]
        generators = [torch.Generator().manual_seed(seed + at + number) for number in range(len(some))]
        shown = pipeline(
            some, num_inference_steps=STEPS, guidance_scale=guidance, generator=generators, output_type="pt"
        ).images  # fmt: skip
        parts.append(shown.float().cpu() * 2 - 1)
    return torch.cat(parts)


def training_names(emoji: EmojiSet, count: int = NAMES) -> list[int]:
    """Return the fixed groups by which every model is judged."""
    return random.Random(0).sample(sorted(emoji.train, key=lambda index: emoji.groups[index].name), count)


def measure(pipeline: Any, judge: Judge, emoji: EmojiSet, names: int, scales: list[float]) -> dict[str, Any]:
    """Return the marks."""
    train = training_names(emoji)[:names]
    marks: dict[str, Any] = {"names": len(train), "steps": STEPS}
    for scale in scales:
        drawn = draw(pipeline, [emoji.groups[index].name for index in train], scale)
        marks[f"top5_guidance_{scale:g}"] = share(judge.ranks(drawn, train))
    best = max(scales, key=lambda scale: marks[f"top5_guidance_{scale:g}"])
    held_out = draw(pipeline, [emoji.groups[index].name for index in emoji.held_out], best)
    marks["held_out_names"] = len(emoji.held_out)
    marks["top5_held_out"] = share(judge.ranks(held_out, emoji.held_out))
    real = on_white(emoji.pixels[[emoji.groups[index].files[0] for index in train]])
    marks["top5_real"] = share(judge.ranks(real, train))
    marks["best_guidance"] = best
    marks["colour_followed"] = colour_followed(pipeline, emoji, best)
    return marks


def colour_followed(pipeline: Any, emoji: EmojiSet, guidance: float) -> float:
    """Return how often "<colour> <training name>" gives a picture whose mean hue lies nearest to that colour."""
    choice = random.Random(1)
    asked = [(colour, emoji.groups[choice.choice(emoji.train)].name) for colour in COLOURS for _ in range(8)]
    drawn = draw(pipeline, [f"{colour} {name}" for colour, name in asked], guidance)
    good = sum(hue_of(picture) == colour for picture, (colour, _) in zip(drawn, asked, strict=True))
    return round(good / len(asked), 4)


def hue_of(picture: torch.Tensor) -> str:
    """Return the colour of `COLOURS` that lies nearest to the mean hue of a picture (3 × height × width, −1 … 1)."""
    shown = (picture + 1) / 2
    mean = (shown - shown.mean(0)).flatten(1).mean(1)  # what is not grey
    angle = torch.atan2(3**0.5 * (mean[1] - mean[2]), 2 * mean[0] - mean[1] - mean[2]) / (2 * torch.pi) % 1
    return min(COLOURS, key=lambda name: abs((COLOURS[name] - float(angle) + 0.5) % 1 - 0.5))


if __name__ == "__main__":
    main()
