"""What the cards of the image models share: contact sheets, curves, tables and the cards' text."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image


def contact_sheet(file: Path, pictures: torch.Tensor, columns: int = 8) -> None:
    """Write pictures (n × 3 × 64 × 64, −1 … 1) as one PNG, row by row."""
    shown = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    rows = [torch.cat(list(shown[at : at + columns]), 2) for at in range(0, len(shown) // columns * columns, columns)]
    Image.fromarray(torch.cat(rows, 1).permute(1, 2, 0).numpy()).save(file, optimize=True)


def curve(file: Path, points: Sequence[tuple[float, float]], label: str) -> None:
    """Draw `label` over minutes."""
    curves(file, {"": points}, label)


def curves(file: Path, lines: Mapping[str, Sequence[tuple[float, float]]], label: str) -> None:
    """Draw `label` over minutes, a line for each name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, points), colour in zip(lines.items(), ("#6d4aff", "#c2410c"), strict=False):
        axes.plot([point[0] for point in points], [point[1] for point in points], color=colour, label=name)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if len(lines) > 1:
        axes.legend()
    figure.savefig(file, dpi=80)


def write_csv(file: Path, head: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Write a table."""
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        writer.writerows([[f"{value:.5g}" for value in row] for row in rows])


EMOJI_HEAD = """---
license: other
license_name: apache-2.0-mit-cc-by-4.0
language: en
library_name: diffusers
"""

EMOJI_DATA = """## Data
{pictures} images of 72 px, scaled to 64 px and laid on white: [Noto Emoji](https://github.com/googlefonts/noto-emoji)
(Apache-2.0), [Fluent Emoji](https://github.com/microsoft/fluentui-emoji), flat and 3D (MIT, © Microsoft), and
[Twemoji](https://github.com/jdecked/twemoji) (graphics CC BY 4.0, © Twitter, Inc. and other contributors). Captions:
the English names and aliases of the `emoji` package (BSD) and CLDR's keywords (Unicode License). Skin tones and genders
of one image share a *base name*. {train_names} base names are for training; {held_out_names}, chosen by hash, are held
out in every style. Of the pairs of a training name and a style other than Noto, one in ten is held out too:
{seen_pairs} pairs seen, {held_out_pairs} held out. The judge is a classifier of name and style, trained on real emoji
alone ({judge_top1:.1%} of held-out augmentations named right, style {judge_style:.1%}).
"""
