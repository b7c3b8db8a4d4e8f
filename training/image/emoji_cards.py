"""Write the cards of image/emoji-gan and image/emoji-vae from what their training measured, with unpicked samples.

python -m training.image.emoji_cards --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from training import cards
from training.image.emoji import on_white
from training.image.emoji_judge import FACTS, FOLDER
from training.image.emoji_marks import training_names
from training.image.emoji_vae import sample
from training.image.style_card import about
from training.image.styles import StyleSet, load_styles, prompt, some

_RECOGNISED = """
Samples that the judge ranks in its top five by name, one seed each; style: how often it is the one asked for.

| | recognised | style right |
|---|---|---|
| 200 training names (no style in the prompt: Noto) | **{top5_train:.1%}** | {style_train:.1%} |
| 200 seen pairs of name and another style | {top5_seen_pairs:.1%} | {style_seen_pairs:.1%} |
| 200 held-out pairs | {top5_held_out_pairs:.1%} | {style_held_out_pairs:.1%} |
| held-out names | {top5_held_out:.1%} | {style_held_out:.1%} |

"""

GAN = (
    cards.EMOJI_HEAD
    + """---
# emoji-gan

Draws emoji from words in one pass, in four styles (“pizza”, “pizza, flat”, “pizza, 3d”, “pizza, twemoji”): a
caption-conditioned generator trained against a discriminator (hinge loss) by `training/image/emoji_gan.py`.

| | |
|---|---|
| Generator | {parameters:,} parameters; noise of 96 numbers and the mean of word vectors steer four upsampling blocks |
| Training | {steps:,} steps, {minutes} minutes on {hardware}, bfloat16; three fifths of the time by L1 and squared \
error towards a real image of the name, then with the discriminator: hinge loss, R1, DiffAugment, and L1 |
| Noise | the first nine noise values set rotation, size, position, shear and colour of the training images, so the \
generator learnt to use them |
| Real images | the judge ranks {top5_real:.1%} of the training names' in its top five |
| Diversity | the mean distance of drawn images of different names is {diversity} of that between real ones |
| Diversity of a name | the mean distance of eight seeds of one name is {diversity_of_a_name} of that between real \
images of different names; 0.06 when the noise did not vary the training images |
"""
    + _RECOGNISED
    + cards.EMOJI_DATA
    + """
Licence of the weights, by that of the images: Apache-2.0, MIT, CC BY 4.0.

## Curve
![L1 distance over minutes](curve.png)

## Limits
Images are soft where the L1 loss averages, and smeared where the discriminator outweighed it. Words outside emoji names
mean nothing to the model, and it does not read word order.

## Thirty-two unpicked samples
![Samples](samples.png)

Sixteen of the fixed names, then eight seen and eight held-out pairs, seed 0: {listed}.
"""
)

VAE = (
    cards.EMOJI_HEAD
    + """---
# emoji-vae

Compresses a 64 × 64 image to 768 numbers (a latent) and rebuilds it: a convolutional β-VAE trained by
`training/image/emoji_vae.py`. It samples by name in four styles: “pizza”, “pizza, flat”, “pizza, 3d”, “pizza, twemoji”.

| | |
|---|---|
| Network | {parameters:,} parameters; {components:,} more numbers, the principal components, are not learnt |
| **Held-out emoji, rebuilt** | **{psnr_held_out_db} dB** PSNR over four styles ({psnr_train_db} dB on training emoji) |
| Through the first {axes} components alone | {psnr_held_out_kept_axes_db} dB; the judge ranks {top5_rebuilt:.1%} of \
200 training names rebuilt so in its top five |
| Training | {steps:,} steps, {minutes} minutes on {hardware}, bfloat16, then the word prior |

The sliders move along the principal components of the training images' latents, scaled to unit variance. A small
network, trained afterwards on the training captions, predicts where the latents of a name in a style lie; the
autoencoder was never told a name. The numbers of samples are for temperature 0.3.
"""
    + _RECOGNISED
    + cards.EMOJI_DATA
    + """
