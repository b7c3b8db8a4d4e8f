"""Words that a translation has to keep: entries such as "Anna" (stays as it is) and "cat = minet". No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_EDGES = ".,;:!?…«»“”\"'’‘()[]{}–—- \u00a0\u202f"


@dataclass(frozen=True)
class Entry:
    """Hold one entry: the words of the `source`, and what stands for them in the translation."""

    source: str
    target: str


def read(entries: Sequence[str]) -> list[Entry]:
    """Return the entries that say something: "word" stays as it is, "word = other" becomes the other."""
    found = []
    for entry in entries:
        source, equals, target = (side.strip() for side in entry.partition("="))
        if source and (target or not equals):
            found.append(Entry(source, target or source))
    return found


def bare(word: str) -> str:
    """Return a word without spaces and punctuation around it, in small letters."""
    return word.strip(_EDGES).casefold()


def places(words: Sequence[str], wanted: str) -> list[range]:
    """Return where a run of words stands among others, whatever punctuation and capitals they have."""
    run = [bare(word) for word in wanted.split()]
    have = [bare(word) for word in words]
    return [
        range(at, at + len(run)) for at in range(len(have) - len(run) + 1) if run and have[at : at + len(run)] == run
    ]


def put(word: str, instead: str) -> str:
    """Return what stands instead of a word, within its spaces and punctuation."""
    body = word.strip(_EDGES)
    start = word.find(body) if body else len(word)
    return word[:start] + instead + word[start + len(body) :]
