"""Train image/emoji-gan: a caption-conditioned GAN on emoji in four styles.

    python -m training.image.emoji_gan --data ../shared/data --minutes 20

Reads top to bottom: discriminator, augmentation, training, words, marks, export. Interrupt it at any time: the next
call continues. A call after the minutes are used exports again.

Losses: hinge (Lim & Ye 2017) with a projection discriminator (Miyato & Koyama 2018), R1 every 16 steps (Mescheder et
al. 2018), DiffAugment against the small set (Zhao et al. 2020). So that minutes on a CPU are enough, pix2pix's L1 term
(Isola et al. 2017) at weight 10 pulls each picture towards a real one of its name; the adversary adds what an average
leaves out. The generator learns by this term and squared error alone at first: a step without the
discriminator costs a third, and a discriminator has little to say about pictures that are not yet of anything.

There is one picture of most names, so that a generator may as well not listen to its noise (and did not: eight seeds
of a name lay 6% as far apart as names). So `varied` lets the first nine numbers of the noise turn, move, size, shear
and shade the real picture that the drawn one is compared with: chance is what they make of it.
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from training import loop
from training.image.emoji import compose, on_white
from training.image.emoji_judge import FOLDER, Judge, agree, load_judge, share
from training.image.styles import STYLES, StyleSet, load_styles, prompt, some
from training.optim import Average, Optimizers

LEARNING_RATE = 2e-3
BATCH = 32
EVERY = 200  # steps between points of the curve
L1_WEIGHT = 10.0
ALONE = 0.6  # share of the time before the discriminator joins
HEARD = 9  # numbers of the noise that `varied` listens to
SOFT = 0.3  # how loud the others are beside the words at first
R1_WEIGHT, R1_EVERY = 1.0, 16


class Discriminator(nn.Module):
    """Score pictures (batch × 3 × 64 × 64) under words: real high, drawn low."""

    def __init__(self, words: int, widths: tuple[int, ...] = (32, 64, 96, 160, 192)) -> None:
        from models.image.nets.word_bag import WordBag

        super().__init__()
        self.read = nn.Conv2d(3, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.features = nn.Linear(widths[-1] * 16, 192)
        self.score = nn.Linear(192, 1)
        self.words = WordBag(words, 192)

    def forward(self, picture: torch.Tensor, rows: list[list[int]]) -> torch.Tensor:
        """Return one score per picture."""
        x = F.leaky_relu(self.read(picture), 0.2)
        for layer in self.down:
            x = F.leaky_relu(layer(x), 0.2)
        features = F.leaky_relu(self.features(x.flatten(1)), 0.2).float()
        meaning = F.normalize(self.words(rows), dim=1)
        score: torch.Tensor = self.score(features)[:, 0] + (features * meaning).sum(1)
        return score


def varied(pixels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return pictures (uint8, batch × 4 × 72 × 72) as their noise (batch × 9 or more) has them: batch × 3 × 64 × 64.

    Up to two standard deviations each number counts: ± 20° of turn, ± 12% of width and of height, ± 3 pixels across
    and down, ± 0.15 of shear, ± 14° of hue, ± 15% of light, ± 30% of saturation.
    """
    turn, wide, high, across, down, shear, hue, light, rich = (noise[:, :HEARD].clamp(-2, 2) / 2).unbind(1)
    cos, sin = (0.35 * turn).cos(), (0.35 * turn).sin()
    wide, high = 1.06 + 0.12 * wide, 1.06 + 0.12 * high
    slant = 0.15 * shear
    rows = [torch.stack([cos * wide, (cos * slant - sin) * high, 0.09 * across], 1),
            torch.stack([sin * wide, (sin * slant + cos) * high, 0.09 * down], 1)]  # fmt: skip
    rgba = pixels.float() / 255
    rgb, alpha = rgba[:, :3], rgba[:, 3:]
    grey = rgb.mean(1, keepdim=True)
    off = rgb - grey
    # turning the colours about the grey axis is turning their hue (Rodrigues' formula; `off` is at right angles to it)
    cross = (off.roll(-1, 1) - off.roll(1, 1)) / 3**0.5
    angle = (0.25 * hue)[:, None, None, None]
    off = (angle.cos() * off - angle.sin() * cross) * (1 + 0.3 * rich)[:, None, None, None]
    rgb = ((grey + off) * (1 + 0.15 * light)[:, None, None, None]).clamp(min=0).minimum(alpha)
    white = torch.ones(len(pixels), 3, device=pixels.device)
    return compose(torch.cat([rgb, alpha], 1), white, torch.stack(rows, 1))


