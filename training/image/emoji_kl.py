"""Train the autoencoder of image/emoji-diffusion: 64 × 64 pictures to 8 × 8 × 16 latents and back.

    python -m training.image.emoji_kl --data ../shared/data --minutes 20

Reads top to bottom: net, training, whitening, export. Interrupt it at any time: the next call continues.

Architecture: diffusers' AutoencoderKL (Rombach et al. 2022, f = 8), trained on squared and absolute error with a weak
pull to the normal distribution. The last step whitens the latents: each channel's mean and spread over the training
pictures are folded into `quant_conv` and `post_quant_conv`, so that a plain diffusion pipeline, which knows only one
scaling factor, starts from noise of the right kind.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import torch

from training import loop
from training.image.emoji import EmojiSet, augment, load_emoji, on_white, psnr
from training.optim import Average, Optimizers

LEARNING_RATE = 2e-3
BATCH = 32
EVERY = 200  # steps between measurements
KL_WEIGHT = 1e-6  # on nats per picture
CHANNELS = (32, 64, 96, 128)
LATENT_CHANNELS = 16
FACTOR = 2 ** (len(CHANNELS) - 1)


def main() -> None:
    """Run the training that the command line asks for."""
    options = loop.options(__doc__, "models/embedded/emoji-diffusion/vae", 20.0, work="emoji-kl").parse_args()
    loop.prepare(options)
    emoji = load_emoji(options.data)
    print(f"{len(emoji.groups)} base names, {len(emoji.held_out)} held out, {len(emoji.pixels)} pictures", flush=True)
    model = make_model()
    if options.from_shipped:
        model = type(model).from_pretrained(options.shipped).float()
    model.to(options.device)
    facts = train(model, emoji, options)
    export(model, emoji, facts, options)


def make_model() -> Any:
    """Return an untrained AutoencoderKL."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(CHANNELS), up_block_types=("UpDecoderBlock2D",) * len(CHANNELS),
        block_out_channels=CHANNELS, layers_per_block=1, latent_channels=LATENT_CHANNELS, norm_num_groups=16,
        sample_size=64, scaling_factor=1.0, mid_block_add_attention=False,
    )  # fmt: skip


def train(model: Any, emoji: EmojiSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used and give the model the average of its weights."""
    optimizers = Optimizers(model, LEARNING_RATE, edges=("conv_in", "decoder.conv_out"))
    average = Average(model, 0.998)
    generator = torch.Generator().manual_seed(options.seed * 1_000_003)
    feed = loop.Shuffled(emoji.files(emoji.train), BATCH, generator)
    run = loop.Run(
        options, EVERY, "pictures", model=model, optimizers=optimizers, average=average, feed=feed, generator=generator
    )
    held_out = on_white(emoji.pixels[emoji.files(emoji.held_out)])
    loss_of = _loss_function(model, options.device)
    for rate in run:
        picture = augment(emoji.pixels[next(feed)], generator)  # batch × 3 × 64 × 64
        loss = loss_of(picture.to(options.device))
        loss.backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(BATCH, loss=loss):
            run.note(psnr_db=evaluate(average.weights, held_out[::4], options.device))
    model.load_state_dict(average.weights)
    return run.facts()


def _loss_function(model: Any, device: str) -> Any:
    def loss(picture: torch.Tensor) -> torch.Tensor:
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            posterior = model.encode(picture).latent_dist  # mean and spread: batch × 16 × 8 × 8
            latent = posterior.mean + posterior.std * torch.randn_like(posterior.mean)
            back = model.decode(latent).sample.float()
        mean, variance, log_variance = (one.float() for one in (posterior.mean, posterior.var, posterior.logvar))
        kl = 0.5 * (mean.square() + variance - 1 - log_variance).sum((1, 2, 3))
        error = back - picture
        return error.square().mean() + 0.1 * error.abs().mean() + KL_WEIGHT * kl.mean()

    return loss


@torch.inference_mode()
def evaluate(weights: dict[str, torch.Tensor], pictures: torch.Tensor, device: str) -> float:
    """Return the mean PSNR in dB of pictures (batch × 3 × 64 × 64) through these weights, latents at their mean."""
    model = make_model().to(device)
    model.load_state_dict(weights)
    back = [model.decode(model.encode(part.to(device)).latent_dist.mean).sample.cpu() for part in pictures.split(32)]
    return psnr(torch.cat(back), pictures)


@torch.inference_mode()
def whiten(model: Any, pictures: torch.Tensor, device: str) -> None:
    """Fold each latent channel's mean and spread over `pictures` into the two 1 × 1 convolutions, in place.

    Decoding what was encoded gives the same as before; latents then have mean 0 and spread 1 per channel.
    """
    latents = torch.cat([model.encode(part.to(device)).latent_dist.mean for part in pictures.split(64)])
    mean = latents.mean((0, 2, 3))
    spread = latents.std((0, 2, 3))
    quant, post, count = model.quant_conv, model.post_quant_conv, len(mean)
    quant.weight[:count] /= spread[:, None, None, None]
    quant.bias[:count] = (quant.bias[:count] - mean) / spread
    quant.bias[count:] -= 2 * spread.log()  # the log-variance
    post.bias += (post.weight[:, :, 0, 0] * mean).sum(1)
    post.weight *= spread[None, :, None, None]


@torch.inference_mode()
def fit_preview(model: Any, pictures: torch.Tensor, device: str, patch: int = 4) -> dict[str, torch.Tensor]:
    """Return the linear map latent → colours that previews use, fitted by least squares.

    `weight` is channels × (3 · patch²), `bias` 3 · patch²: one latent position becomes patch × patch pixels, 0 … 1.
    """
    latents = torch.cat([model.encode(part.to(device)).latent_dist.mean.cpu() for part in pictures.split(64)])
    side = FACTOR // patch
    small = torch.nn.functional.avg_pool2d((pictures + 1) / 2, side)
    target = torch.nn.functional.pixel_unshuffle(small, patch).permute(0, 2, 3, 1).flatten(0, 2)  # positions × 3·patch²
    known = latents.permute(0, 2, 3, 1).flatten(0, 2)  # positions × channels
    known = torch.cat([known, torch.ones(len(known), 1)], 1)
    solution = torch.linalg.lstsq(known, target).solution
    return {"weight": solution[:-1].half().contiguous(), "bias": solution[-1].half().contiguous()}


def export(model: Any, emoji: EmojiSet, trained: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the fp16 folder, the preview map beside it, and what is measured on the shipped bytes."""
    from diffusers import AutoencoderKL
    from safetensors.torch import save_file

    model.eval()
    train = on_white(emoji.pixels[emoji.files(emoji.train)])
    whiten(model, train, options.device)
    model.cpu().half().save_pretrained(options.out)
    shipped = AutoencoderKL.from_pretrained(options.out, dtype=torch.float32).eval()
    save_file(fit_preview(shipped, train[::2], "cpu"), options.out / "latent_rgb.safetensors")
    held_out = on_white(emoji.pixels[emoji.files(emoji.held_out)])
    facts = {
        "psnr_held_out_db": round(evaluate(shipped.state_dict(), held_out, "cpu"), 2),
        "psnr_train_db": round(evaluate(shipped.state_dict(), train[::8], "cpu"), 2),
        **trained, "parameters": sum(weight.numel() for weight in shipped.parameters()),
        "threads": torch.get_num_threads(), "device": options.device,
    }  # fmt: skip
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name != "curve"})


if __name__ == "__main__":
    main()
