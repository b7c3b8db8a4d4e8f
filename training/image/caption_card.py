"""Measure image/emoji-caption as it was written, and write its card with curve, marks and unpicked samples.

    python -m training.image.caption_card --data ../shared/data --hardware "1 CPU thread (x86-64)"

`training.json` beside the weights tells what the training took.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from models.image.caption_settings import WRITERS
from models.image.nets.captioner import Captioner
from training import cards
from training.image.caption_marks import captions, measure, plain
from training.image.emoji_caption import FACTS, FOLDER
from training.image.styles import STYLES, StyleSet, load_styles, some

SAMPLES = 16  # unseen pairs, and as many pictures of unseen names
SETS = {
    "seen_pairs": "seen pairs, as they are", "seen_pairs_augmented": "seen pairs, a new draw of the augmentation",
    "unseen_pairs": "**unseen pairs**, as they are", "unseen_pairs_augmented": "unseen pairs, augmented",
    "unseen_pairs_beams": "unseen pairs, four beams", "unseen_names": "unseen names",
}  # fmt: skip


def main() -> None:
    """Write the card of the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/ and emoji-styles/")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the trained model (default: %(default)s)")
    parser.add_argument("--hardware", required=True, help="what it was trained on, in words")
    options = parser.parse_args()
    from transformers import AutoTokenizer

    model = Captioner.from_pretrained(options.out, dtype=torch.float32).eval()
    tokenizer, styles = AutoTokenizer.from_pretrained(options.out), load_styles(options.data)
    marks = measure(model, tokenizer, styles)
    (options.out / "marks.json").write_text(json.dumps(marks, indent=1) + "\n", "utf-8")
    write_card(model, tokenizer, styles, marks, options.out, options.hardware)
    print(json.dumps(marks, indent=1))


def write_card(
    model: Captioner, tokenizer: Any, styles: StyleSet, marks: dict[str, Any], out: Path, hardware: str
) -> None:
    """Write README.md, curve and samples into the model's folder."""
    facts = json.loads((out / FACTS).read_text("utf-8"))
    head = ["step", "minutes", *(f"{writer}_loss_nats" for writer in WRITERS),
            *(f"{writer}_unseen_pairs" for writer in WRITERS)]  # fmt: skip
    cards.write_csv(out / "curve.csv", head, facts["curve"])
    lines = {called: [(row[1], row[4 + at]) for row in facts["curve"]] for at, called in enumerate(WRITERS.values())}
    cards.curves(out / "curve.png", lines, "unseen pairs named word for word")
    pairs = [*some(styles.held_out, SAMPLES), *_unseen_names(styles)]
    shown = plain(styles, pairs)
    cards.contact_sheet(out / "samples.png", shown, min(8, len(shown)))
    said = [captions(model, tokenizer, shown, writer) for writer in WRITERS]
    samples = "\n".join(
        f"| {styles.group(group).name}, {STYLES[style]} | {' | '.join(_told(text) for text in texts)} |"
        for (group, style), *texts in zip(pairs, *said, strict=True)
    )
    parts = {name: f"{sum(one.numel() for one in getattr(model, name).parameters()):,}"
             for name in ("encoder", *WRITERS)}  # fmt: skip
    (out / "README.md").write_text(
        CARD.format(
            **parts, parameters=f"{sum(one.numel() for one in model.parameters()):,}", hardware=hardware,
            precision="bfloat16" if facts["bfloat16"] else "float32", seed=facts["seed"], batch=facts["batch"],
            steps_trained=f"{facts['steps']:,}", pictures=f"{facts['pictures'] / 1e6:.2f}", minutes=facts["minutes"],
            marks=table(marks), styles=by_style(marks), words=f"{model.config.vocab_size:,}", samples=samples,
            files=f"{len(styles.captions):,}", train_names=f"{len(styles.base.train):,}",
            held_out_names=len(styles.base.held_out), seen_pairs=f"{len(styles.seen):,}",
            held_out_pairs=len(styles.held_out),
        ), "utf-8",
    )  # fmt: skip


def _unseen_names(styles: StyleSet) -> list[tuple[int, int]]:
    """Return fixed pictures of held-out names, in turn of each style that draws them."""
    groups = styles.base.held_out[:SAMPLES]
    return [(group, styles.drawn_in(group)[at % len(styles.drawn_in(group))]) for at, group in enumerate(groups)]


