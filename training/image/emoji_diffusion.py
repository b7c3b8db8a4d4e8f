"""Train the rest of image/emoji-diffusion: tokenizer, text encoder and U-Net, on the latents of
training.image.emoji_kl.

    python -m training.image.emoji_kl --data ../shared/data --minutes 20
    python -m training.image.emoji_diffusion --data ../shared/data --minutes 60

Reads top to bottom: tokenizer, nets, latents, training, export. Interrupt it at any time: the next call continues from
the checkpoint in `--work`.

Architecture: latent diffusion (Rombach et al. 2022) in Stable Diffusion's layout: a CLIP text encoder and a U-Net with
cross-attention, both learnt from nothing, together. The U-Net predicts v (Salimans & Ho 2022); steps are weighted by
min-SNR, γ = 5 (Hang et al. 2023). One caption in ten is left empty, so that guidance works (Ho & Salimans 2022).
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training import loop
from training.denoising import Plan, fit
from training.image.emoji import COLOURS, EmojiSet, caption, load_emoji, on_white, recolour

LEARNING_RATE = 2e-3
BATCH = 64
EVERY = 250  # steps between points of the curve
VOCABULARY = 1280
TOKENS = 16
HIDDEN = 192
EMPTY = 0.1  # share of captions left out
TINTED = 0.15  # share of pictures recoloured, with the colour's name before the caption
SCHEDULE = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction", "timestep_spacing": "trailing", "steps_offset": 1,
}  # fmt: skip


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/emoji-diffusion", 60.0)
    parser.add_argument("--export-only", action="store_true", help="export the newest checkpoint without training")
    options = parser.parse_args()
    loop.prepare(options)
    emoji = load_emoji(options.data)
    if options.from_shipped:
        from transformers import CLIPTokenizer

        tokenizer = CLIPTokenizer.from_pretrained(options.shipped / "tokenizer")
        model = Conditioned(tokenizer)
        model.load(options.shipped)
    else:
        tokenizer = make_tokenizer([*COLOURS, *emoji.texts()], options.work)
        model = Conditioned(tokenizer)
    model.to(options.device)
    facts = train(model, tokenizer, emoji, options)
    export(model, tokenizer, facts, options)


def make_tokenizer(texts: list[str], work: Path, size: int = VOCABULARY) -> Any:
    """Return a CLIP tokenizer (byte-level BPE, lower case) of about `size` tokens, trained on these texts alone."""
    from tokenizers import Tokenizer, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers import CLIPTokenizer

    file = work / "bpe.json"
    if not file.exists():
        blank = CLIPTokenizer().backend_tokenizer
        core = Tokenizer(BPE(end_of_word_suffix="</w>"))
        core.normalizer, core.pre_tokenizer = blank.normalizer, blank.pre_tokenizer
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=["<|startoftext|>", "<|endoftext|>"], show_progress=False,
            initial_alphabet=letters, end_of_word_suffix="</w>",
        )  # fmt: skip
        core.train_from_iterator(texts, trainer)
        content = json.loads(core.to_str())["model"]
        vocabulary = content["vocab"]
        for letter in letters:  # any byte may end a word
            vocabulary.setdefault(f"{letter}</w>", len(vocabulary))
        file.write_text(json.dumps({"vocab": vocabulary, "merges": content["merges"]}))
    content = json.loads(file.read_text())
    merges = [tuple(pair) for pair in content["merges"]]
    return CLIPTokenizer(vocab=content["vocab"], merges=merges, model_max_length=TOKENS)


class Conditioned(nn.Module):
    """Hold the two nets that learn together."""

    def __init__(self, tokenizer: Any, dropout: float = 0.0) -> None:
        from diffusers import UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        super().__init__()
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer), hidden_size=HIDDEN, intermediate_size=2 * HIDDEN, num_hidden_layers=2,
                num_attention_heads=4, max_position_embeddings=TOKENS, projection_dim=HIDDEN,
                bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )  # fmt: skip
        self.unet = UNet2DConditionModel(
            sample_size=8, in_channels=16, out_channels=16, block_out_channels=(128, 192), layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D",) * 2, up_block_types=("CrossAttnUpBlock2D",) * 2,
            cross_attention_dim=HIDDEN, attention_head_dim=4, norm_num_groups=16,
            dropout=dropout,
        )  # fmt: skip

    def forward(self, noisy: torch.Tensor, times: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Return predicted v (batch × 16 × 8 × 8) for noisy latents, steps (batch) and token ids (batch × tokens)."""
        states = self.text_encoder(input_ids=ids).last_hidden_state  # batch × tokens × hidden
        predicted: torch.Tensor = self.unet(noisy, times, states).sample
        return predicted

    def load(self, folder: Path) -> None:
        """Take the weights of a pipeline's folder."""
        for name in ("unet", "text_encoder"):
            net = getattr(self, name)
            net.load_state_dict(type(net).from_pretrained(folder / name).float().state_dict())


