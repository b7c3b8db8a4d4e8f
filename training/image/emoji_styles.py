"""Train the second edition of image/emoji-diffusion: one name in four styles, recoloured and put together in code.

    python -m training.image.emoji_styles --data ../shared/data --minutes 240 --from-shipped

The autoencoder stays as it is: it gives back the three new styles, which it never saw, at 35 dB (Noto 33). The nets,
the tokenizer and the loss are those of `training.image.emoji_diffusion`; style and composition are words of the prompt.
Interrupt it at any time: the next call continues from the checkpoint in `--work`. `--export-only` writes the folder
from the newest checkpoint.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
from collections.abc import Callable
from typing import Any

import torch

from training import loop
from training.denoising import Plan, fit
from training.image.compositions import RECIPE, composition
from training.image.emoji import COLOURS, on_white, recolour
from training.image.emoji_diffusion import SCHEDULE, TOKENS, Conditioned, export, tokenize
from training.image.styles import STYLES, load_styles, prompt, words_for

LEARNING_RATE = 1e-3
BATCH = 64
EVERY = 250  # steps between points of the curve
EMPTY = 0.1  # share of captions left out
TINTED = 0.1  # share of pictures recoloured, with the colour's name before the caption
COMPOSED = 0.18  # share of compositions
COMPOSITIONS = 16_000  # made once; each is met a few times
TINTS = 3  # colours of each seen pair that are made


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "models/embedded/emoji-diffusion", 240.0, "emoji/ and emoji-styles/", "emoji-styles")
    parser.add_argument("--export-only", action="store_true", help="export the newest checkpoint without training")
    options = parser.parse_args()
    loop.prepare(options)
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(options.shipped / "tokenizer")
    model = Conditioned(tokenizer)
    if options.from_shipped:
        model.load(options.shipped)
    model.to(options.device)
    facts = train(model, tokenizer, options)
    if not (options.out / "vae").exists():  # the autoencoder is part of the folder, with its facts and preview map
        shutil.copytree(options.shipped / "vae", options.out / "vae")
    export(model, tokenizer, facts, options)


class Latents:
    """Hold what is drawn from: latents (fp16, n × 16 × 8 × 8) of every file, of tinted pairs and of compositions.

    They are kept in `--work`, part by part, and made again where the autoencoder or the recipe changed.
    """

    def __init__(self, tokenizer: Any, options: argparse.Namespace) -> None:
        self.styles, self._tokenizer = load_styles(options.data), tokenizer
        weights = (options.shipped / "vae" / "diffusion_pytorch_model.safetensors").read_bytes()
        self._vae, self._options = hashlib.sha256(weights).hexdigest(), options
        choice = random.Random(options.seed + 7)
        self.tints = [
            (group, style, colour) for group, style in self.styles.seen for colour in choice.sample(range(7), TINTS)
        ]
        self.plain = self._kept("plain", [], lambda: (self.styles.pixels, []))[0]
        self.tinted = self._kept("tinted", [TINTS, options.seed], self._tinted)[0]
        self.composed, self.words = self._kept("composed", [*RECIPE, COMPOSITIONS, options.seed], self._composed)
        self.styles.pixels = torch.empty(0)  # a quarter of a gigabyte that is used no more

    def _kept(
        self, name: str, recipe: list[Any], make: Callable[[], tuple[torch.Tensor, list[str]]]
    ) -> tuple[torch.Tensor, list[str]]:
        file = self._options.work / f"latents-{name}.pt"
        of = repr([self._vae, len(self.styles.captions), len(self.styles.seen), recipe])
        found = loop.resume(file)
        if found is None or found["of"] != of:
            pixels, words = make()
            found = {"latents": self._encode(pixels), "words": words, "of": of}
            loop.save(file, found)
            print(f"{len(pixels):,} latents: {name}", flush=True)
        return found["latents"], found["words"]

    @torch.inference_mode()
    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        from diffusers import AutoencoderKL

        device = self._options.device
        vae = AutoencoderKL.from_pretrained(self._options.shipped / "vae", dtype=torch.float32).eval().to(device)
        parts = (on_white(part).to(device) for part in pixels.split(64))
        return torch.cat([vae.encode(part).latent_dist.mean.half().cpu() for part in parts])

    def _tinted(self) -> tuple[torch.Tensor, list[str]]:
        styles, names = self.styles, list(COLOURS)
        parts = [
            recolour(styles.pixels[[styles.files[style][group][0]]], names[colour])
            for group, style, colour in self.tints
        ]
        return torch.cat(parts), []

    def _composed(self) -> tuple[torch.Tensor, list[str]]:
        choice = random.Random(self._options.seed + 11)
        made = [composition(self.styles, choice) for _ in range(COMPOSITIONS)]
        return torch.stack([picture for picture, _ in made]), [words for _, words in made]

    def batch(self, choice: random.Random) -> tuple[torch.Tensor, list[str]]:
        """Return latents (batch × 16 × 8 × 8) and prompts: every seen name is as likely, then every style of it."""
        latents, prompts = [], []
        for _ in range(BATCH):
            draw = choice.random()
            if draw < COMPOSED:
                at = choice.randrange(len(self.words))
                latents.append(self.composed[at])
                words = self.words[at]
            elif draw < COMPOSED + TINTED:
                at = choice.randrange(len(self.tints))
                group, style, colour = self.tints[at]
                latents.append(self.tinted[at])
                words = prompt(f"{list(COLOURS)[colour]} {self.styles.group(group).name}", style, choice)
            else:
                latent, words = self._plain(choice)
                latents.append(latent)
            prompts.append("" if choice.random() < EMPTY else self._fitted(words))
        return torch.stack(latents).float(), prompts

    def _fitted(self, words: str) -> str:
        """Return a prompt cut to what the text encoder reads; the words before the style go first."""
        thing, comma, style = words.rpartition(", ")
        if not comma or style not in STYLES:
            return words
        while " " in thing and len(self._tokenizer(f"{thing}, {style}", verbose=False).input_ids) > TOKENS:
            thing = thing.rpartition(" ")[0]
        return f"{thing}, {style}"

    def _plain(self, choice: random.Random) -> tuple[torch.Tensor, str]:
        styles = self.styles
        group = choice.choice(styles.base.train)
        style = choice.choice(styles.styles_of(group))
        members = styles.files[style][group]
        file = members[0] if choice.random() < 0.6 else choice.choice(members)
        return self.plain[file], words_for(styles, group, file, style, choice)


def train(model: Conditioned, tokenizer: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the minutes are used and give the model the average of its weights."""
    drawn = Latents(tokenizer, options)
    print(f"{len(drawn.styles.seen)} pairs of name and style, {len(drawn.styles.held_out)} held out, "
          f"{len(STYLES)} styles", flush=True)  # fmt: skip

    def draw(choice: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        latents, prompts = drawn.batch(choice)
        return latents, tokenize(tokenizer, prompts)

    return fit(model, Plan("pictures", BATCH, EVERY, LEARNING_RATE, 0.999, SCHEDULE), options, draw, model)


if __name__ == "__main__":
    main()
