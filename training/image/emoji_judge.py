"""Train the judge: a classifier that says which base name a drawn emoji shows, and in which of four styles.

    python -m training.image.emoji_judge --data ../shared/data --minutes 20

It learns every base name in every style, the held-out names and pairs too, from augmented real emoji, and never sees a
generated one. Its own mark: at least 90% of held-out augmentations (draws from a seed that training never uses) named
right. The app measures pictures by it, too: it is the model image/emoji-judge.

Architecture: `models/image/nets/emoji_judge.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from models.image.nets.emoji_judge import EmojiJudge, EmojiJudgeConfig, JudgeNet  # first: it mends torchaudio
from training import loop
from training.image.emoji import augment
from training.image.styles import STYLES, StyleSet, load_styles
from training.optim import Optimizers

LEARNING_RATE = 3e-3
BATCH = 64
EVERY = 200  # steps between points of the curve
SIDE = 64  # px
STYLE_WEIGHT = 0.3  # of the style's loss beside the name's
FOLDER = Path("models/embedded/emoji-judge")
FACTS = "training.json"  # what was measured; written last: who waits for the judge waits for this file


class Judge:
    """Hold the trained net and the names and styles in the order of its scores."""

    def __init__(self, net: nn.Module, names: list[str], styles: list[str] | None = None) -> None:
        self.net, self.names, self.styles = net.eval(), names, styles or []

    @torch.inference_mode()
    def ranks(self, pictures: torch.Tensor, wanted: list[int]) -> list[int]:
        """Return for each picture (n × 3 × 64 × 64, −1 … 1) how many names score above the wanted one: 0 is first."""
        scores = torch.cat([self.net(part) for part in self._parts(pictures)]).cpu()
        own = scores[torch.arange(len(wanted)), torch.tensor(wanted)]
        # "not at most" also counts where a broken picture's scores are no numbers: it ranks last, not first
        return [int(count) for count in (~(scores <= own[:, None])).sum(1)]

    @torch.inference_mode()
    def styles_of(self, pictures: torch.Tensor) -> list[int]:
        """Return the likeliest style of each picture, −1 for one whose scores are not numbers.

        Raises `RuntimeError` where the judge was trained on one style alone.
        """
        if not self.styles:
            raise RuntimeError("This judge knows one style alone. Train it again: training.image.emoji_judge.")
        scores = torch.cat([self.net.style(self.net.features(part)) for part in self._parts(pictures)]).cpu()
        broken = ~scores.isfinite().all(1)
        return scores.argmax(1).masked_fill(broken, -1).tolist()  # type: ignore[no-any-return]

    def _parts(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Return the pictures in parts, on the net's device."""
        device = next((weight.device for weight in self.net.parameters()), pictures.device)
        return [part.to(device) for part in pictures.split(128)]


def load_judge(folder: Path = FOLDER) -> Judge:
    """Return the trained judge. Raises `OSError` where it was not trained yet."""
    model = EmojiJudge.from_pretrained(folder, dtype=torch.float32)
    labels = model.config.id2label
    return Judge(model.net, [labels[at] for at in range(len(labels))], list(model.config.styles or ()))


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, str(FOLDER), 20.0, "emoji/ and emoji-styles/", "emoji-judge")
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures of a step (default: %(default)s)")
    options = parser.parse_args()
    loop.prepare(options)
    styles = load_styles(options.data)
    names = [group.name for group in styles.base.groups]
    net = JudgeNet(len(names), len(STYLES))
    if options.from_shipped:
        begin_from(net, names, load_judge(options.shipped))
    trained = train(net.train(), styles, options)
    judge = Judge(net, names, list(STYLES))
    facts = {
        **evaluate(judge, styles, options.device),
        **trained,
        "parameters": sum(one.numel() for one in net.parameters()),
    }
    judge.net.cpu()
    export(judge, facts, options.out)
    print(facts)


def begin_from(net: JudgeNet, names: list[str], judge: Judge) -> None:
    """Take a trained judge's weights; a style head that it lacks stays as it is. The names must be the same."""
    if judge.names != names:
        raise SystemExit("The shipped judge knows other names than the data has: leave out --from-shipped.")
    net.load_state_dict({**net.state_dict(), **judge.net.state_dict()})


def export(judge: Judge, facts: dict[str, Any], out: Path) -> None:
    """Write the model (fp16) with its names and styles, how pictures are given to it, and what was measured."""
    labels = dict(enumerate(judge.names))
    config = EmojiJudgeConfig(id2label=labels, label2id={name: at for at, name in labels.items()}, styles=judge.styles)
    model = EmojiJudge(config)
    model.net.load_state_dict(judge.net.state_dict())
    model.half().save_pretrained(out)
    half = [0.5] * 3
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, image_mean=half, image_std=half).save_pretrained(out)
    (out / FACTS).write_text(json.dumps(facts))


