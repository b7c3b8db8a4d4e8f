"""Say before a run that a prompt names nothing a model has seen, and what it has seen that is nearest.

For models whose catalogue entry declares `[names]`: what they learnt is a closed list. No torch: pages and shell ask.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

if TYPE_CHECKING:
    from models.spec import ModelSpec

NEAREST = 3
WORDS_MAX, WORD_MAX_CHARS = 40, 60  # of a prompt, by which the nearest names are sought: no name is longer
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
    asked = [word[:WORD_MAX_CHARS] for word in asked[:WORDS_MAX]]
    names = _read(spec.file.parent / spec.names.file)
    *_, kept, _ = forms = _forms(spec.names.modifiers, asked)
    if any(_all_known(names, words) for words in forms):
        return None
    nearest = _nearest(names, kept)
    what = f"“{' '.join(prompt.split())[:60]}” is not among the {spec.names.what} names it has seen"
    strange = [word for word in kept if word not in names.words and word not in _SMALL]
    if strange and len(strange) < len(kept):
        what += f", and “{strange[0]}” is not a word it learnt"
    told = f"; nearest: {', '.join(nearest)}." if nearest else ". It knows the names of its training set alone."
    return Unseen(what + told, nearest)


def named(spec: ModelSpec, prompt: str) -> str:
    """Return the one name, of those that `spec` declares, for which a prompt asks; "" for none, and for several."""
    if spec.names is None or not (asked := _words(_WEIGHT.sub(" ", prompt))):
        return ""
    names = _read(spec.file.parent / spec.names.file)
    forms = _forms(spec.names.modifiers, asked[:WORDS_MAX])
    return next((name for words in forms if (name := _name(names, words))), "")


def _forms(modifiers: Collection[str], asked: list[str]) -> tuple[list[str], ...]:
    """Return the words of a prompt, and what is left without those that every name may be combined with.

    Such as colours, which were learnt apart: at first without those at its end ("red heart, flat"), then without any,
    then without small words too.
    """
    end = len(asked)
    while end > 1 and asked[end - 1] in modifiers:
        end -= 1
    kept = [word for word in asked if word not in modifiers] or asked
    return asked, asked[:end], kept, [word for word in kept if word not in _SMALL]


def _name(names: _Names, words: list[str]) -> str:
    """Return the name of which the words are a caption, or its plural, "" for none."""
    phrase = " ".join(words)
    forms = (phrase, *(phrase.removesuffix(end) for end in ("s", "es") if phrase.endswith(end)))
    return next((names.name_of[form] for form in forms if form in names.name_of), "")


def _all_known(names: _Names, words: list[str]) -> bool:
    """Say whether the words are a caption, its plural, or several with "and" between."""
    if _name(names, words):
        return True
    at = words.index("and") if "and" in words else 0
    return at > 0 and _all_known(names, words[:at]) and _all_known(names, words[at + 1 :])


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
