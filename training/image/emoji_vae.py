"""Train image/emoji-vae: a convolutional β-VAE on emoji in four styles, axes of its latents, a word prior on them.

    python -m training.image.emoji_vae --data ../shared/data --minutes 12

Reads top to bottom: autoencoder, axes, word prior, export. The autoencoder is never told a name; the prior learns
afterwards, from the training captions alone, where the latents of a name in a style lie: by likelihood, and in the
second half of its steps by what the decoder makes of the place, too.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import torch

from training import loop
from training.image.emoji import augment, on_white, psnr
from training.image.emoji_judge import FOLDER, agree, load_judge, share
from training.image.styles import StyleSet, load_styles, prompt, some, words_for
from training.optim import Average, Optimizers, falling

LEARNING_RATE = 2e-3
BATCH = 32
EVERY = 200  # steps between measurements
BETA = 1e-5  # on nats per picture, beside squared error per number
PRIOR_STEPS, PRIOR_BATCH, PRIOR_RATE = 24_000, 128, 3e-3
PAINTED_FROM, PAINTED_WEIGHT = 0.5, 4.0  # share of the prior's steps from which on pictures count, and how much
PAINTED = 16  # pictures of a step that are: the decoder's part costs most
SPREAD_LEAST = 0.05
TEMPERATURE = 0.3  # at which samples are measured
AT_ONCE = 256


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/emoji-vae", 12.0, "emoji/ and emoji-styles/")
    add = parser.add_argument
    add("--batch", type=int, default=BATCH, help="pictures of a step (default: %(default)s)")
    add("--prior-steps", type=int, default=PRIOR_STEPS, help="steps of the word prior (default: %(default)s)")
    add("--prior-batch", type=int, default=PRIOR_BATCH, help="pictures of such a step (default: %(default)s)")
    add("--prior-until", type=float, help="moment (seconds since 1970) at which the prior's training ends")
    add("--judge", type=Path, default=FOLDER, help="folder of the judge (default: %(default)s)")
    options = parser.parse_args()
    loop.prepare(options)
    styles = load_styles(options.data)
    model = make_model(styles)
    if options.from_shipped:
        begin_from(model, type(model).from_pretrained(options.shipped).float())
    facts = train(model, styles, options)
    fit_axes(model, styles)
    facts["prior_nats"] = fit_prior(model, styles, options)
    export(model, styles, facts, options)


def make_model(styles: StyleSet) -> Any:
    """Return an untrained ConvVAE that knows the words of the training captions."""
    from models.image.nets.conv_vae import ConvVAE
    from models.image.nets.word_bag import make_vocabulary

    return ConvVAE(vocabulary=make_vocabulary(styles.texts()))


def begin_from(model: Any, shipped: Any) -> None:
    """Take the autoencoder of another ConvVAE; words and prior begin anew, for the vocabulary may be another."""
    kept = {name: value for name, value in shipped.state_dict().items() if not name.startswith(("words.", "prior."))}
    model.load_state_dict({**model.state_dict(), **kept})


def train(model: Any, styles: StyleSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train the autoencoder until the minutes are used and give it the average of its weights."""
    device, batch = options.device, getattr(options, "batch", BATCH)
    model.to(device)
    optimizers = Optimizers(model, LEARNING_RATE, edges=("read", "paint", "words", "prior"))
    average = Average(model, 0.998)
    generator = torch.Generator(device).manual_seed(options.seed * 1_000_003)
    files = [file for group, style in styles.seen for file in styles.files[style][group]]
    feed = loop.Shuffled(files, batch, torch.Generator().manual_seed(options.seed))
    run = loop.Run(
        options, EVERY, "pictures", model=model, optimizers=optimizers, average=average, feed=feed, generator=generator
    )
    pixels = styles.pixels.to(device)
    held_out = unseen(styles)[::4].to(device)
    for rate in run:
        picture = augment(pixels[next(feed)], generator)  # batch × 3 × 64 × 64
        with torch.autocast(device, torch.bfloat16):
            mean, log_variance = model.encode(picture)  # each batch × channels × 4 × 4
            latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            back = model.decode(latent)
        error = back.float() - picture
        squared = error.square().mean()
        mean, log_variance = mean.float(), log_variance.float()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum((1, 2, 3)).mean()
        (squared + 0.1 * error.abs().mean() + BETA * kl).backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(batch, error=squared):
            kept = {name: value.clone() for name, value in model.state_dict().items()}
            model.load_state_dict(average.weights)
            run.note(psnr_db=evaluate(model, held_out))
            model.load_state_dict(kept)
    model.load_state_dict(average.weights)
    return run.facts()


