"""Say before a run that a prompt names nothing a model has seen, and what it has seen that is nearest.

For models whose catalogue entry declares `[names]`: what they learnt is a closed list. No torch: pages and shell ask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

if TYPE_CHECKING:
    from models.spec import ModelSpec

NEAREST = 3
_WEIGHT = re.compile(r":\s*\d+(\.\d+)?\s*(?=\))")  # of "(red heart:1.2)"
_DRAWN = re.compile(r"[{}]|__\w")  # a list to draw from: what it will say is not known yet
_SMALL = frozenset({"a", "an", "the", "of", "with", "and", "in", "on", "at", "to", "for"})
_ALIKE = 70.0  # of 100: names below this are shown to nobody
_WORD_ALIKE = 75.0


@dataclass(frozen=True)
class Unseen:
    """Hold a plain sentence about a prompt, and the nearest names that the model has seen, the best first."""

    sentence: str
    nearest: tuple[str, ...]


@dataclass(frozen=True)
class _Names:
    """Hold a list of names: `name_of` maps every caption, in small letters without marks, to its own name."""

    name_of: dict[str, str]
    words: frozenset[str]


def unseen(spec: ModelSpec, prompt: str) -> Unseen | None:
    """Return what to say of a prompt that is none of the names `spec` declares; None where there is nothing to say."""
    prompt = _WEIGHT.sub(" ", prompt)
    if spec.names is None or _DRAWN.search(prompt) or not (asked := _words(prompt)):
        return None
    names = _read(spec.file.parent / spec.names.file)
    # words that every name may be combined with, such as colours, were learnt apart
    kept = [word for word in asked if word not in spec.names.modifiers] or asked
    bare = [word for word in kept if word not in _SMALL]
    if any(" ".join(words) in names.name_of for words in (asked, kept, bare)):
        return None
    nearest = _nearest(names, kept)
    what = f"“{' '.join(prompt.split())[:60]}” is not among the {spec.names.what} names it has seen"
    strange = [word for word in kept if word not in names.words and word not in _SMALL]
    if strange and len(strange) < len(kept):
        what += f", and “{strange[0]}” is not a word it learnt"
    told = f"; nearest: {', '.join(nearest)}." if nearest else ". It knows the names of its training set alone."
    return Unseen(what + told, nearest)


def _nearest(names: _Names, words: list[str]) -> tuple[str, ...]:
    """Return names that hold the prompt's words, then those that are spelt like it."""
    phrase, content = " ".join(words), [word for word in words if word not in _SMALL] or words
    score: dict[str, float] = {}

    def count(name: str, value: float) -> None:
        score[name] = max(score.get(name, 0.0), value)

    for caption, name in names.name_of.items():
        own = caption.split()
        if shared := sum(word in own for word in content):
            # a name that is nothing but the shared words comes before one that says more
            count(name, 100.0 * shared / len(content) + 100.0 * shared / len(own))
    for caption, alike, _ in process.extract(phrase, names.name_of, scorer=fuzz.ratio, limit=10, processor=None):
        count(names.name_of[caption], alike) if alike >= _ALIKE else None
    for word in content:
        if word not in names.words and len(word) > 3:  # it may be misspelt
            for other, alike, _ in process.extract(word, names.words, scorer=fuzz.ratio, limit=2):
                for caption in (one for one in names.name_of if alike >= _WORD_ALIKE and other == one):
                    count(names.name_of[caption], alike)
    return tuple(sorted(score, key=lambda name: (-score[name], len(name), name))[:NEAREST])


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())


def _read(file: Path) -> _Names:
    stat = file.stat()
    return _parsed(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _parsed(file: Path, changed_ns: int, size: int) -> _Names:
    """Read a file of names: one per line, its other captions after tabs."""
    found: dict[str, str] = {}
    others: dict[str, str] = {}
    for line in file.read_text("utf-8").splitlines():
        name, *captions = line.split("\t")
        found[" ".join(_words(name))] = name
        others |= {" ".join(_words(one)): name for one in captions}
    whole = {**others, **found}
    whole.pop("", None)
    return _Names(whole, frozenset(word for caption in whole for word in caption.split()))
