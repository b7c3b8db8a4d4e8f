"""Train the judge: a classifier that says which base name a drawn emoji shows, and in which of four styles.

    python -m training.image.emoji_judge --data ../shared/data --minutes 20

It learns every base name in every style, the held-out names and pairs too, from augmented real emoji, and never sees a
generated one. Its own mark: at least 90% of held-out augmentations (draws from a seed that training never uses) named
right. Kept under training/: the app does not need it.

Architecture: a small residual net (He et al. 2016) with batch norm.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from training import loop
from training.image.emoji import augment
from training.image.styles import STYLES, StyleSet, load_styles
from training.optim import Optimizers

LEARNING_RATE = 3e-3
BATCH = 64
EVERY = 200  # steps between points of the curve
STYLE_WEIGHT = 0.3  # of the style's loss beside the name's
FOLDER = Path("training/image/judge")


class Residual(nn.Module):
    """Two 3 × 3 convolutions around which the input goes, halved in size where `stride` is 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.around = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return batch × outputs × height / stride × width / stride."""
        inner = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        return F.relu(inner + self.around(x))


class JudgeNet(nn.Module):
    """Map pictures (batch × 3 × 64 × 64, −1 … 1) to one score per base name and one per style."""

    def __init__(self, names: int, styles: int = 0) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 5, 2, 2)
        self.blocks = nn.Sequential(Residual(32, 64, 2), Residual(64, 128, 2), Residual(128, 192, 2))
        self.head = nn.Linear(192 * 4, names)
        self.style = nn.Linear(192 * 4, styles) if styles else None

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return what both heads read, batch × 768."""
        found = self.blocks(F.relu(self.stem(x)))  # batch × 192 × 4 × 4
        return F.adaptive_avg_pool2d(found, 2).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the names' scores, batch × names."""
        return self.head(self.features(x))  # type: ignore[no-any-return]


class Judge:
    """Hold the trained net and the names and styles in the order of its scores."""

    def __init__(self, net: nn.Module, names: list[str], styles: list[str] | None = None) -> None:
        self.net, self.names, self.styles = net.eval(), names, styles or []

    @torch.inference_mode()
    def ranks(self, pictures: torch.Tensor, wanted: list[int]) -> list[int]:
        """Return for each picture (n × 3 × 64 × 64, −1 … 1) how many names score above the wanted one: 0 is first."""
        scores = torch.cat([self.net(part) for part in pictures.split(128)])
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
        scores = torch.cat([self.net.style(self.net.features(part)) for part in pictures.split(128)])
        broken = ~scores.isfinite().all(1)
        return scores.argmax(1).masked_fill(broken, -1).tolist()  # type: ignore[no-any-return]


def load_judge(folder: Path = FOLDER) -> Judge:
    """Return the trained judge. Raises `OSError` where it was not trained yet."""
    names = json.loads((folder / "names.json").read_text("utf-8"))
    listed = folder / "styles.json"  # a judge of the first edition has none
    styles = json.loads(listed.read_text("utf-8")) if listed.exists() else []
    net = JudgeNet(len(names), len(styles))
    net.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    return Judge(net, names, styles)


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, str(FOLDER), 20.0, "emoji/ and emoji-styles/", "emoji-judge")
    options = parser.parse_args()
    loop.prepare(options)
    styles = load_styles(options.data)
    names = [group.name for group in styles.base.groups]
    net = JudgeNet(len(names), len(STYLES))
    if options.from_shipped:
        begin_from(net, names, load_judge(options.shipped))
    trained = train(net.train(), styles, options)
    judge = Judge(net, names, list(STYLES))
    facts = {**evaluate(judge, styles), **trained, "parameters": sum(one.numel() for one in net.parameters())}
    export(judge, facts, options.out)
    print(facts)


def begin_from(net: JudgeNet, names: list[str], judge: Judge) -> None:
    """Take a trained judge's weights; a style head that it lacks stays as it is. The names must be the same."""
    if judge.names != names:
        raise SystemExit("The shipped judge knows other names than the data has: leave out --from-shipped.")
    net.load_state_dict({**net.state_dict(), **judge.net.state_dict()})


