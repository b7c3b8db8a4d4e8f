"""Write the cards of image/emoji-gan and image/emoji-vae from what their training measured and drew.

python -m training.image.emoji_cards --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from training import cards
from training.image.emoji import EmojiSet, load_emoji, on_white
from training.image.emoji_gan import share
from training.image.emoji_judge import Judge, load_judge
from training.image.emoji_marks import training_names

TEMPERATURE = 0.3


def main() -> None:
    """Write both cards, or the one whose folder exists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/")
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    emoji, judge = load_emoji(options.data), load_judge()
    if (options.out / "emoji-vae").is_dir():
        vae_card(options.out / "emoji-vae", emoji, judge)
    if (options.out / "emoji-gan" / "config.json").exists():
        gan_card(options.out / "emoji-gan", emoji)


@torch.inference_mode()
def vae_card(out: Path, emoji: EmojiSet, judge: Judge) -> None:
    """Measure sampling by name and write the card."""
    from models.image.nets.conv_vae import ConvVAE
    from models.image.nets.word_bag import word_ids

    model = ConvVAE.from_pretrained(out).float().eval()

    def draw(groups: list[int]) -> torch.Tensor:
        rows = [word_ids(model.config.vocabulary, emoji.groups[index].name)[0] for index in groups]
        mean, spread = model.where(rows)
        noise = torch.stack([torch.randn(len(mean[0]), generator=torch.Generator().manual_seed(number))
                             for number in range(len(groups))])  # fmt: skip
        return model.decode(model.from_axes(mean + TEMPERATURE * spread * noise))  # type: ignore[no-any-return]

    facts: dict[str, Any] = json.loads((out / "training.json").read_text())
    train = training_names(emoji)
    facts["top5_train"] = share(judge.ranks(draw(train), train))
    facts["top5_held_out"] = share(judge.ranks(draw(emoji.held_out), emoji.held_out))
    (out / "training.json").write_text(json.dumps(facts))
    cards.curve(out / "curve.png", [(row[1], row[3]) for row in facts["curve"]], "PSNR of held-out emoji (dB)")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "squared_error", "psnr_held_out_db"], facts["curve"])
    cards.contact_sheet(out / "samples.png", draw(train[:16]))
    held_out = on_white(emoji.pixels[[emoji.groups[index].files[0] for index in emoji.held_out[:8]]])
    rebuilt = model.decode(model.encode(held_out)[0])
    cards.contact_sheet(out / "rebuilt.png", torch.cat([held_out, rebuilt]))
    _write(out, cards.VAE, facts, emoji, axes=len(model.spread))


@torch.inference_mode()
def gan_card(out: Path, emoji: EmojiSet) -> None:
    """Write the card; training measured the numbers."""
    from models.image.nets.generator import GANGenerator
    from models.image.nets.word_bag import word_ids

    model = GANGenerator.from_pretrained(out).float().eval()
    facts: dict[str, Any] = json.loads((out / "training.json").read_text())
    rows = [word_ids(model.config.vocabulary, emoji.groups[index].name)[0] for index in training_names(emoji)[:16]]
    noise = torch.randn(16, model.config.noise_size, generator=torch.Generator().manual_seed(0))
    cards.contact_sheet(out / "samples.png", model(noise, rows))
    cards.curve(out / "curve.png", [(row[1], row[4]) for row in facts["curve"]], "L1 distance to the real picture")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "discriminator", "generator", "l1"], facts["curve"])
    _write(out, cards.GAN, facts, emoji)


def _write(out: Path, text: str, facts: dict[str, Any], emoji: EmojiSet, **more: Any) -> None:
    names = ", ".join(emoji.groups[index].name for index in training_names(emoji)[:16])
    (out / "README.md").write_text(text.format(**facts, **more, pictures=len(emoji.pixels), listed=names))


if __name__ == "__main__":
    main()
