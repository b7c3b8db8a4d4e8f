"""Measure the example prompts of the image models: the share of seeds whose image the judge names as asked.

    python -m training.image.example_marks --sheet sheets

Each example of each catalogue entry is drawn with the model's own defaults by 20 seeds. The share over all of them is
the entry's `example_share`. `--sheet` writes a contact sheet per model, a row per prompt, to look at.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import models
from models.types import ASIDE, Request
from training import cards
from training.image.emoji import COLOURS
from training.image.emoji_judge import load_judge
from training.image.styles import STYLES

SEEDS = 20
AT_ONCE = 4


def main() -> None:
    """Print the share of every example, and of each model's examples together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets")
    parser.add_argument("--model", nargs="*", help="models (default: all of the collection emoji)")
    parser.add_argument("--prompt", nargs="*", help="prompts in place of the examples")
    options = parser.parse_args()
    judge = load_judge()
    for spec in models.list_models():
        if spec.collection != "emoji" or not spec.examples or (options.model and spec.id not in options.model):
            continue
        shares, sheet = [], []
        for prompt in options.prompt or spec.examples:
            drawn = pictures(spec.id, prompt)
            ranks = judge.ranks(drawn, [place_of(judge.names, prompt)] * len(drawn))
            shares.append(sum(rank < 5 for rank in ranks) / len(ranks))
            sheet.append(drawn)
            print(f"{spec.id} {prompt}: {shares[-1]:.0%}", flush=True)
        print(f"{spec.id}: {sum(shares) / len(shares):.3f}", flush=True)
        if options.sheet:
            options.sheet.mkdir(parents=True, exist_ok=True)
            cards.contact_sheet(options.sheet / f"{spec.id.replace('/', '-')}.png", torch.cat(sheet), SEEDS)


def pictures(model: str, prompt: str) -> torch.Tensor:
    """Return what the seeds 0 to 19 draw, 20 × 3 × 64 × 64, −1 … 1."""
    found = []
    for seed in range(0, SEEDS, AT_ONCE):
        request = Request(model=model, inputs={"prompt": prompt}, params={"num_images": AT_ONCE}, seed=seed)
        *_, final = models.generate(request)
        for output in final.outputs:
            if output.kind not in ASIDE:
                pixels = np.asarray(Image.open(io.BytesIO(output.data)).convert("RGB"), np.float32)
                found.append(torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1))
    return torch.stack(found)


def place_of(names: list[str], prompt: str) -> int:
    """Return the place of the name that a prompt asks for, in a colour, in a style or not. Raises `ValueError`."""
    thing, comma, style = prompt.rpartition(", ")
    prompt = thing if comma and style in STYLES else prompt
    colour, _, rest = prompt.partition(" ")
    wanted = prompt if prompt in names or colour not in COLOURS else rest
    if wanted not in names:
        raise ValueError(f"no emoji is called {prompt!r}")
    return names.index(wanted)


if __name__ == "__main__":
    main()