Licence of the weights, by that of the images: Apache-2.0, MIT, CC BY 4.0.

## Curve
![PSNR of held-out emoji over minutes](curve.png)

## Limits
Rebuilt images are soft. Sampled images are mixtures; without a name they are shapes that recall emoji.

## Thirty-two unpicked samples
![Samples](samples.png)

Sixteen of the fixed names, then eight seen and eight held-out pairs, seeds 0 to 31, temperature 0.3: {listed}.
"""
)


def main() -> None:
    """Write both cards, or the one whose folder exists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/ and emoji-styles/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--judge", type=Path, default=FOLDER, help="folder of the judge (default: %(default)s)")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    styles = load_styles(options.data)
    judge = json.loads((options.judge / FACTS).read_text("utf-8"))
    if (options.out / "emoji-vae" / "config.json").exists():
        vae_card(options.out / "emoji-vae", styles, judge)
    if (options.out / "emoji-gan" / "config.json").exists():
        gan_card(options.out / "emoji-gan", styles, judge)


def shown(styles: StyleSet) -> list[tuple[int, int]]:
    """Return the 32 pairs of name and style that a card shows: sixteen names, eight seen pairs, eight held-out ones."""
    names = [(group, 0) for group in training_names(styles.base)[:16]]
    return [*names, *some([pair for pair in styles.seen if pair[1]], 8), *some(styles.held_out, 8)]


@torch.inference_mode()
def vae_card(out: Path, styles: StyleSet, judge: dict[str, Any]) -> None:
    """Write the card; training measured the numbers."""
    from models.image.nets.conv_vae import ConvVAE

    model = ConvVAE.from_pretrained(out).float().eval()
    facts: dict[str, Any] = json.loads((out / "training.json").read_text("utf-8"))
    cards.curve(out / "curve.png", [(row[1], row[3]) for row in facts["curve"]], "PSNR of held-out emoji (dB)")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "squared_error", "psnr_held_out_db"], facts["curve"])
    cards.contact_sheet(out / "samples.png", sample(model, styles, shown(styles)))
    files = [styles.files[0][group][0] for group in styles.base.held_out[:8]]
    held_out = on_white(styles.pixels[files])
    rebuilt = model.decode(model.encode(held_out)[0])
    cards.contact_sheet(out / "rebuilt.png", torch.cat([held_out, rebuilt]))
    _write(out, VAE, facts, styles, judge, axes=len(model.spread))


@torch.inference_mode()
def gan_card(out: Path, styles: StyleSet, judge: dict[str, Any]) -> None:
    """Write the card; training measured the numbers."""
    from models.image.nets.generator import GANGenerator
    from models.image.nets.word_bag import word_ids

    model = GANGenerator.from_pretrained(out).float().eval()
    facts: dict[str, Any] = json.loads((out / "training.json").read_text("utf-8"))
    rows = [word_ids(model.config.vocabulary, text)[0] for text in _prompts(styles)]
    noise = torch.randn(len(rows), model.config.noise_size, generator=torch.Generator().manual_seed(0))
    cards.contact_sheet(out / "samples.png", model(noise, rows))
    cards.curve(out / "curve.png", [(row[1], row[4]) for row in facts["curve"]], "L1 distance to the real picture")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "discriminator", "generator", "l1"], facts["curve"])
    _write(out, GAN, facts, styles, judge)


def _prompts(styles: StyleSet) -> list[str]:
    return [prompt(styles.group(group).name, style) for group, style in shown(styles)]


def _write(out: Path, text: str, facts: dict[str, Any], styles: StyleSet, judge: dict[str, Any], **more: Any) -> None:
    # the number of pictures that were seen in training is not that of the set
    told = {**facts, **more, **about(styles, judge), "listed": "; ".join(_prompts(styles))}
    (out / "README.md").write_text(text.format(**told))


if __name__ == "__main__":
    main()
