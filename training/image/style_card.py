"""Write the card of image/emoji-diffusion's second edition, with an unpicked contact sheet.

python -m training.image.style_marks --data ../shared/data --folder NEW --out new.json
python -m training.image.style_marks --data ../shared/data --folder OLD --out old.json --first-edition
python -m training.image.style_card --data ../shared/data --folder NEW --marks new.json --before old.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from training import cards
from training.image.emoji_judge import FACTS, FOLDER
from training.image.emoji_marks import draw, load_pipeline, training_names
from training.image.style_marks import GUIDANCE
from training.image.styles import StyleSet, load_styles, prompt, some

SAMPLES = ["two red apples", "cat on blue", "small pizza", "pizza and hamburger", "dog on the left", "big red heart",
           "two blue cars, 3d", "green octopus, flat"]  # fmt: skip


def main() -> None:
    """Write the card of the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/ and emoji-styles/")
    parser.add_argument(
        "--folder", type=Path, default=Path("models/embedded/emoji-diffusion"), help="the trained model"
    )
    parser.add_argument("--judge", type=Path, default=FOLDER, help="folder of the judge (default: %(default)s)")
    parser.add_argument("--marks", type=Path, required=True, help="what style_marks measured of the folder")
    parser.add_argument("--before", type=Path, required=True, help="what style_marks measured of the edition before")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    write_card(
        load_pipeline(options.folder), load_styles(options.data), options.folder,
        json.loads(options.marks.read_text("utf-8")), json.loads(options.before.read_text("utf-8")),
        json.loads((options.judge / FACTS).read_text("utf-8")),
    )  # fmt: skip


def write_card(
    pipeline: Any, styles: StyleSet, out: Path, marks: dict[str, Any], before: dict[str, Any], judge: dict[str, Any]
) -> None:
    """Write README.md, curves and samples into the pipeline's folder, and the marks into its training.json."""
    history = json.loads((out / "training.json").read_text("utf-8"))
    vae = json.loads((out / "vae" / "training.json").read_text("utf-8"))
    prompts = sample_prompts(styles)
    cards.contact_sheet(out / "samples.png", draw(pipeline, prompts, GUIDANCE))
    cards.curve(out / "curve.png", [(point[1], point[3]) for point in history["curve"]], "error of held-out pairs")
    cards.curve(out / "vae-curve.png", [(point[1], point[3]) for point in vae["curve"]], "PSNR of held-out emoji (dB)")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "weighted_error_of_v", "held_out_pairs"], history["curve"])
    sizes = {f"{name}_parameters": f"{sum(one.numel() for one in getattr(pipeline, name).parameters()):,}"
             for name in ("unet", "vae", "text_encoder")}  # fmt: skip
    (out / "README.md").write_text(
        CARD.format(
            **sizes, marks=table(marks, before), compositions=composed_table(marks), minutes=history["minutes"],
            steps_trained=f"{history['steps']:,}", seen=f"{history['pictures'] / 1e6:.1f}",
            hardware=history["hardware"], psnr=vae["psnr_held_out_db"], vae_minutes=vae["minutes"],
            listed="; ".join(prompts), **about(styles, judge),
        )
    )  # fmt: skip
    (out / "training.json").write_text(json.dumps({**history, "marks": marks, "marks_before": before}))


def about(styles: StyleSet, judge: dict[str, Any]) -> dict[str, Any]:
    """Return what `cards.EMOJI_DATA` tells of the set, its splits and the judge (the facts it was trained with)."""
    return {
        "pictures": f"{len(styles.captions):,}", "train_names": f"{len(styles.base.train):,}",
        "held_out_names": len(styles.base.held_out), "seen_pairs": f"{len(styles.seen):,}",
        "held_out_pairs": len(styles.held_out), "judge_top1": judge["top1"], "judge_style": judge["style"],
    }  # fmt: skip


def sample_prompts(styles: StyleSet) -> list[str]:
    """Return 32 fixed prompts: eight seen names, eight held-out pairs, eight held-out names, eight compositions."""
    names = [styles.group(group).name for group in training_names(styles.base)[:8]]
    pairs = [prompt(styles.group(group).name, style) for group, style in some(styles.held_out, 8)]
    held_out = [styles.group(group).name for group in styles.base.held_out[:8]]
    return [*names, *pairs, *held_out, *SAMPLES]


