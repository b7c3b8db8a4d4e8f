"""What image/emoji-caption is judged by: whether a decoder writes a picture's name word for word, and its style.

Pictures are named greedily from the shipped bytes: of pairs of name and style that were learnt (their plainest file as
it is, and a draw of the augmentation that training never made), of held-out pairs, and of held-out names, of which the
words that agree are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from models.image.nets.captioner import WRITERS, Captioner
from training.image.emoji import on_white
from training.image.emoji_judge import Pictures
from training.image.styles import STYLES, StyleSet

UNUSED_SEED = 2**31  # of the augmentation
BATCH = 64


def measure(model: Captioner, tokenizer: Any, styles: StyleSet) -> dict[str, dict[str, dict[str, float]]]:
    """Return for each set of pictures and each decoder the shares of `agreement`."""
    unseen_names = [(group, style) for group in styles.base.held_out for style in styles.drawn_in(group)]
    sets = {
        "seen_pairs": (styles.seen, plain(styles, styles.seen)),
        "seen_pairs_augmented": (styles.seen, augmented(styles, styles.seen)),
        "unseen_pairs": (styles.held_out, plain(styles, styles.held_out)),
        "unseen_pairs_augmented": (styles.held_out, augmented(styles, styles.held_out)),
        "unseen_names": (unseen_names, plain(styles, unseen_names)),
    }
    found = {
        name: {writer: agreement(styles, pairs, captions(model, tokenizer, shown, writer)) for writer in WRITERS}
        for name, (pairs, shown) in sets.items()
    }
    pairs, shown = sets["unseen_pairs"]
    found["unseen_pairs_beams"] = {
        writer: agreement(styles, pairs, captions(model, tokenizer, shown, writer, beams=4)) for writer in WRITERS
    }
    return found


def plain(styles: StyleSet, pairs: Sequence[tuple[int, int]]) -> torch.Tensor:
    """Return each pair's plainest file on white (float32, pairs × 3 × 64 × 64, −1 … 1)."""
    return on_white(styles.pixels[torch.tensor([styles.files[style][group][0] for group, style in pairs])])


def augmented(styles: StyleSet, pairs: Sequence[tuple[int, int]]) -> torch.Tensor:
    """Return a draw of the augmentation of each pair, from a seed that training never uses."""
    groups, asked = torch.tensor(pairs).unbind(1)
    return Pictures(styles, "cpu").draw(groups, torch.Generator().manual_seed(UNUSED_SEED), asked)[0]


@torch.inference_mode()
def captions(model: Captioner, tokenizer: Any, pictures: torch.Tensor, writer: str, beams: int = 1) -> list[str]:
    """Return what a decoder writes of each picture, with the style: "pizza , 3d"."""
    found, search = [], {"num_beams": beams, "length_penalty": 0.0} if beams > 1 else {}
    for some in pictures.split(BATCH):
        rows = model.generate(pixel_values=some.to(model.device), writer=writer, **search)
        found += tokenizer.batch_decode(rows, skip_special_tokens=True)
    return [one.strip() for one in found]


def agreement(styles: StyleSet, pairs: Sequence[tuple[int, int]], written: Sequence[str]) -> dict[str, float]:
    """Return how captions agree with their pairs of name and style, as shares of the `count` of them.

    `name`: word for word; `name_STYLE`: of one style; `style`: the word behind the comma is right; `words`: the mean F1
    score of the name's words.
    """
    name, style, words = list[bool](), list[bool](), list[float]()
    for (group, kind), text in zip(pairs, written, strict=True):
        said, _, manner = (part.strip() for part in text.partition(","))
        wanted = styles.group(group).name
        name.append(said == wanted)
        style.append(manner == STYLES[kind])
        words.append(f1(set(said.split()), set(wanted.split())))
    of_style = {f"name_{kind}": [right for right, (_, at) in zip(name, pairs, strict=True) if at == number]
                for number, kind in enumerate(STYLES)}  # fmt: skip
    return {"count": len(pairs), "name": _share(name), "style": _share(style), "words": _share(words),
            **{key: _share(found) for key, found in of_style.items() if found}}  # fmt: skip


def f1(said: set[str], wanted: set[str]) -> float:
    """Return the harmonic mean of precision and recall of words."""
    return 2 * len(said & wanted) / max(1, len(said) + len(wanted))


def _share(values: Sequence[float]) -> float:
    return round(sum(values) / max(1, len(values)), 4)