def share(ranks: list[int]) -> float:
    """Return the share of ranks among the first five."""
    return round(sum(rank < 5 for rank in ranks) / len(ranks), 4)


def agree(found: list[Any], wanted: list[Any]) -> float:
    """Return the share of equal pairs."""
    return round(sum(one == other for one, other in zip(found, wanted, strict=True)) / len(wanted), 4)


class Pictures:
    """Hold every file on the device that trains, and draw augmented pictures of base names."""

    def __init__(self, styles: StyleSet, device: str) -> None:
        groups = range(len(styles.base.groups))
        self.pixels = styles.pixels.to(device)
        counts = torch.tensor([[len(styles.files[style][group]) for style in range(len(STYLES))] for group in groups])
        self._first = torch.zeros(len(groups), len(STYLES), int(counts.max()), dtype=torch.int64)
        for group in groups:
            for style in range(len(STYLES)):
                members = styles.files[style][group]
                self._first[group, style, : len(members)] = torch.tensor(members, dtype=torch.int64)
        self._counts, self._first = counts.to(device), self._first.to(device)

    def draw(
        self, groups: torch.Tensor, generator: torch.Generator, asked: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one augmented picture per group (batch × 3 × 64 × 64) and its style (batch).

        The style is as `asked` or any that draws the name; the file is the plainest or, half of the time, any of its
        files. Groups, styles and the generator are of the pictures' device.
        """
        device = self.pixels.device

        def chance() -> torch.Tensor:
            return torch.rand(len(groups), generator=generator, device=device)

        counts = self._counts[groups]  # batch × styles
        if asked is None:
            drawn_in = counts > 0
            number = (chance() * drawn_in.sum(1)).long()  # the how manieth of those that draw the name
            asked = ((drawn_in.cumsum(1) - 1 == number[:, None]) & drawn_in).int().argmax(1)
        member = (chance() * counts.gather(1, asked[:, None])[:, 0]).long()
        member = torch.where(chance() < 0.5, member, torch.zeros_like(member))
        files = self._first[groups, asked, member]
        return augment(self.pixels[files], generator, 0.5, mirror=False), asked


def train(net: JudgeNet, styles: StyleSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used."""
    assert net.style is not None
    device, batch = options.device, getattr(options, "batch", BATCH)
    net.to(device)
    optimizers = Optimizers(net, LEARNING_RATE, weight_decay=0.05, edges=("stem", "head", "style"))
    generator = torch.Generator(device).manual_seed(options.seed)
    pictures = Pictures(styles, device)
    names = len(styles.base.groups)
    run = loop.Run(options, EVERY, "pictures", net=net, optimizers=optimizers, generator=generator)
    for rate in run:
        groups = torch.randint(names, (batch,), generator=generator, device=device)
        shown, kinds = pictures.draw(groups, generator)
        with torch.autocast(device, torch.bfloat16):
            features = net.features(shown)
            scores, manners = net.head(features), net.style(features)  # batch × names, batch × styles
        name_loss = F.cross_entropy(scores.float(), groups, label_smoothing=0.1)
        style_loss = F.cross_entropy(manners.float(), kinds, label_smoothing=0.1)
        (name_loss + STYLE_WEIGHT * style_loss).backward()
        optimizers.step(rate)
        if run.count(batch, name=name_loss, style=style_loss):
            run.note()
    facts = run.facts()
    del facts["curve"]  # it is not told: the card's shares are
    return facts


def evaluate(judge: Judge, styles: StyleSet, device: str = "cpu") -> dict[str, float]:
    """Return the shares of held-out augmentations, one a pair of name and style, that are judged right.

    `top1` and `top5`: the name comes first, or among the first five; `style`: the style is the likeliest; `top1_STYLE`
    is the share of one style.
    """
    generator = torch.Generator(device).manual_seed(2**31)
    source = Pictures(styles, device)
    pairs = [(group, style) for group in range(len(styles.base.groups)) for style in styles.drawn_in(group)]
    ranks, right = [], 0
    for at in range(0, len(pairs), 256):
        some = torch.tensor(pairs[at : at + 256], device=device)
        pictures, _ = source.draw(some[:, 0], generator, some[:, 1])
        ranks += judge.ranks(pictures, some[:, 0].tolist())
        right += sum(one == other for one, other in zip(judge.styles_of(pictures), some[:, 1].tolist(), strict=True))
    of_style = {
        f"top1_{name}": [rank == 0 for rank, (_, style) in zip(ranks, pairs, strict=True) if style == number]
        for number, name in enumerate(STYLES)
    }
    return {"top1": round(sum(rank == 0 for rank in ranks) / len(ranks), 4),
            "top5": round(sum(rank < 5 for rank in ranks) / len(ranks), 4),
            "style": round(right / len(ranks), 4),
            **{name: round(sum(found) / max(1, len(found)), 4) for name, found in of_style.items()}}  # fmt: skip


if __name__ == "__main__":
    main()