def unseen(styles: StyleSet) -> torch.Tensor:
    """Return the held-out names' pictures in every style: n × 3 × 64 × 64, −1 … 1."""
    files = [file for of_style in styles.files for group in styles.base.held_out for file in of_style[group]]
    return on_white(styles.pixels[files])


@torch.inference_mode()
def evaluate(model: Any, pictures: torch.Tensor, kept_axes: bool = False) -> float:
    """Return the mean PSNR in dB of pictures through the net; `kept_axes`: through the user's latent too."""
    back = []
    for part in pictures.split(64):
        latent = model.encode(part)[0]
        back.append(model.decode(model.from_axes(model.to_axes(latent)) if kept_axes else latent))
    return psnr(torch.cat(back), pictures)


@torch.inference_mode()
def encode_all(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Return the latent means of files (uint8), files × channels × 4 × 4, on the model's device."""
    device = model.mean.device
    return torch.cat([model.encode(on_white(part.to(device)))[0] for part in pixels.split(64)])


@torch.inference_mode()
def fit_axes(model: Any, styles: StyleSet) -> None:
    """Set the principal axes of the training pictures' latents, each pair of name and style weighing the same."""
    latents = encode_all(model, styles.pixels).flatten(1).double().cpu()
    parts = [latents[styles.files[style][group]] for group, style in styles.seen]
    mean = torch.stack([part.mean(0) for part in parts]).mean(0)
    weighted = torch.cat([(part - mean) / len(part) ** 0.5 for part in parts])
    variance, axes = torch.linalg.eigh(weighted.T @ weighted / len(parts))
    count = len(model.spread)
    model.mean.copy_(mean)
    model.basis.copy_(axes.flip(1)[:, :count])
    model.spread.copy_(variance.flip(0)[:count].clamp(min=1e-6).sqrt())


def fit_prior(model: Any, styles: StyleSet, options: argparse.Namespace) -> float:
    """Teach the word prior by Gaussian likelihood, then by the pictures too; return its last loss in nats per axis.

    The decoder stays as it is.
    """
    from models.image.nets.word_bag import word_ids

    device = options.device
    vocabulary = model.config.vocabulary
    with torch.no_grad():
        places = model.to_axes(encode_all(model, styles.pixels))
    pixels = styles.pixels.to(device)
    steps, batch = getattr(options, "prior_steps", PRIOR_STEPS), getattr(options, "prior_batch", PRIOR_BATCH)
    clock = loop.Clock(1.0, until=getattr(options, "prior_until", None))
    parameters = [*model.words.parameters(), *model.prior.parameters()]
    for weight in model.parameters():
        weight.requires_grad_(False)
    for weight in parameters:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=PRIOR_RATE, weight_decay=1e-4)
    choice, recent, ids = random.Random(options.seed), [], {}
    learnt = {group: styles.styles_of(group) for group in styles.base.train}
    for step in range(steps):
        progress = max(step / steps, clock.progress)
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = PRIOR_RATE * falling(step, progress, 0.3)
        rows, files = [], []
        for index in choice.choices(styles.base.train, k=batch):
            style = choice.choice(learnt[index])
            members = styles.files[style][index]
            file = members[0] if choice.random() < 0.6 else choice.choice(members)
            text = words_for(styles, index, file, style, choice)
            if text not in ids:
                ids[text] = word_ids(vocabulary, text)[0]
            rows.append(ids[text])
            files.append(file)
        mean, spread = model.where(rows)
        spread = spread.clamp(min=SPREAD_LEAST)
        nats = (((places[files] - mean) / spread).square() / 2 + spread.log()).mean()
        loss = nats
        if progress >= PAINTED_FROM:
            with torch.autocast(device, torch.bfloat16):
                drawn = model.decode(model.from_axes(mean[:PAINTED]))
            loss = nats + PAINTED_WEIGHT * (drawn.float() - on_white(pixels[files[:PAINTED]])).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent = [*recent[-99:], nats.detach()]
    print(f"word prior: {step + 1:,} steps", flush=True)
    return round(float(torch.stack(recent).mean()), 4)


