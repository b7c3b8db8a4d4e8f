"""Put other things in the place of those that a story names: every story tells of a fox or a kite as it is asked to.

A net that has read a story before can go on with it by heart and learn nothing about the instruction. Where the things
were swapped for others, nothing but the instruction tells which; so each story teaches the link again and again.
A thing is swapped for one of its kind, so that what it does makes some sense.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence

from training.text.instructions import THINGS, UNCOUNTED, with_article, words_of

ANIMALS = words_of(
    "ant bear bee bird bug bunny butterfly cat chicken cow crab deer dog dolphin dragon duck elephant fish fox frog "
    "goat horse kitten lion monkey mouse owl parrot penguin pig pony puppy rabbit sheep snail snake spider squirrel "
    "tiger turtle whale wolf worm zebra"
)
PEOPLE = words_of("fairy ghost giant king knight pirate prince princess queen robot")
PLACES = words_of(
    "beach bridge castle cave farm forest garden hill hole house island jungle lake ocean path pond river road school "
    "shop street tent tower tree village"
)
FOODS = words_of("apple banana cake candy carrot cookie egg grape lemon mushroom nut onion orange pie potato")
# what is also a verb or an adjective in these stories, and is left where it stands
LEFT = words_of(
    "adventure drum fire game light orange party present race rain ring rock snow song star stick storm sun swing "
    "train watch water wave wind"
)
ODD = {"mouse": "mice", "leaf": "leaves", "scarf": "scarves", "wolf": "wolves", "sheep": "sheep", "fish": "fish",
       "deer": "deer", "potato": "potatoes"}  # fmt: skip
MOST = 3


def kind(word: str) -> tuple[str, ...]:
    """Return the things that a thing may be swapped for, itself among them; empty for what is left alone."""
    if word in LEFT or word in UNCOUNTED:
        return ()
    for group in (ANIMALS, PEOPLE, PLACES, FOODS):
        if word in group:
            return group
    return _OTHERS


_OTHERS = tuple(sorted(set(THINGS).difference(ANIMALS, PEOPLE, PLACES, FOODS, LEFT, UNCOUNTED)))


def plural(word: str) -> str:
    """Return the plural of one of `THINGS`."""
    if word in ODD:
        return ODD[word]
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def choose(words: Sequence[str], choice: random.Random, taken: Collection[str]) -> dict[str, str]:
    """Return one to three of `words` and what to put in their place; nothing is swapped for a word in `taken`."""
    able = [word for word in words if kind(word)]
    swaps: dict[str, str] = {}
    for word in choice.sample(able, min(len(able), choice.choice((1, 2, 2, MOST)))):
        free = sorted(set(kind(word)).difference(taken, swaps.values()))
        if free:
            swaps[word] = choice.choice(free)
    return swaps


def swap(text: str, swaps: Mapping[str, str]) -> str:
    """Return the text with each word swapped, in singular and plural, articles and capitals kept right."""
    forms: dict[str, str] = {}
    for old, new in swaps.items():
        forms[plural(old)] = plural(new)
        forms[old] = new
    if not forms:
        return text
    names = "|".join(sorted(map(re.escape, forms), key=len, reverse=True))

    def put(found: re.Match[str]) -> str:
        article, word = found[1] or "", found[2]
        new = forms[word.lower()]
        if article.strip().lower() in ("a", "an"):
            whole = with_article(new)
            return whole[0].upper() + whole[1:] if article[0].isupper() else whole
        return article + (new.capitalize() if word[0].isupper() else new)

    return re.sub(rf"\b(an? )?({names})\b", put, text, flags=re.IGNORECASE)
