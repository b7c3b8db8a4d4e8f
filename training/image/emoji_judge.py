"""Train the judge: a classifier of base names that says whether a drawn emoji can be recognised.

    python -m training.image.emoji_judge --data ../shared/data --minutes 8

It learns every base name, the held-out ones too, from augmented real emoji, and never sees a generated one. Its own
mark: at least 90 % of held-out augmentations (draws from a seed that training never uses) named right. Kept under
training/: the app does not need it.

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
from training.image.emoji import EmojiSet, augment, load_emoji
from training.optim import Optimizers

LEARNING_RATE = 3e-3
BATCH = 64
EVERY = 200  # steps between points of the curve
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
    """Map pictures (batch × 3 × 64 × 64, −1 … 1) to one score per base name."""

    def __init__(self, names: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 5, 2, 2)
        self.blocks = nn.Sequential(Residual(32, 64, 2), Residual(64, 128, 2), Residual(128, 192, 2))
        self.head = nn.Linear(192 * 4, names)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores, batch × names."""
        features = self.blocks(F.relu(self.stem(x)))  # batch × 192 × 4 × 4
        return self.head(F.adaptive_avg_pool2d(features, 2).flatten(1))  # type: ignore[no-any-return]


class Judge:
    """Hold the trained net and the names in the order of its scores."""

    def __init__(self, net: JudgeNet, names: list[str]) -> None:
        self.net, self.names = net.eval(), names

    @torch.inference_mode()
    def ranks(self, pictures: torch.Tensor, wanted: list[int]) -> list[int]:
        """Return for each picture (n × 3 × 64 × 64, −1 … 1) how many names score above the wanted one: 0 is first."""
        scores = torch.cat([self.net(part) for part in pictures.split(128)])
        own = scores[torch.arange(len(wanted)), torch.tensor(wanted)]
        # "not at most" also counts where a broken picture's scores are no numbers: it ranks last, not first
        return [int(count) for count in (~(scores <= own[:, None])).sum(1)]


def load_judge(folder: Path = FOLDER) -> Judge:
    """Return the trained judge. Raises `OSError` where it was not trained yet."""
    names = json.loads((folder / "names.json").read_text("utf-8"))
    net = JudgeNet(len(names))
    net.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    return Judge(net, names)


def main() -> None:
    """Run the training that the command line asks for."""
    options = loop.options(__doc__, str(FOLDER), 8.0).parse_args()
    loop.prepare(options)
    emoji = load_emoji(options.data)
    net = load_judge(options.shipped).net if options.from_shipped else JudgeNet(len(emoji.groups))
    trained = train(net.train(), emoji, options)
    facts = {**evaluate(Judge(net, []), emoji), **trained, "parameters": sum(one.numel() for one in net.parameters())}
    options.out.mkdir(parents=True, exist_ok=True)
    # counters of batch norm are whole numbers that nothing reads
    weights = {name: value.half() for name, value in net.state_dict().items() if value.is_floating_point()}
    counters = {name: value for name, value in net.state_dict().items() if not value.is_floating_point()}
    save_file({**weights, **counters}, options.out / "model.safetensors")
    (options.out / "names.json").write_text(json.dumps([group.name for group in emoji.groups], ensure_ascii=False))
    (options.out / "facts.json").write_text(json.dumps(facts))
    print(facts)


def draw(emoji: EmojiSet, groups: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return one augmented picture per group: its plainest file or, half of the time, any of its files."""
    files = []
    for index in groups.tolist():
        members = emoji.groups[index].files
        number = int(torch.randint(len(members), (1,), generator=generator))
        files.append(members[number if float(torch.rand(1, generator=generator)) < 0.5 else 0])
    return augment(emoji.pixels[files], generator, 0.5, mirror=False)


def train(net: JudgeNet, emoji: EmojiSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used."""
    optimizers = Optimizers(net, LEARNING_RATE, weight_decay=0.05, edges=("stem", "head"))
    generator = torch.Generator().manual_seed(options.seed)
    feed = loop.Shuffled(list(range(len(emoji.groups))), BATCH, generator)
    run = loop.Run(options, EVERY, "pictures", net=net, optimizers=optimizers, feed=feed, generator=generator)
    for rate in run:
        groups = next(feed)  # batch
        with torch.autocast(options.device, torch.bfloat16):
            scores = net(draw(emoji, groups, generator))  # batch × names
        loss = F.cross_entropy(scores.float(), groups, label_smoothing=0.1)
        loss.backward()
        optimizers.step(rate)
        if run.count(BATCH, loss=loss):
            run.note()
    facts = run.facts()
    del facts["curve"]  # the judge has no card
    return facts


def evaluate(judge: Judge, emoji: EmojiSet) -> dict[str, float]:
    """Return the shares of held-out augmentations whose name comes first, and among the first five."""
    generator = torch.Generator().manual_seed(2**31)
    wanted = torch.arange(len(emoji.groups))
    ranks = judge.ranks(draw(emoji, wanted, generator), wanted.tolist())
    return {"top1": round(sum(rank == 0 for rank in ranks) / len(ranks), 4),
            "top5": round(sum(rank < 5 for rank in ranks) / len(ranks), 4)}  # fmt: skip


if __name__ == "__main__":
    main()
