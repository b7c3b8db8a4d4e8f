"""Give the people of a story other names: nothing but the story itself then tells how its hero is called.

A net that has read a story several times knows its names by heart and never learns to look them up. Girls get names of
girls and boys those of boys, so that "she" and "he" stay right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence

from training.text.story_data import Stories
from training.text.story_marks import known_names

MOST = 60  # names of girls, and as many of boys, to choose from
TITLES = frozenset({"Mr", "Mrs", "Miss", "Will", "May", "Big", "Little", "Judge", "Youth"})  # what is more than a name
_NAME = re.compile(r"\b[A-Z][a-z]+\b")


class Names:
    """Hold the names of girls and boys that stories use."""

    def __init__(self, girls: Collection[str], boys: Collection[str]) -> None:
        self._groups = [sorted(set(names) - TITLES) for names in (girls, boys)]
        self._group = {name: group for group in self._groups for name in group}

    @classmethod
    def of(cls, stories: Stories) -> Names:
        """Return the commonest names of the training stories."""
        girls, boys, _ = known_names(stories.train + stories.extra, MOST)
        return cls(girls, boys)

    def swapped(self, story: str, choice: random.Random) -> str:
        """Return the story with each name of a girl or boy swapped for another that it does not use."""
        words = set(_NAME.findall(story))
        swaps: dict[str, str] = {}
        for name in sorted(words & self._group.keys()):
            free = [one for one in self._group[name] if one not in words and one not in swaps.values()]
            if free:
                swaps[name] = choice.choice(free)
        return _NAME.sub(lambda found: swaps.get(found[0], found[0]), story) if swaps else story


class Renamed(Sequence[list[int]]):
    """Deal stories as token ids, a share of them with other names, drawn anew whenever one is asked for."""

    def __init__(
        self, texts: Sequence[str], encoded: Sequence[list[int]], names: Names, share: float, choice: random.Random,
        encode: Callable[[list[str]], list[list[int]]],
    ) -> None:  # fmt: skip
        self._texts, self._encoded, self._names = texts, encoded, names
        self._share, self._choice, self._encode = share, choice, encode

    def __len__(self) -> int:
        """Return the number of stories."""
        return len(self._encoded)

    def __getitem__(self, at: int) -> list[int]:  # type: ignore[override]
        """Return one story's token ids."""
        if self._choice.random() >= self._share:
            return self._encoded[at]
        return self._encode([self._names.swapped(self._texts[at], self._choice)])[0]
