"""Measure image/emoji-diffusion by the judge and write its card with an unpicked contact sheet.

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

from training import cards
from training.image.emoji import COLOURS, EmojiSet, load_emoji, on_white
from training.image.emoji_gan import share
from training.image.emoji_judge import Judge, load_judge

STEPS = 20
SCALES = (1.0, 2.0, 3.0, 5.0, 7.5)
NAMES = 200
BATCH = 40


def main() -> None:
    """Measure the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded/emoji-diffusion"))
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--scales", type=float, nargs="+", default=SCALES)
    parser.add_argument("--card", action="store_true", help="write the card too")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    emoji, judge = load_emoji(options.data), load_judge()
    pipeline = load_pipeline(options.out)
    marks = measure(pipeline, judge, emoji, options.names, options.scales)
    print(json.dumps(marks, indent=1))
    if options.card:
        write_card(pipeline, emoji, judge, marks, options.out)


def load_pipeline(folder: Path) -> Any:
    """Return the shipped pipeline as anyone would load it."""
    from diffusers import AutoPipelineForText2Image

    pipeline = AutoPipelineForText2Image.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@torch.inference_mode()
def draw(pipeline: Any, prompts: list[str], guidance: float, seed: int = 0) -> torch.Tensor:
    """Return pictures, prompts × 3 × 64 × 64, −1 … 1; prompt k has the seed `seed` + k."""
    parts = []
    for at in range(0, len(prompts), BATCH):
        some = prompts[at : at + BATCH]
        generators = [torch.Generator().manual_seed(seed + at + number) for number in range(len(some))]
        shown = pipeline(
            some, num_inference_steps=STEPS, guidance_scale=guidance, generator=generators, output_type="pt"
        ).images  # fmt: skip
        parts.append(shown * 2 - 1)
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


def write_card(pipeline: Any, emoji: EmojiSet, judge: Judge, marks: dict[str, Any], out: Path) -> None:
    """Write README.md, curve and samples into the pipeline's folder."""
    history = json.loads((out / "training.json").read_text())
    vae = json.loads((out / "vae" / "training.json").read_text())
    history["marks"] = marks
    (out / "training.json").write_text(json.dumps(history))
    names = [emoji.groups[index].name for index in training_names(emoji)[:16]]
    drawn = draw(pipeline, names, marks["best_guidance"])
    cards.contact_sheet(out / "samples.png", drawn)
    points = [(point[1], point[2]) for point in history["curve"]]
    cards.curve(out / "curve.png", points, "weighted error of v")
    cards.curve(out / "vae-curve.png", [(point[1], point[3]) for point in vae["curve"]], "PSNR of held-out emoji (dB)")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "weighted_error_of_v"], history["curve"])
    parts = {name: sum(one.numel() for one in getattr(pipeline, name).parameters())
             for name in ("unet", "vae", "text_encoder")}  # fmt: skip
    shown = "\n".join(f"| {key.removeprefix('top5_guidance_')} | {value:.1%} |"
                      for key, value in marks.items() if key.startswith("top5_guidance"))  # fmt: skip
    text = cards.DIFFUSION.format(
        **marks, **{f"{name}_parameters": f"{count:,}" for name, count in parts.items()}, minutes=history["minutes"],
        steps_trained=f"{history['steps']:,}", passes=round(history["steps"] * 64 / len(emoji.train)), table=shown,
        psnr=vae["psnr_held_out_db"], psnr_train=vae["psnr_train_db"], vae_minutes=vae["minutes"],
        hardware=history.get("hardware", "2 CPU cores (x86-64), bfloat16"), train_names=len(emoji.train),
        pictures=len(emoji.pixels), listed=", ".join(names),
    )  # fmt: skip
    (out / "README.md").write_text(text)


if __name__ == "__main__":
    main()
