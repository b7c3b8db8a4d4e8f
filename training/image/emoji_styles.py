"""Train the second edition of image/emoji-diffusion: one name in four styles, recoloured and put together in code.

    python -m training.image.emoji_styles --data ../shared/data --prepare
    python -m training.image.word_vectors --encoder all-MiniLM-L6-v2 --tokenizer WORK/tokenizer --out WORK/vectors.pt
    python -m training.image.emoji_judge --data ../shared/data --minutes 20
    python -m training.image.emoji_styles --data ../shared/data --minutes 240

The autoencoder stays as it is: it gives back the three new styles, which it never saw, at 35 dB (Noto 33). Tokenizer,
text encoder and U-Net begin anew in the layout of `training.image.emoji_diffusion`, with the same loss; style and
composition are words of the prompt. `--prepare` writes the tokenizer and the deck (`training.image.emoji_deck`) to
`--work`; where `vectors.pt` lies there, words keep the vectors of a sentence encoder (`training.image.word_vectors`).
Interrupt it at any time: the next call continues from the checkpoint in `--work`. `--export-only` writes the folder
from the newest checkpoint.

The averaged weights are kept at several moments. At the end the judge says which draws best those held-out pairs that
no mark is measured on.
"""

from __future__ import annotations

import argparse
import collections
import copy
import gzip
import re
import shutil
from pathlib import Path
from typing import Any

import torch

from training import loop
from training.denoising import Plan, fit, loss_of
from training.image.compositions import GROUNDS
from training.image.emoji import COLOURS
from training.image.emoji_deck import Latents, kept_deck
from training.image.emoji_diffusion import SCHEDULE, Conditioned, export, make_tokenizer, tokenize
from training.image.styles import STYLES, StyleSet, load_styles, prompt
from training.image.word_vectors import give
from training.optim import Average

LEARNING_RATE = 2e-3
BATCH = 64
EVERY, GPU_EVERY = 250, 100  # steps between points of the curve
DROPOUT = 0.1
VOCABULARY = 8500  # at most
COMMON = 3100  # words of the stories that the tokenizer knows beside the captions'
AFTER_ARTICLE = 0.12  # share of a word's uses after "a", "an", "the" or "two" that makes it one of a thing
MOMENTS = (0.6, 0.75, 0.87)  # of the time, at which the averaged weights are kept, beside the end
LEVELS = (100, 300, 500, 700, 900)  # steps of noise at which the held-out loss is measured


def main() -> None:
    """Run the training that the command line asks for."""
    reads = "emoji/ and emoji-styles/ (and stories/ for --prepare)"
    parser = loop.options(__doc__, "models/embedded/emoji-diffusion", 240.0, reads, "emoji-styles")
    add = parser.add_argument
    add("--prepare", action="store_true", help="write tokenizer and deck to --work, train nothing")
    add("--export-only", action="store_true", help="export the newest checkpoint without training")
    add("--batch", type=int, default=BATCH, help="pictures of a step (default: %(default)s)")
    add("--rate", type=float, default=LEARNING_RATE, help="learning rate (default: %(default)s)")
    add("--shipped", type=Path, help="folder that holds the autoencoder, vae/, and all with --from-shipped "
                                     "(default: %(default)s)")  # fmt: skip
    add("--judge", type=Path, help="folder of the judge that chooses among the moments (default: the last is taken)")
    add("--measure-until", type=float, help="moment (seconds since 1970) until which the marks are to be measured")
    options = parser.parse_args()
    loop.prepare(options)
    styles = load_styles(options.data)
    tokenizer = kept_tokenizer(styles, options)
    if options.prepare:
        kept_deck(styles, tokenizer, options)
        return
    torch.set_float32_matmul_precision("high")
    model = Conditioned(tokenizer, DROPOUT)
    model.to(options.device)
    found = loop.resume(options.work / "vectors.pt")
    if found is not None:
        give(model.text_encoder.get_input_embeddings(), found["ids"], found["vectors"])
    if options.from_shipped:
        model.load(options.shipped)
    from training.image import style_choice

    moments = Moments(model, tokenizer, options)
    facts = train(model, styles, tokenizer, options, moments)
    moments.keep("end", model.state_dict())
    name = style_choice.choose(moments, styles, options) if options.judge else "end"
    facts["moment"] = name
    write(moments.model(name), tokenizer, facts, options)
    if options.judge and options.measure_until:
        style_choice.measure_marks(moments.model(name), tokenizer, styles, options)