@torch.inference_mode()
def sample(model: Any, styles: StyleSet, pairs: list[tuple[int, int]]) -> torch.Tensor:
    """Return a picture of each pair of name and style, n × 3 × 64 × 64, as the app draws it; picture k has seed k."""
    from models.image.nets.word_bag import word_ids

    rows = [word_ids(model.config.vocabulary, prompt(styles.group(group).name, style))[0] for group, style in pairs]
    parts = []
    for at in range(0, len(rows), AT_ONCE):
        mean, spread = model.where(rows[at : at + AT_ONCE])
        noise = torch.stack([torch.randn(mean.shape[1], generator=torch.Generator().manual_seed(at + number))
                             for number in range(len(mean))]).to(mean)  # fmt: skip
        parts.append(model.decode(model.from_axes(mean + TEMPERATURE * spread * noise)).cpu())
    return torch.cat(parts)


@torch.inference_mode()
def measure(model: Any, judge: Any, styles: StyleSet) -> dict[str, float]:
    """Return the judge's top-5 rates of samples, and how often the style is the one asked for.

    Of 200 training names and all held-out ones without a style, of 200 seen pairs of name and another style and of 200
    held-out ones; `top5_rebuilt` is that of the training names' pictures through the kept axes.
    """
    from training.image.emoji_marks import training_names

    asked = {
        "train": [(group, 0) for group in training_names(styles.base)],
        "held_out": [(group, 0) for group in styles.base.held_out],
        "seen_pairs": some([pair for pair in styles.seen if pair[1]], 200),
        "held_out_pairs": some(styles.held_out, 200),
    }  # fmt: skip
    found: dict[str, float] = {}
    for name, pairs in asked.items():
        drawn = sample(model, styles, pairs)
        found[f"top5_{name}"] = share(judge.ranks(drawn, [group for group, _ in pairs]))
        if judge.styles:
            found[f"style_{name}"] = agree(judge.styles_of(drawn), [style for _, style in pairs])
    train = [group for group, _ in asked["train"]]
    latents = encode_all(model, styles.pixels[[styles.files[0][group][0] for group in train]])
    rebuilt = model.decode(model.from_axes(model.to_axes(latents))).cpu()
    return {**found, "top5_rebuilt": share(judge.ranks(rebuilt, train))}


def export(model: Any, styles: StyleSet, trained: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the fp16 folder and what is measured on the shipped bytes."""
    from models.image.nets.conv_vae import ConvVAE

    model.cpu().half().save_pretrained(options.out)
    shipped = ConvVAE.from_pretrained(options.out).float().eval().to(options.device)
    held_out = unseen(styles).to(options.device)
    seen = [styles.files[style][group][0] for group, style in styles.seen][::8]
    facts = {
        "psnr_held_out_db": round(evaluate(shipped, held_out), 2),
        "psnr_held_out_kept_axes_db": round(evaluate(shipped, held_out, kept_axes=True), 2),
        "psnr_train_db": round(evaluate(shipped, on_white(styles.pixels[seen]).to(options.device)), 2),
        **trained, "hardware": loop.hardware(options.device),
        "parameters": sum(one.numel() for one in shipped.parameters()),
        "components": sum(one.numel() for one in shipped.buffers()),
    }  # fmt: skip
    (options.out / "training.json").write_text(json.dumps(facts))  # before the marks, which need a judge
    judge = load_judge(options.judge)
    judge.net.to(options.device)
    facts = {**facts, **measure(shipped, judge, styles)}
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name != "curve"})


if __name__ == "__main__":
    main()
