"""Train image/emoji-vae: a convolutional β-VAE on emoji, principal axes of its latents, and a word prior on them.

    python -m training.image.emoji_vae --data ../shared/data --minutes 12

Reads top to bottom: autoencoder, axes, word prior, export. The autoencoder is never told a name; the prior learns
afterwards, from the training captions alone, where the latents of a name lie.
"""

from __future__ import annotations

import argparse
import json
import random
from typing import Any

import torch

from training import loop
from training.image.emoji import EmojiSet, augment, caption, load_emoji, on_white, psnr
from training.optim import Average, Optimizers

LEARNING_RATE = 2e-3
BATCH = 32
EVERY = 200  # steps between measurements
BETA = 1e-5  # on nats per picture, beside squared error per number
PRIOR_STEPS = 4000
SPREAD_LEAST = 0.05


def main() -> None:
    """Run the training that the command line asks for."""
    options = loop.options(__doc__, "models/embedded/emoji-vae", 12.0).parse_args()
    loop.prepare(options)
    emoji = load_emoji(options.data)
    model = make_model(emoji)
    if options.from_shipped:
        model = type(model).from_pretrained(options.shipped).float()
    facts = train(model, emoji, options)
    fit_axes(model, emoji)
    facts["prior_nats"] = fit_prior(model, emoji, options)
    export(model, emoji, facts, options)


def make_model(emoji: EmojiSet) -> Any:
    """Return an untrained ConvVAE that knows the words of the training captions."""
    from models.image.nets.conv_vae import ConvVAE
    from models.image.nets.word_bag import make_vocabulary

    return ConvVAE(vocabulary=make_vocabulary(emoji.texts()))


def train(model: Any, emoji: EmojiSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train the autoencoder until the minutes are used and give it the average of its weights."""
    optimizers = Optimizers(model, LEARNING_RATE, edges=("read", "paint", "words", "prior"))
    average = Average(model, 0.998)
    generator = torch.Generator().manual_seed(options.seed * 1_000_003)
    feed = loop.Shuffled(emoji.files(emoji.train), BATCH, generator)
    run = loop.Run(
        options, EVERY, "pictures", model=model, optimizers=optimizers, average=average, feed=feed, generator=generator
    )
    held_out = on_white(emoji.pixels[emoji.files(emoji.held_out)])
    for rate in run:
        picture = augment(emoji.pixels[next(feed)], generator)  # batch × 3 × 64 × 64
        with torch.autocast(options.device, torch.bfloat16):
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
        if run.count(BATCH, error=squared):
            kept = {name: value.clone() for name, value in model.state_dict().items()}
            model.load_state_dict(average.weights)
            run.note(psnr_db=evaluate(model, held_out[::4]))
            model.load_state_dict(kept)
    model.load_state_dict(average.weights)
    return run.facts()


@torch.inference_mode()
def evaluate(model: Any, pictures: torch.Tensor, kept_axes: bool = False) -> float:
    """Return the mean PSNR in dB of pictures through the net; `kept_axes`: through the user's latent too."""
    back = []
    for part in pictures.split(64):
        latent = model.encode(part)[0]
        back.append(model.decode(model.from_axes(model.to_axes(latent)) if kept_axes else latent))
    return psnr(torch.cat(back), pictures)


@torch.inference_mode()
def encode_all(model: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Return latent means, pictures × channels × 4 × 4."""
    return torch.cat([model.encode(part)[0] for part in pictures.split(64)])


@torch.inference_mode()
def fit_axes(model: Any, emoji: EmojiSet) -> None:
    """Set the principal axes of the training pictures' latents, each base name weighing the same."""
    latents = encode_all(model, on_white(emoji.pixels)).flatten(1).double()
    parts = [latents[emoji.groups[index].files] for index in emoji.train]
    mean = torch.stack([part.mean(0) for part in parts]).mean(0)
    weighted = torch.cat([(part - mean) / len(part) ** 0.5 for part in parts])
    variance, axes = torch.linalg.eigh(weighted.T @ weighted / len(parts))
    count = len(model.spread)
    model.mean.copy_(mean)
    model.basis.copy_(axes.flip(1)[:, :count])
    model.spread.copy_(variance.flip(0)[:count].clamp(min=1e-6).sqrt())


def fit_prior(model: Any, emoji: EmojiSet, options: argparse.Namespace) -> float:
    """Teach the word prior by Gaussian likelihood; return its last loss in nats per axis."""
    from models.image.nets.word_bag import word_ids

    vocabulary = model.config.vocabulary
    with torch.no_grad():
        places = model.to_axes(encode_all(model, on_white(emoji.pixels)))
    parameters = [*model.words.parameters(), *model.prior.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=PRIOR_STEPS)
    choice, recent = random.Random(options.seed), []
    for _ in range(PRIOR_STEPS):
        rows, files = [], []
        for index in choice.choices(emoji.train, k=128):
            group = emoji.groups[index]
            file = group.files[0] if choice.random() < 0.6 else choice.choice(group.files)
            rows.append(word_ids(vocabulary, caption(group, emoji.captions[file], choice))[0])
            files.append(file)
        mean, spread = model.where(rows)
        spread = spread.clamp(min=SPREAD_LEAST)
        loss = (((places[files] - mean) / spread).square() / 2 + spread.log()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent = [*recent[-99:], float(loss.detach())]
    return round(sum(recent) / len(recent), 4)


def export(model: Any, emoji: EmojiSet, trained: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the fp16 folder and what is measured on the shipped bytes."""
    from models.image.nets.conv_vae import ConvVAE

    model.half().save_pretrained(options.out)
    shipped = ConvVAE.from_pretrained(options.out).float().eval()
    held_out = on_white(emoji.pixels[emoji.files(emoji.held_out)])
    facts = {
        "psnr_held_out_db": round(evaluate(shipped, held_out), 2),
        "psnr_held_out_kept_axes_db": round(evaluate(shipped, held_out, kept_axes=True), 2),
        "psnr_train_db": round(evaluate(shipped, on_white(emoji.pixels[emoji.files(emoji.train)[::8]])), 2),
        **trained, "parameters": sum(one.numel() for one in shipped.parameters()),
        "components": sum(one.numel() for one in shipped.buffers()),
    }  # fmt: skip
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name != "curve"})


if __name__ == "__main__":
    main()