def kept_tokenizer(styles: StyleSet, options: argparse.Namespace) -> Any:
    """Return the tokenizer in `--work`; make it where there is none."""
    from transformers import CLIPTokenizer

    folder = options.shipped / "tokenizer" if options.from_shipped else options.work / "tokenizer"
    if not folder.exists():
        names = [*COLOURS, *GROUNDS, *styles.base.texts(), "two", "small", "big", "on the left", "on the right"]
        known = [*names * 3, *(f", {style}" for style in STYLES for _ in range(4000)), *common_words(options.data) * 3]
        make_tokenizer(known, options.work, VOCABULARY).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def common_words(data: Path, count: int = COMMON) -> list[str]:
    """Return words of all stories below `data` that stand after an article often, the commonest `count` of them.

    Most are things: what somebody may ask for.
    """
    found: collections.Counter[str] = collections.Counter()
    after: collections.Counter[str] = collections.Counter()
    for file in sorted(data.glob("stories*/*.gz")):
        with gzip.open(file, "rt", errors="ignore") as stream:
            text = stream.read().lower()
        found.update(re.findall(r"[a-z]{2,}", text))
        after.update(re.findall(r"\b(?:a|an|the|two) ([a-z]{3,})", text))
    return [word for word, times in after.most_common() if times / found[word] >= AFTER_ARTICLE][:count]


class Moments:
    """Keep averaged weights by name, in half precision, and watch the loss of held-out pairs."""

    def __init__(self, model: Conditioned, tokenizer: Any, options: argparse.Namespace) -> None:
        self._model, self.tokenizer, self._options = model, tokenizer, options
        self.kept: dict[str, dict[str, torch.Tensor]] = {}

    def keep(self, name: str, weights: dict[str, torch.Tensor]) -> None:
        """Keep a copy."""
        self.kept[name] = {key: value.detach().half() if value.is_floating_point() else value.clone()
                           for key, value in weights.items()}  # fmt: skip

    def model(self, name: str) -> Conditioned:
        """Return the nets with the weights of a moment, float32, to draw with."""
        model = copy.deepcopy(self._model).eval()
        model.load_state_dict(self.kept[name])
        return model

    def watch(self, run: loop.Run, average: Average) -> dict[str, float]:
        """Keep the average's weights where a moment has come; the first is exported, too, in case of a bad end."""
        for moment in MOMENTS:
            name = f"{moment:g}"
            if run.progress >= moment and name not in self.kept:
                self.keep(name, average.weights)
                if moment == MOMENTS[0]:
                    write(self.model(name), self.tokenizer, run.facts(), self._options)
                break
        return {}


def train(
    model: Any, styles: StyleSet, tokenizer: Any, options: argparse.Namespace, moments: Moments | None = None
) -> dict[str, Any]:
    """Train until the minutes are used and give the model the average of its weights."""
    from diffusers import DDPMScheduler

    drawn = Latents(styles, tokenizer, options)
    print(f"{len(styles.seen)} pairs of name and style, {len(styles.held_out)} held out, {len(STYLES)} styles",
          flush=True)  # fmt: skip
    files = [styles.files[style][group][0] for group, style in styles.held_out]
    prompts = [prompt(styles.group(group).name, style) for group, style in styles.held_out]
    unseen, ids = drawn.latents[files].float(), tokenize(tokenizer, prompts).to(options.device)
    levels = DDPMScheduler(**SCHEDULE).alphas_cumprod.to(options.device)[list(LEVELS)]
    steps = torch.tensor(LEVELS, device=options.device)

    @torch.no_grad()
    def held_out(run: loop.Run, average: Average) -> dict[str, float]:
        """Return the loss of held-out pairs at fixed noise; keep what is to be kept."""
        training = model.training
        model.eval()
        with torch.random.fork_rng([unseen.device] if unseen.is_cuda else []):
            torch.manual_seed(0)
            loss = loss_of(lambda noisy, times, given: model(noisy, steps[times], given), unseen, ids, levels)
        model.train(training)
        return {"held_out": float(loss), **(moments.watch(run, average) if moments else {})}

    batch, rate = getattr(options, "batch", BATCH), getattr(options, "rate", LEARNING_RATE)
    every = EVERY if options.device == "cpu" else GPU_EVERY
    plan = Plan("pictures", batch, every, rate, 0.999, SCHEDULE)
    return fit(model.train(), plan, options, lambda _: drawn.batch(batch), model, held_out)


def write(model: Conditioned, tokenizer: Any, facts: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the pipeline's folder; the autoencoder is part of it, with its facts and preview map."""
    if not (options.out / "vae").exists():
        shutil.copytree(options.shipped / "vae", options.out / "vae")
    export(model, tokenizer, {**facts, "hardware": loop.hardware(options.device)}, options)


if __name__ == "__main__":
    main()
