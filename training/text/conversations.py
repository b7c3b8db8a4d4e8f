"""Draw conversations to learn from: instructions with stories that keep them, and second turns.

The stories are those of the training set that happen to keep what is asked, and stories made for it
(`training/text/story_answers.py`); in either, the things may be swapped for others (`training/text/word_swap.py`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from training.text import word_swap
from training.text.instructions import (
    ADVERB,
    HAPPENED,
    RETELL,
    RULED_MOOD,
    RULED_NAME,
    RULED_THING,
    SUM,
    Asked,
    Story,
    ask,
    joined,
    pairs,
    read,
    sentences,
    things,
    with_article,
)

RULED = 0.3  # share of conversations with a system prompt
MADE = 0.7  # share of conversations about stories that were made for them


class Conversations:
    """Draw conversations whose answers are training stories; those that end sadly come `often` times as often.

    `made` are stories that were made for words, some with a second, sad ending: `MADE` of the conversations are
    theirs. In the share `swapped` of all, things are swapped for others, but never so that a pair in `kept` is asked
    for.
    """

    def __init__(
        self, texts: Sequence[str], often: int = 4, made: Sequence[dict[str, Any]] = (), swapped: float = 0.0,
        kept: Collection[frozenset[str]] = (),
    ) -> None:  # fmt: skip
        self.made = [replace(read(one["text"]), words=list(one["words"])) for one in made]
        self.made += [story for story in self.made if story.mood == "sad" for _ in range(often - 1)]
        for one in made:
            if "sad" in one:
                self.made.append(replace(read(one["sad"]), words=list(one["words"]), twin=one["text"]))
        other = {one["text"]: one["sad"] for one in made if "sad" in one}
        self.made = [replace(story, twin=other.get(story.text, story.twin)) for story in self.made]
        self.swapped, self.kept = swapped, frozenset(kept)
        self.stories = [read(text) for text in texts]
        self.pool = [at for at, story in enumerate(self.stories) for _ in range(often if story.mood == "sad" else 1)]
        self._with: dict[tuple[str, str], list[int]] = {}
        for at, story in enumerate(self.stories):
            for word in story.words:
                self._with.setdefault((word, story.mood), []).append(at)

    def draw(self, choice: random.Random) -> list[dict[str, str]]:
        """Return one conversation: `role` and `content` of each message."""
        made = bool(self.made) and choice.random() < MADE
        story = choice.choice(self.made) if made else self.stories[choice.choice(self.pool)]
        whole = made
        if choice.random() < self.swapped and (other := self._swap(story, choice, made)):
            story, whole = other, True
        asked = self.asked_of(story, choice, whole=whole)
        messages = []
        if choice.random() < RULED and (ruled := rule(story, asked, choice)) is not None:
            system, asked = ruled
            messages.append({"role": "system", "content": system})
        messages += [{"role": "user", "content": ask(asked, choice)}, {"role": "assistant", "content": story.text}]
        if choice.random() < 0.35:
            messages += self._second(story, asked, choice)
        return messages

    def _swap(self, story: Story, choice: random.Random, made: bool) -> Story | None:
        """Return the story about other things, its words those to ask for; None if only kept pairs came up."""
        taken = things(story.text) | things(story.twin)
        for _ in range(8):
            swaps = word_swap.choose(story.words, choice, taken)
            words = [swaps.get(word, word) for word in story.words] if made else list(swaps.values())
            if words and not self.kept & set(pairs(words)):
                text, twin = word_swap.swap(story.text, swaps), word_swap.swap(story.twin, swaps)
                return replace(read(text), twin=twin, words=words)  # names may have been things
        return None

    def asked_of(self, story: Story, choice: random.Random, whole: bool = False) -> Asked:
        """Return demands that a story keeps; `whole`: with all its words."""
        count = len(story.words) if whole else min(len(story.words), choice.choice((1, 2, 2, 3, 3, 4)))
        words = tuple(choice.sample(story.words, count)) if choice.random() < 0.93 else ()
        mood = story.mood if not words or choice.random() < 0.6 else ""
        if not words and not mood:
            words = tuple(story.words[:1])
        return Asked(words, mood) if words or mood else Asked((), "happy")

    def _second(self, story: Story, asked: Asked, choice: random.Random) -> list[dict[str, str]]:
        other = {"happy": "sad", "sad": "happy"}.get(story.mood, "happy")
        told = [at for word in asked.words for at in self._with.get((word, other), [])]
        kinds = ["sum"] + ["retell"] * 2 * bool(told or story.twin) + ["happened"] * bool(story.names)
        kind = choice.choice(kinds)
        if kind == "retell":
            question = choice.choice(RETELL).format(how=ADVERB[other])
            if story.twin:
                return [{"role": "user", "content": question}, {"role": "assistant", "content": story.twin}]
            # the one that shares the most words of those asked for
            some = choice.sample(told, min(8, len(told)))
            best = max(some, key=lambda at: len(set(asked.words) & set(self.stories[at].words)))
            answer = self.stories[best].text
        elif kind == "happened":
            name = story.names[0]
            question = choice.choice(HAPPENED).format(name=name)
            answer = next(one for one in reversed(sentences(story.text)) if name in one)
        else:
            question, answer = choice.choice(SUM), summary(story)
        return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def rule(story: Story, asked: Asked, choice: random.Random) -> tuple[str, Asked] | None:
    """Return a system prompt that a story keeps and what is left to ask for beside it; None where none fits."""
    found: list[tuple[str, Asked]] = []
    if story.length:
        found.append((story.length, asked))
    if story.names:
        found.append((choice.choice(RULED_NAME).format(name=story.names[0]), asked))
    if story.mood and asked.words:
        told = choice.choice(RULED_MOOD).format(how=ADVERB[story.mood], mood=story.mood)
        found.append((told, replace(asked, mood="")))
    if len(asked.words) > 1:
        thing, *rest = choice.sample(asked.words, len(asked.words))
        told = choice.choice(RULED_THING).format(thing=with_article(thing))
        found.append((told, replace(asked, words=tuple(rest))))
    return choice.choice(found) if found else None


def summary(story: Story) -> str:
    """Return one sentence made from what a story names: "Lily, a bird and a tree: it ends happily."."""
    about = [*story.names[:1], *(with_article(word) for word in story.words[:3])] or ["a day"]
    end = {"happy": ", and it ends happily", "sad": ", and it ends sadly"}.get(story.mood, "")
    return f"It is about {joined(about)}{end}."


def held_out(conversations: Conversations, count: int, seed: int = 1) -> list[tuple[str, Asked]]:
    """Return `count` instructions, half of them with a mood.

    A quarter asks for one word, half for two and a quarter for three that stand together in no training story.
    """
    choice = random.Random(seed)
    known = Counter(word for story in conversations.stories for word in story.words)
    common = sorted(word for word, times in known.items() if times >= 30)
    together = {pair for story in conversations.stories for pair in pairs(story.words)}
    found: list[tuple[str, Asked]] = []
    while len(found) < count:
        words = tuple(choice.sample(common, (1, 2, 2, 3)[len(found) % 4]))
        if len(words) > 1 and any(pair in together for pair in pairs(words)):
            continue
        asked = Asked(words, choice.choice(("happy", "sad", "", "")))
        found.append((ask(asked, choice), asked))
    return found
