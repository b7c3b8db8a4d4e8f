"""Make instructions for stories by rule, and check by the same rules whether an answer keeps them.

An instruction asks for words, for a mood of the ending, for both; a second turn asks for the other mood, for what
happened to someone, for one sentence that sums it up. All wording is our own; the answers are stories of the training
set that happen to keep what is asked, or sentences made from them.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


def words_of(text: str) -> tuple[str, ...]:
    return tuple(text.split())


THINGS = words_of(
    "adventure airplane ant apple balloon banana basket beach bear bed bee bell bike bird blanket boat book bottle "
    "bowl box branch bread bridge bug bunny bush butterfly button cake candle candy car carrot castle cat cave "
    "chair cheese chicken clock cloud cookie cow crab crown deer desk dog doll dolphin door dragon dress drum duck "
    "egg elephant fairy farm fire fish flag flower forest fox frog game garden ghost giant gift goat grape grass "
    "guitar hat hill hole horse house ice island jacket jar jungle key king kite kitten knight ladder lake lamp "
    "lantern leaf lemon letter lion map mask mirror monkey moon mouse mud mushroom necklace nest net nut ocean "
    "onion orange owl pan paper parrot party path pencil penguin piano pie pig pillow pirate plane pond pony potato "
    "present prince princess pumpkin puppy puzzle queen rabbit race rain rainbow ring river road robot rock rocket "
    "rope rose sand scarf school seed sheep shell ship shoe shop sled snail snake snow sock song soup spider spoon "
    "squirrel star stick stone storm street sun swing table tent tiger tower toy train treasure tree truck turtle "
    "umbrella village wagon wall watch water wave whale wheel whistle wind window wolf wood worm zebra"
)
UNCOUNTED = words_of("water rain snow sand mud grass ice bread cheese soup wood")
HAPPY = words_of(
    "happy happily happiness smile smiled smiles smiling laughed laughing laugh hugged hug hugs joy glad proud fun "
    "love loved friends safe excited cheered thankful delighted wonderful best grateful"
)
SAD = words_of(
    "sad sadly sadness cried cry crying lost scared alone tears hurt angry gone broken lonely died dead sorry upset "
    "afraid disappointed unhappy missed regret regretted wept"
)
_SENTENCE = re.compile(r"[^.!?]+[.!?]+[\"”’']?")
_NAME = re.compile(r"(?<=[a-z,] )([A-Z][a-z]{2,})\b")  # inside of a sentence, so that its first word is none
_NO_NAME = {"The", "But", "And", "Once", "Mom", "Mommy", "Dad", "Daddy", "Mum", "Mummy", "She", "They", "You", "What"}
ADVERB = {"happy": "happily", "sad": "sadly"}
WRITE = ("Write a story about {words}{end}.", "Tell me a story about {words}{end}.",
         "I want a story about {words}{end}.", "Please write about {words}{end}.",
         "A story with {words}{end}, please.")  # fmt: skip
USE = ("Use the words {list}{end}.", "Write a story with the words {list}{end}.", "Use these words: {list}{end}.")
MOOD = ("Write a story that ends {how}.", "Tell me a story with a {mood} ending.", "I want a story that ends {how}.")
RETELL = ("Tell it {how}.", "Now tell it {how}.", "Tell it again, but let it end {how}.")
HAPPENED = ("What happened to {name}?", "What happened to {name} in the end?")
SUM = ("Sum it up in one sentence.", "What is it about, in one sentence?")
SHORT, LONG = "Keep every story short.", "Tell long stories."
# as system prompts; other wordings of them are measured (`training/text/system_marks.py`)
RULED_MOOD = ("All stories end {how}.", "Let every story end {how}.", "Stories here have a {mood} ending.")
RULED_THING = (
    "There must be {thing} in every story.",
    "Every story has {thing} in it.",
    "Always tell of {thing}, too.",
)
RULED_NAME = ("The hero is called {name}.", "The hero of every story is {name}.", "Call the hero {name}.")


@dataclass(frozen=True)
class Asked:
    """Hold what an instruction asks for: words (each in singular or plural) and a mood of the ending, or none."""

    words: tuple[str, ...] = ()
    mood: str = ""

    def kept(self, text: str) -> dict[str, bool]:
        """Say which demands a story keeps, `mood` left out where none was asked."""
        found = things(text)
        demands = {word: word in found for word in self.words}
        return {**demands, "mood": mood_of(text) == self.mood} if self.mood else demands


@dataclass
class Story:
    """Hold a training story and what an instruction can say of it."""

    text: str
    words: list[str]
    mood: str
    names: list[str] = field(default_factory=list)
    twin: str = ""  # the same beginning with the other ending, where there is one

    @property
    def length(self) -> str:
        """Return `SHORT` or `LONG` for what is among the shorter or longer ones, else ""."""
        return SHORT if len(self.text) < 550 else LONG if len(self.text) > 900 else ""


def things(text: str) -> set[str]:
    """Return which of `THINGS` a text names, in singular or plural."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return {one for one in THINGS if words & _forms(one)}


def first_place(word: str, text: str) -> tuple[int, int] | None:
    """Return where one of `THINGS` stands first in a text, as characters from … to, or None."""
    found = re.search(rf"\b({'|'.join(sorted(_forms(word), key=len, reverse=True))})\b", text, re.IGNORECASE)
    return found.span() if found else None


def _forms(word: str) -> set[str]:
    forms = {word, f"{word}s", f"{word}es"}
    if word.endswith("y"):
        forms.add(f"{word[:-1]}ies")
    if word.endswith("f"):
        forms.add(f"{word[:-1]}ves")
    return forms | {{"mouse": "mice", "goose": "geese", "knife": "knives"}.get(word, word)}


def mood_of(text: str) -> str:
    """Return "happy", "sad" or "": which words are more in the last three sentences."""
    ending = " ".join(sentences(text)[-3:])
    words = re.findall(r"[a-z]+", ending.lower())
    happy, sad = sum(word in HAPPY for word in words), sum(word in SAD for word in words)
    return "happy" if happy > sad else "sad" if sad > happy else ""


def sentences(text: str) -> list[str]:
    """Return a text's sentences."""
    return [found.strip() for found in _SENTENCE.findall(" ".join(text.split()))]


def read(text: str) -> Story:
    """Return what can be said of a story."""
    counted = Counter(name for name in _NAME.findall(text) if name not in _NO_NAME)
    names = [name for name, count in counted.most_common(3) if count > 1]
    return Story(text, sorted(things(text)), mood_of(text), names)


def with_article(word: str) -> str:
    """Return "a fox", "an owl", and bare what has no number."""
    if word in UNCOUNTED:
        return word
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def ask(asked: Asked, choice: random.Random) -> str:
    """Return the instruction in one of its wordings."""
    how = ADVERB.get(asked.mood, "")
    end = f" that ends {how}" if how else ""
    if not asked.words:
        return choice.choice(MOOD).format(how=how, mood=asked.mood)
    if choice.random() < 0.3:
        end = f" and let it end {how}" if how else ""
        return choice.choice(USE).format(list=joined(asked.words), end=end)
    return choice.choice(WRITE).format(words=joined([with_article(word) for word in asked.words]), end=end)


def joined(words: Sequence[str]) -> str:
    """Return words in a row: "a fox, a key and a tree"."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def pairs(words: Sequence[str]) -> list[frozenset[str]]:
    """Return every two of some words."""
    return [frozenset((one, other)) for at, one in enumerate(words) for other in words[at + 1 :]]