def _told(text: str) -> str:
    return text.replace(" ,", ",")


def table(marks: dict[str, Any]) -> str:
    """Return a line of the card's table for each set of pictures."""
    lines = []
    for key, words in SETS.items():
        each = [marks[key][writer] for writer in WRITERS]
        values = [f"{one[name]:.1%}" for name in ("name", "words", "style") for one in each]
        lines.append(f"| {words} | {each[0]['count']:,} | {' | '.join(values)} |")
    return "\n".join(lines)


def by_style(marks: dict[str, Any]) -> str:
    """Return a line for each style: names right of seen and unseen pairs."""
    lines = []
    for style in STYLES:
        values = [marks[key][writer].get(f"name_{style}") for key in ("seen_pairs", "unseen_pairs")
                  for writer in WRITERS]  # fmt: skip
        told = " | ".join("–" if value is None else f"{value:.1%}" for value in values)
        lines.append(f"| {style} | {told} |")
    return "\n".join(lines)


CARD = """---
license: other
license_name: apache-2.0-mit-cc-by-4.0
language: en
library_name: transformers
pipeline_tag: image-to-text
---
# emoji-caption

Says in words what an emoji shows and in which style, “pizza, 3d”, by two decoders over one encoder: an LSTM with
attention (Show, Attend and Tell) and a Transformer. Trained from scratch by `training/image/emoji_caption.py`; it ships
with the playground so that the two can be compared on one image, word by word.

| | |
|---|---|
| Encoder | {encoder} parameters: a 5 × 5 convolution, three residual blocks with batch norm; 8 × 8 places of 128 \
features |
| LSTM | {lstm} parameters: state of 160, additive attention over the places before each word |
| Transformer | {transformer} parameters: two layers, four heads, cross-attention to the places in each |
| Words | {words}: those of the training names, four styles, the comma between; a word is a token |
| In all | {parameters}, stored as fp16 |
| Training | {steps_trained} steps of {batch} augmented images, {pictures} million in all, {minutes} minutes on \
{hardware}, {precision}, seed {seed}; labels smoothed by 0.05 |

## Marks
The likeliest word each time (greedy), but for the line of beams; L is the LSTM, T the Transformer. Name: word for word.
Words: F1 score of the name's words. Unseen pairs are of a name that was learnt in other styles; unseen names have words
that no training name has, more often than not.

| images | number | name, L | name, T | words, L | words, T | style, L | style, T |
|---|---|---|---|---|---|---|---|
{marks}

Names right by style, images as they are:

| style | seen pairs, L | seen pairs, T | unseen pairs, L | unseen pairs, T |
|---|---|---|---|---|
{styles}

## Data
{files} images of 72 px, scaled to 64 px and laid on white: [Noto Emoji](https://github.com/googlefonts/noto-emoji)
(Apache-2.0), [Fluent Emoji](https://github.com/microsoft/fluentui-emoji), flat and 3D (MIT, © Microsoft), and
[Twemoji](https://github.com/jdecked/twemoji) (graphics CC BY 4.0, © Twitter, Inc. and other contributors). Captions:
the English base names of the `emoji` package (BSD), one for all skin tones and genders, and the style. {train_names}
base names are for training; {held_out_names}, chosen by hash, are held out in every style. Of the pairs of a training
name and a style other than Noto, one in ten is held out too: {seen_pairs} pairs seen, {held_out_pairs} held out. The
encoder was not begun from emoji-judge, which has met the held-out ones.

Licence of the weights, by that of the images: Apache-2.0, MIT, CC BY 4.0.

## Curve
![Share of unseen pairs named word for word, over minutes](curve.png)

## Limits
It has the words of its names and no others: a photo, or an emoji whose name it never read, gets words of what it
resembles, with the air of certainty. It names one thing; it does not count, compare or tell a scene. Its probabilities
are of smoothed labels. Attention shows where a decoder read, not why it chose a word.

## Thirty-two unpicked samples
![Samples](samples.png)

Sixteen unseen pairs, then sixteen images of unseen names, in the order of the images:

| image | LSTM | Transformer |
|---|---|---|
{samples}
"""


if __name__ == "__main__":
    main()