def export(judge: Judge, facts: dict[str, Any], out: Path) -> None:
    """Write weights (fp16), names, styles and what was measured."""
    out.mkdir(parents=True, exist_ok=True)
    # counters of batch norm are whole numbers that nothing reads
    weights = {name: value.half() if value.is_floating_point() else value
               for name, value in judge.net.state_dict().items()}  # fmt: skip
    save_file(weights, out / "model.safetensors")
    (out / "names.json").write_text(json.dumps(judge.names, ensure_ascii=False))
    (out / "styles.json").write_text(json.dumps(judge.styles))
    (out / "facts.json").write_text(json.dumps(facts))


def draw(
    styles: StyleSet, groups: list[int], generator: torch.Generator, asked: list[int] | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one augmented picture per group (batch × 3 × 64 × 64) and its style (batch).

    The style is as `asked` or any that draws the name; the file is the plainest or, half of the time, any of its files.
    """
    files, drawn = [], []
    for place, index in enumerate(groups):
        kinds = styles.drawn_in(index) if asked is None else [asked[place]]
        style = kinds[int(torch.randint(len(kinds), (1,), generator=generator))]
        members = styles.files[style][index]
        number = int(torch.randint(len(members), (1,), generator=generator))
        files.append(members[number if float(torch.rand(1, generator=generator)) < 0.5 else 0])
        drawn.append(style)
    return augment(styles.pixels[files], generator, 0.5, mirror=False), torch.tensor(drawn)


def train(net: JudgeNet, styles: StyleSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used."""
    assert net.style is not None
    optimizers = Optimizers(net, LEARNING_RATE, weight_decay=0.05, edges=("stem", "head", "style"))
    generator = torch.Generator().manual_seed(options.seed)
    feed = loop.Shuffled(list(range(len(styles.base.groups))), BATCH, generator)
    run = loop.Run(options, EVERY, "pictures", net=net, optimizers=optimizers, feed=feed, generator=generator)
    for rate in run:
        groups = next(feed)  # batch
        pictures, kinds = draw(styles, groups.tolist(), generator)
        with torch.autocast(options.device, torch.bfloat16):
            features = net.features(pictures)
            scores, manners = net.head(features), net.style(features)  # batch × names, batch × styles
        name_loss = F.cross_entropy(scores.float(), groups, label_smoothing=0.1)
        style_loss = F.cross_entropy(manners.float(), kinds, label_smoothing=0.1)
        (name_loss + STYLE_WEIGHT * style_loss).backward()
        optimizers.step(rate)
        if run.count(BATCH, name=name_loss, style=style_loss):
            run.note()
    facts = run.facts()
    del facts["curve"]  # the judge has no card
    return facts


def evaluate(judge: Judge, styles: StyleSet) -> dict[str, float]:
    """Return the shares of held-out augmentations, one a pair of name and style, that are judged right.

    `top1` and `top5`: the name comes first, or among the first five; `style`: the style is the likeliest.
    """
    generator = torch.Generator().manual_seed(2**31)
    pairs = [(group, style) for group in range(len(styles.base.groups)) for style in styles.drawn_in(group)]
    ranks, right = [], 0
    for at in range(0, len(pairs), 256):
        wanted, kinds = (list(part) for part in zip(*pairs[at : at + 256], strict=True))
        pictures, _ = draw(styles, wanted, generator, kinds)
        ranks += judge.ranks(pictures, wanted)
        right += sum(one == other for one, other in zip(judge.styles_of(pictures), kinds, strict=True))
    return {"top1": round(sum(rank == 0 for rank in ranks) / len(ranks), 4),
            "top5": round(sum(rank < 5 for rank in ranks) / len(ranks), 4),
            "style": round(right / len(ranks), 4)}  # fmt: skip


if __name__ == "__main__":
    main()
