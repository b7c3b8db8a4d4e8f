"""Write the card of image/emoji-judge from what its training measured.

    python -m training.image.judge_card --data ../shared/data --hardware "NVIDIA H100 80GB HBM3"

The shares are those of `training.json`; the probabilities that real emoji get are measured here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from training.image.emoji import on_white
from training.image.emoji_judge import FACTS, FOLDER, Judge, load_judge
from training.image.styles import StyleSet, load_styles

CARD = """---
license: other
license_name: apache-2.0-mit-cc-by-4.0
language: en
library_name: transformers
pipeline_tag: image-classification
---
# emoji-judge

Says which emoji an image shows, and in which of four styles. Trained from scratch on real emoji by
`training/image/emoji_judge.py`; the playground measures drawn emoji by it (“Recognised”), and the marks of
emoji-diffusion, emoji-gan and emoji-vae are its judgements.

| | |
|---|---|
| Net | {parameters} parameters: a 5 × 5 convolution, three residual blocks with batch norm, one head for the \
name and one for the style |
| Input | 64 × 64 px, −1 … 1, transparency on white |
| Training | {steps} steps, {pictures} million augmented images, {minutes} minutes on {hardware}, bfloat16; \
label smoothing 0.1 |
| **Names right** | {top1} of held-out augmentations (noto {top1_noto}, flat {top1_flat}, 3d {top1_3d}, twemoji \
{top1_twemoji}); in the top five {top5} |
| Styles right | {style} |
| Probability of the right name | real emoji: median {median}, nine in ten above {low} (labels were smoothed) |

Licence: Apache-2.0, MIT, CC BY 4.0 (those of the emoji that it learnt from).

## Data
Every emoji of four sets, scaled to 64 px and laid on white: [Noto Emoji](https://github.com/googlefonts/noto-emoji)
(Apache-2.0), [Fluent Emoji](https://github.com/microsoft/fluentui-emoji), flat and 3D (MIT, © Microsoft), and
[Twemoji](https://github.com/jdecked/twemoji) (graphics CC BY 4.0, © Twitter, Inc. and other contributors). Names: the
{names} base names of the `emoji` package (BSD), those that the drawing models never saw too: the judge has to \
know them.
It never saw a generated image. Held out are draws of the augmentation (turn, scale, shift, colour), not emoji.

## Limits
It always gives one of its names: a photo gets the emoji that it resembles most. Its probabilities tell images of one
name apart better than images of different names. Real emoji other than these four sets were not tried.
"""


def main() -> None:
    """Write the card that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/ and emoji-styles/")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the trained judge (default: %(default)s)")
    parser.add_argument("--hardware", required=True, help="what it was trained on, in words")
    options = parser.parse_args()
    judge = load_judge(options.out)
    facts = json.loads((options.out / FACTS).read_text("utf-8"))
    odds = real_odds(judge, load_styles(options.data))
    (options.out / "README.md").write_text(card(facts, odds, len(judge.names), options.hardware), "utf-8")


@torch.inference_mode()
def real_odds(judge: Judge, styles: StyleSet) -> torch.Tensor:
    """Return the probability of the right name for the plainest file of each name and style (float32, pairs)."""
    pairs = [(group, files[group][0]) for files in styles.files for group in range(len(judge.names)) if files[group]]
    groups, files = (torch.tensor(part) for part in zip(*pairs, strict=True))
    found = []
    for some, names in zip(files.split(128), groups.split(128), strict=True):
        found.append(judge.net(on_white(styles.pixels[some])).softmax(-1).gather(1, names[:, None])[:, 0])
    return torch.cat(found)


def card(facts: dict[str, Any], odds: torch.Tensor, names: int, hardware: str) -> str:
    """Return the card: `facts` of the training, `odds` of real emoji."""
    shares = {name: _share(facts[name]) for name in ("top1", "top5", "style", *(one for one in facts if "_" in one))}
    return CARD.format(
        **shares, parameters=f"{facts['parameters']:,}", steps=f"{facts['steps']:,}", names=f"{names:,}",
        pictures=f"{facts['pictures'] / 1e6:.1f}", minutes=facts["minutes"], hardware=hardware,
        median=f"{odds.median():.2f}", low=f"{odds.quantile(0.1):.2f}",
    )  # fmt: skip


def _share(value: float) -> str:
    return f"{100 * value:.2f}".rstrip("0").rstrip(".") + "%"


if __name__ == "__main__":
    main()