@torch.inference_mode()
def encode_latents(emoji: EmojiSet, options: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the latents (fp16) of every picture, files × 16 × 8 × 8, and of each base name's first picture tinted.

    The second is groups × colours × 16 × 8 × 8. Kept in `--work`; made again where the autoencoder changed.
    """
    from diffusers import AutoencoderKL

    weights = options.out / "vae" / "diffusion_pytorch_model.safetensors"
    file = options.work / "latents.pt"
    found = loop.resume(file)
    if found and found["of"] == [weights.stat().st_size, weights.stat().st_mtime_ns]:
        return found["plain"], found["tinted"]
    vae = AutoencoderKL.from_pretrained(options.out / "vae", dtype=torch.float32).eval().to(options.device)

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        parts = on_white(pixels).split(64)
        means = [vae.encode(part.to(options.device)).latent_dist.mean.half().cpu() for part in parts]
        return torch.cat(means)

    plain = encode(emoji.pixels)
    first = emoji.pixels[[group.files[0] for group in emoji.groups]]
    tinted = torch.stack([encode(recolour(first, colour)) for colour in COLOURS], 1)
    changed = [weights.stat().st_size, weights.stat().st_mtime_ns]
    loop.save(file, {"plain": plain, "tinted": tinted, "of": changed})
    return plain, tinted


def draw_batch(
    emoji: EmojiSet, plain: torch.Tensor, tinted: torch.Tensor, choice: random.Random
) -> tuple[torch.Tensor, list[str]]:
    """Return latents (batch × 16 × 8 × 8) and their captions: every base name is as likely, whatever its files."""
    latents, captions = [], []
    for _ in range(BATCH):
        index = choice.choice(emoji.train)
        group = emoji.groups[index]
        if choice.random() < TINTED:
            number = choice.randrange(len(COLOURS))
            latents.append(tinted[index, number])
            words = f"{list(COLOURS)[number]} {group.name}"
        else:
            file = group.files[0] if choice.random() < 0.6 else choice.choice(group.files)
            latents.append(plain[file])
            words = caption(group, emoji.captions[file], choice)
        captions.append("" if choice.random() < EMPTY else words)
    return torch.stack(latents).float(), captions


def train(model: Conditioned, tokenizer: Any, emoji: EmojiSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used and give the model the average of its weights."""
    plain, tinted = encode_latents(emoji, options)

    def draw(choice: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        latents, captions = draw_batch(emoji, plain, tinted, choice)  # batch × 16 × 8 × 8
        return latents, tokenize(tokenizer, captions)  # batch × 16

    plan = Plan("pictures", BATCH, EVERY, LEARNING_RATE, 0.998, SCHEDULE)
    return fit(model, plan, options, draw, model)


def tokenize(tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """Return token ids, int64, captions × `TOKENS`, padded and cut as the pipeline does."""
    ids: torch.Tensor = tokenizer(
        captions, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
    ).input_ids
    return ids


def export(model: Conditioned, tokenizer: Any, facts: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the pipeline's folder beside the autoencoder, fp16, and training.json with steps, minutes and curve."""
    from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(options.out / "vae", dtype=torch.float16),
        text_encoder=model.text_encoder.half().cpu(), tokenizer=tokenizer, unet=model.unet.half().cpu(),
        scheduler=DPMSolverMultistepScheduler(**SCHEDULE), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    kept = options.out / "vae" / "latent_rgb.safetensors"
    preview = kept.read_bytes()
    pipeline.save_pretrained(options.out)
    kept.write_bytes(preview)
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name != "curve"})


if __name__ == "__main__":
    main()