def diff_augment(picture: torch.Tensor) -> torch.Tensor:
    """Change colour, place and wholeness of pictures (batch × 3 × 64 × 64) at random, differentiably."""
    count = len(picture)

    def chance(*shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, device=picture.device)

    picture = picture + (chance(1, 1, 1) - 0.5) * 0.6
    grey = picture.mean(1, keepdim=True)
    picture = (picture - grey) * (chance(1, 1, 1) * 1.2 + 0.4) + grey
    shift = (chance(2) - 0.5) * 0.25
    grid = torch.eye(2, 3, device=picture.device).repeat(count, 1, 1)
    grid[:, :, 2] = shift
    where = F.affine_grid(grid, list(picture.shape), align_corners=False)
    picture = F.grid_sample(picture, where, padding_mode="border", align_corners=False)
    place = (chance(2) * 64).long()
    line = torch.arange(64, device=picture.device)[None]
    near = (line - place[:, :1]).abs() < 12, (line - place[:, 1:]).abs() < 12
    hole = (near[0][:, :, None] & near[1][:, None])[:, None]
    return picture * ~hole


def main() -> None:
    """Run the training that the command line asks for."""
    from models.image.nets.generator import GANGenerator
    from models.image.nets.word_bag import make_vocabulary

    parser = loop.options(__doc__, "models/embedded/emoji-gan", 20.0, "emoji/ and emoji-styles/")
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures of a step (default: %(default)s)")
    parser.add_argument("--judge", type=Path, default=FOLDER, help="folder of the judge (default: %(default)s)")
    options = parser.parse_args()
    loop.prepare(options)
    styles = load_styles(options.data)
    if options.from_shipped:  # the discriminator is not shipped: it starts from scratch
        model = with_words(GANGenerator.from_pretrained(options.shipped).float(), make_vocabulary(styles.texts()))
    else:
        model = GANGenerator(vocabulary=make_vocabulary(styles.texts()))
        with torch.no_grad():
            model.mapping[0].weight[:, HEARD : model.config.noise_size] *= SOFT
    facts = train(model, styles, options)
    export(model, styles, facts, options)


