"""What image/emoji-diffusion's second edition is shown: prompts with the pictures that fit them, dealt in batches.

A deck is drawn once, on the CPU: of every prompt its token ids and the number of its picture. Pictures are numbered
through: the files, then tinted pairs, then compositions. All of it then lies on the device that trains, as latents of
the autoencoder, so that a batch is two look-ups.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from training import loop
from training.image.compositions import RECIPE, Asked, ask, render_all, words_of
from training.image.emoji import COLOURS, on_white, recolour
from training.image.emoji_diffusion import TOKENS, tokenize
from training.image.styles import STYLES, StyleSet, prompt, words_for

EMPTY = 0.1  # share of captions left out
TINTED = 0.1  # share of pictures recoloured, with the colour's name before the caption
COMPOSED = 0.18  # share of compositions
COMPOSITIONS = 32_000
TINTS = 3  # colours of each seen pair that are made
PROMPTS = 400_000
PLAINEST = 0.6  # share of a name's pictures that are its plainest file
AT_ONCE = 500  # pictures that are encoded together


@dataclass
class Deck:
    """Hold what is dealt: `ids` (int16, prompts × `TOKENS`), `places` (int64, prompts), and how pictures are made."""

    ids: torch.Tensor
    places: torch.Tensor
    tints: list[tuple[int, int, str]]  # group, style, colour
    asked: list[Asked]


def deal(styles: StyleSet, tints: list[tuple[int, int, str]], words: list[str], choice: random.Random) -> (
    tuple[int, str]
):  # fmt: skip
    """Return a picture's number and its prompt: every seen name is as likely, then every style of it.

    `words` are the compositions' prompts.
    """
    draw = choice.random()
    if draw < COMPOSED:
        at = choice.randrange(len(words))
        return len(styles.captions) + len(tints) + at, words[at]
    if draw < COMPOSED + TINTED:
        at = choice.randrange(len(tints))
        group, style, colour = tints[at]
        return len(styles.captions) + at, prompt(f"{colour} {styles.group(group).name}", style, choice)
    group = choice.choice(styles.base.train)
    style = choice.choice(styles.styles_of(group))
    members = styles.files[style][group]
    file = members[0] if choice.random() < PLAINEST else choice.choice(members)
    return file, words_for(styles, group, file, style, choice)


def fitted(tokenizer: Any, words: str) -> str:
    """Return a prompt cut to what the text encoder reads; the words before the style go first."""
    thing, comma, style = words.rpartition(", ")
    if not comma or style not in STYLES:
        return words
    while " " in thing and len(tokenizer(f"{thing}, {style}", verbose=False).input_ids) > TOKENS:
        thing = thing.rpartition(" ")[0]
    return f"{thing}, {style}"


def make_deck(styles: StyleSet, tokenizer: Any, seed: int) -> Deck:
    """Draw a deck of `PROMPTS`."""
    choice = random.Random(seed + 11)
    tints = [(group, style, colour) for group, style in styles.seen for colour in choice.sample(list(COLOURS), TINTS)]
    asked = [ask(styles, choice) for _ in range(COMPOSITIONS)]
    words = [prompt(words_of(styles, one), one.style, choice) for one in asked]
    places, ids = [], []
    while len(places) < PROMPTS:
        dealt = [deal(styles, tints, words, choice) for _ in range(min(10_000, PROMPTS - len(places)))]
        prompts = [text for _, text in dealt]
        lengths = [len(row) for row in tokenizer(prompts, verbose=False).input_ids]
        prompts = [fitted(tokenizer, text) if length > TOKENS else text
                   for text, length in zip(prompts, lengths, strict=True)]  # fmt: skip
        places += [place for place, _ in dealt]
        ids.append(tokenize(tokenizer, prompts).to(torch.int16))
    return Deck(torch.cat(ids), torch.tensor(places), tints, asked)


def kept_deck(styles: StyleSet, tokenizer: Any, options: argparse.Namespace) -> Deck:
    """Return the deck in `--work`; draw it where there is none, or where the recipe changed."""
    file = options.work / "deck.pt"
    of = repr([len(styles.captions), len(styles.seen), TINTS, PROMPTS, COMPOSITIONS, COMPOSED, TINTED, PLAINEST, RECIPE,
               len(tokenizer), options.seed])  # fmt: skip
    found = loop.resume(file)
    if found is None or found["of"] != of:
        deck = make_deck(styles, tokenizer, options.seed)
        asked = [(one.kind, one.style, one.things, one.ground) for one in deck.asked]
        found = {"of": of, "ids": deck.ids, "places": deck.places.int(), "tints": deck.tints, "asked": asked}
        loop.save(file, found)
        print(f"{len(deck.places):,} prompts dealt", flush=True)
    return Deck(found["ids"], found["places"].long(), found["tints"], [Asked(*one) for one in found["asked"]])


class Latents:
    """Hold the latents (fp16, n × 16 × 8 × 8) of all pictures, and deal them with token ids.

    On a CPU they are kept in `--work`, and made again where the autoencoder or the recipe changed; a GPU makes them
    in seconds.
    """

    def __init__(self, styles: StyleSet, tokenizer: Any, options: argparse.Namespace) -> None:
        self._options = options
        weights = (options.shipped / "vae" / "diffusion_pytorch_model.safetensors").read_bytes()
        self._of = [hashlib.sha256(weights).hexdigest(), len(styles.captions), len(styles.seen)]
        deck = kept_deck(styles, tokenizer, options)
        device = options.device
        self.styles = styles
        styles.pixels = styles.pixels.to(device)
        self.latents = torch.cat([
            self._kept("plain", [], lambda: styles.pixels),
            self._kept("tinted", [TINTS, options.seed], lambda: self._tinted(deck)),
            self._kept("composed", [*RECIPE, COMPOSITIONS, options.seed], lambda: render_all(styles, deck.asked)),
        ]).to(device)  # fmt: skip
        self._ids, self._places = deck.ids.to(device), deck.places.to(device)
        self._empty = tokenize(tokenizer, [""]).to(device)

    def _kept(self, name: str, recipe: list[Any], make: Callable[[], torch.Tensor]) -> torch.Tensor:
        file, of = self._options.work / f"latents-{name}.pt", repr([*self._of, recipe])
        found = loop.resume(file)
        if found is None or found["of"] != of:
            found = {"latents": self._encode(make()), "of": of}
            if self._options.device == "cpu":
                loop.save(file, found)
            print(f"{len(found['latents']):,} latents: {name}", flush=True)
        latents: torch.Tensor = found["latents"]
        return latents

    @torch.inference_mode()
    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        from diffusers import AutoencoderKL

        device = self._options.device
        vae = AutoencoderKL.from_pretrained(self._options.shipped / "vae", dtype=torch.float32).eval().to(device)
        parts = (on_white(part).to(device) for part in pixels.split(AT_ONCE if device != "cpu" else 64))
        return torch.cat([vae.encode(part).latent_dist.mean.half() for part in parts]).clone()

    def _tinted(self, deck: Deck) -> torch.Tensor:
        styles = self.styles
        made = styles.pixels[[styles.files[style][group][0] for group, style, _ in deck.tints]]
        for name in COLOURS:
            places = [number for number, (_, _, colour) in enumerate(deck.tints) if colour == name]
            for at in range(0, len(places), AT_ONCE):
                some = places[at : at + AT_ONCE]
                made[some] = recolour(made[some], name)
        return made

    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents (count × 16 × 8 × 8, float32) and token ids (count × `TOKENS`), on the device that trains."""
        rows = torch.randint(len(self._ids), (count,), device=self._ids.device)
        ids = self._ids[rows].long()
        left_out = torch.rand(count, 1, device=ids.device) < EMPTY
        return self.latents[self._places[rows]].float(), torch.where(left_out, self._empty, ids)