def table(marks: dict[str, Any], before: dict[str, Any]) -> str:
    """Return a line of the card's table for each measure."""
    told = {"seen_names": "seen names (Noto, no style in the prompt)", "seen_pairs": "seen pairs of name and style",
            "held_out_pairs": "held-out pairs", "held_out_names": "held-out names",
            "held_out_names_in_styles": "held-out names in the other styles"}  # fmt: skip
    lines = []
    for key, words in told.items():
        new, old = marks[key], before.get(key)
        earlier = f"{old['top5']:.1%}" if old else "–"
        lines.append(f"| {words} | {new['count']} | **{new['top5']:.1%}** | {earlier} | {new['top5_real']:.1%} | "
                     f"{new['style']:.1%} | {new['style_real']:.1%} |")  # fmt: skip
    lines.append(f"| “<colour> <name>” nearest to that colour | 56 | **{marks['colour_followed']:.1%}** | "
                 f"{before['colour_followed']:.1%} | – | – | – |")  # fmt: skip
    return "\n".join(lines)


def composed_table(marks: dict[str, Any]) -> str:
    """Return a line for each kind of composition."""
    return "\n".join(
        f"| {kind} | {found['count']} | **{found['right']:.1%}** | {found['right_real']:.1%} |"
        for kind, found in marks["compositions"].items()
    )


CARD = (
    cards.EMOJI_HEAD
    + """pipeline_tag: text-to-image
---
# emoji-diffusion

Draws emoji from words, in four styles: “pizza”, “pizza, flat”, “pizza, 3d”, “pizza, twemoji”. A latent diffusion model
in exact Stable Diffusion layout, every net trained from scratch by `training/image/emoji_kl.py` and, for the second
edition, `training/image/emoji_styles.py`; it ships with the playground so that the Image page works with no download,
and every setting means what it means for Stable Diffusion:

```python
from diffusers import AutoPipelineForText2Image

AutoPipelineForText2Image.from_pretrained("models/embedded/emoji-diffusion")("two red apples, 3d").images[0]
```

| | |
|---|---|
| U-Net | {unet_parameters} parameters, 8 × 8 × 16 latents, cross-attention at both sizes, predicts v |
| Text encoder | CLIP, {text_encoder_parameters} parameters, 2 layers, 16 tokens, own BPE vocabulary; words keep \
vectors condensed from [all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) (Apache-2.0) |
| Autoencoder | {vae_parameters} parameters, f = 8; that of the first edition: **{psnr} dB** PSNR on \
held-out Noto emoji |
| Training | {steps_trained} steps, {seen} million images, {minutes} minutes on {hardware}, bfloat16; the autoencoder \
{vae_minutes} minutes on 2 CPU threads |

## Marks
Guidance 5, 20 steps, one seed each. A picture is recognised if the judge ranks its name in its top five of all names;
“before” is the first edition by the judge of its day; each names every real Noto image right.

| | prompts | recognised | before | real images | style right | real images |
|---|---|---|---|---|---|---|
{marks}

Compositions, no part of them held out; right: every thing is recognised where it should be, and size, side, colour and
ground are as asked.

| | prompts | right | made in code |
|---|---|---|---|
{compositions}

"""
    + cards.EMOJI_DATA
    + """
One caption in ten was left empty, so that guidance has an unprompted prediction to compare with. Some images were
recoloured, and some put together in code: two of a thing, one thing and another, a thing on a coloured ground, big,
small, on the left, on the right.

Licence of the weights, by that of the pictures: Apache-2.0, MIT, CC BY 4.0.

## Curve
![Error of held-out pairs over minutes](curve.png)
![PSNR of the autoencoder over minutes](vae-curve.png)

## Limits
It knows emoji and nothing else. Small text, faces that differ in a detail and flags come out wrong. It reads 14 tokens:
after a long name the style is cut off. A word that no emoji is called by gives what is nearest to it in meaning, at
best. What is put together (two of a thing, one beside another, on a ground) is wrong more often than right.

## Thirty-two unpicked samples
![Samples](samples.png)

Seen names, held-out pairs, held-out names and compositions, eight each, seeds 0 to 31: {listed}.
"""
)