def train(model: Any, styles: StyleSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used and give the generator the average of its weights."""
    device, batch = options.device, getattr(options, "batch", BATCH)
    model.to(device)
    critic = Discriminator(len(model.config.vocabulary)).to(device)
    drawer = Optimizers(model, LEARNING_RATE, edges=("paint", "words", "start", "pose"))
    judge = torch.optim.AdamW(critic.parameters(), lr=4e-4, betas=(0.0, 0.99))
    average = Average(model, 0.998)
    choice = loop.draws(options)
    words = _Words(styles, model.config.vocabulary)
    pixels = styles.pixels.to(device)
    run = loop.Run(
        options, EVERY, "pictures", model=model, critic=critic, drawer=drawer, judge=judge, average=average,
        choice=choice,
    )  # fmt: skip
    for rate in run:
        files, rows = words.draw(choice, batch)
        noise = torch.randn(batch, model.config.noise_size, device=device)
        real = varied(pixels[files], noise)  # batch × 3 × 64 × 64
        with torch.autocast(device, torch.bfloat16):
            drawn = model(noise, rows).float()  # batch × 3 × 64 × 64
        error = drawn - real
        distance = error.abs().mean()
        if run.progress < ALONE:
            loss = score = distance.new_zeros(1)
            (distance + error.square().mean()).backward()
        else:
            loss = critic_loss(critic, real, drawn.detach(), rows, device, run.step % R1_EVERY == 0)
            judge.zero_grad()
            loss.backward()
            judge.step()
            with torch.autocast(device, torch.bfloat16):
                score = critic(diff_augment(drawn), rows)  # batch
            (L1_WEIGHT * distance - score.mean()).backward()
        drawer.step(rate)
        average.update(model)
        if run.count(batch, discriminator=loss, generator=-score.mean(), l1=distance):
            run.note()
    model.load_state_dict(average.weights)
    return run.facts()


def critic_loss(
    critic: Discriminator, real: torch.Tensor, drawn: torch.Tensor, rows: list[list[int]], device: str, with_r1: bool
) -> torch.Tensor:
    """Return the hinge loss, with R1's pull on the slope at real pictures where asked for."""
    with torch.autocast(device, torch.bfloat16):
        good, bad = critic(diff_augment(real), rows), critic(diff_augment(drawn), rows)
    loss = F.relu(1 - good).mean() + F.relu(1 + bad).mean()
    if with_r1:
        seen = real[:16].clone().requires_grad_()
        slope = torch.autograd.grad(critic(seen, rows[:16]).sum(), seen, create_graph=True)[0]
        loss = loss + R1_WEIGHT / 2 * R1_EVERY * slope.square().sum((1, 2, 3)).mean() / 64
    return loss


class _Words:
    """Draw files and the ids of a prompt for each: every base name is as likely, then every style it was learnt in."""

    def __init__(self, styles: StyleSet, vocabulary: list[str]) -> None:
        self._styles, self._vocabulary = styles, vocabulary
        self._ids: dict[str, list[int]] = {}
        self._learnt = {group: styles.styles_of(group) for group in styles.base.train}

    def of(self, text: str) -> list[int]:
        """Return the ids of a text."""
        from models.image.nets.word_bag import word_ids

        if text not in self._ids:
            self._ids[text] = word_ids(self._vocabulary, text)[0]
        return self._ids[text]

    def learnt(self) -> set[int]:
        """Return the ids of every word that `draw` may deal."""
        styles = self._styles
        names = [styles.group(group).name for group in styles.base.train]
        shown = [styles.captions[file] for group, style in styles.seen for file in styles.files[style][group]]
        return {one for text in (*STYLES, *names, *shown) for one in self.of(text)}

    def draw(self, choice: random.Random, count: int) -> tuple[list[int], list[list[int]]]:
        """Return files and ids."""
        styles = self._styles
        files, rows = [], []
        for group in choice.choices(styles.base.train, k=count):
            style = choice.choice(self._learnt[group])
            members = styles.files[style][group]
            first = choice.random() < 0.6
            files.append(members[0] if first else choice.choice(members))
            words = styles.group(group).name if first else styles.captions[files[-1]]
            rows.append(self.of(prompt(words, style, choice)))
        return files, rows


@torch.no_grad()
def with_words(model: Any, vocabulary: list[str]) -> Any:
    """Return the generator with another vocabulary: known words keep their vectors, new ones begin as their mean."""
    from models.image.nets.generator import GANGenerator

    larger = GANGenerator.from_config({**model.config, "vocabulary": vocabulary})
    known = {word: number for number, word in enumerate(model.config.vocabulary, 1)}
    rows = model.words.embed.weight[[0, *(known.get(word, 0) for word in vocabulary)]]
    larger.load_state_dict({**model.state_dict(), "words.embed.weight": rows})
    return larger


@torch.no_grad()
def keep_words(model: Any, learnt: set[int]) -> Any:
    """Return the generator with the words of these ids alone; "nothing said" becomes the mean of them all.

    The others were in no caption that it was trained on: their vectors are still the noise that they began as.
    """
    from models.image.nets.generator import GANGenerator

    kept = sorted(learnt - {0})
    vocabulary = [model.config.vocabulary[one - 1] for one in kept]
    smaller = GANGenerator.from_config({**model.config, "vocabulary": vocabulary})
    rows = model.words.embed.weight[kept]
    weights = {**model.state_dict(), "words.embed.weight": torch.cat([rows.mean(0, keepdim=True), rows])}
    smaller.load_state_dict(weights)
    return smaller.eval()


@torch.inference_mode()
def measure(model: Any, judge: Judge, styles: StyleSet, device: str = "cpu") -> dict[str, float]:
    """Return the judge's top-5 rates and two numbers of diversity.

    Rates are of 200 training names and all held-out ones without a style, of 200 seen pairs of name and another style
    and of 200 held-out ones; `style_…` says how often the style is the one asked for. `diversity`: mean distance of
    pairs among the first 200 pictures over that of real ones; `diversity_of_a_name`: the same among eight seeds of one
    name, mean over 50 names, over the distance of real pictures of different names.
    """
    from models.image.nets.word_bag import word_ids

    base = styles.base
    train = random.Random(0).sample(sorted(base.train, key=lambda index: base.groups[index].name), 200)

    def draw(pairs: list[tuple[int, int]], seed: int) -> torch.Tensor:
        rows = [word_ids(model.config.vocabulary, prompt(styles.group(group).name, style))[0] for group, style in pairs]
        noise = torch.randn(len(rows), model.config.noise_size, generator=torch.Generator().manual_seed(seed))
        noise = noise.to(device)
        parts = [model(noise[at : at + 50], rows[at : at + 50]).cpu() for at in range(0, len(rows), 50)]
        return torch.cat(parts)

    def apart(pictures: torch.Tensor) -> float:
        return float(torch.pdist(pictures.flatten(1)).mean())

    found: dict[str, float] = {}
    asked = {
        "train": [(group, 0) for group in train], "held_out": [(group, 0) for group in base.held_out],
        "seen_pairs": some([pair for pair in styles.seen if pair[1]], 200),
        "held_out_pairs": some(styles.held_out, 200),
    }  # fmt: skip
    for name, pairs in asked.items():
        drawn = draw(pairs, 0)
        found[f"top5_{name}"] = share(judge.ranks(drawn, [group for group, _ in pairs]))
        if judge.styles:
            found[f"style_{name}"] = agree(judge.styles_of(drawn), [style for _, style in pairs])
        if name == "train":
            shown = drawn
    real = on_white(styles.pixels[[styles.files[0][index][0] for index in train]].cpu())
    within = sum(apart(draw([(index, 0)] * 8, 1)) for index in train[:50]) / 50
    return {
        **found, "top5_real": share(judge.ranks(real, train)), "diversity": round(apart(shown) / apart(real), 3),
        "diversity_of_a_name": round(within / apart(real), 3),
    }  # fmt: skip


def export(model: Any, styles: StyleSet, trained: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the fp16 folder and what is measured on the shipped bytes."""
    from models.image.nets.generator import GANGenerator

    model = keep_words(model.cpu(), _Words(styles, model.config.vocabulary).learnt())
    model.half().save_pretrained(options.out)
    shipped = GANGenerator.from_pretrained(options.out).float().eval()
    size = sum(one.numel() for one in shipped.state_dict().values())
    facts = {**trained, "hardware": loop.hardware(options.device), "parameters": size}
    (options.out / "training.json").write_text(json.dumps(facts))  # before the marks, which need a judge
    judge = load_judge(options.judge)
    judge.net.to(options.device)
    facts = {**measure(shipped.to(options.device), judge, styles, options.device), **facts}
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name != "curve"})


if __name__ == "__main__":
    main()
