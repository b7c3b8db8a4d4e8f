"""Openings by rule that name the things a story is to be about: who, and how the things come in, in many wordings.

What is learnt from them becomes how every story begins; so no six words begin more than a few in a hundred of them,
girls have names of girls and boys those of boys, and an animal or a king that is asked for may be the hero itself.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from training.text.instructions import joined, with_article
from training.text.word_swap import ANIMALS, PEOPLE

GIRLS = ("Lily", "Mia", "Anna", "Sue", "Lucy", "Ella", "Amy", "Sally", "Jane", "Sarah", "Emma", "Molly")
BOYS = ("Tom", "Ben", "Tim", "Jack", "Leo", "Bob", "Billy", "Joe", "John", "Jake", "Timmy", "Andy")
NAMES = GIRLS + BOYS
ADJECTIVES = ("happy", "curious", "kind", "brave", "shy", "clever", "lazy", "tiny", "cheerful", "gentle")
WEATHERS = ("sunny", "cold", "rainy", "windy", "warm", "quiet")
STARTS = (
    "{name} was a {adjective} {kind}.",
    "There lived a {kind} named {name}.",
    "One day, {name} went for a walk.",
    "Long ago, a {kind} called {name} lived in a small house.",
    "It was a {weather} day, and {name} was bored.",
    "Every morning, {name} ran outside to play.",
    "A little {kind} named {name} could not sleep.",
    "{name} and {his} mom went to the market.",
    "{name} and {his} dad were on a trip.",
    "Today was {name}'s birthday.",
    "Once there was a {adjective} {kind} named {name}.",
    "In a town by the sea lived a {kind} named {name}.",
    "On a {weather} morning, {name} woke up early.",
    "{name} liked to ask many questions.",
    "When {name} was five, {he} moved to a new house.",
    "After lunch, {name} went into the yard.",
    "Mom called {name} to the window.",
    "{name} had a big dream.",
    "Last summer, {name} stayed with {his} grandma.",
    "Behind {name}'s house there was an old shed.",
    "The rain had stopped, and {name} put on {his} boots.",
    "Nobody in the village was as {adjective} as {name}.",
    "Once upon a time, there was a {kind} named {name}.",
    "Far away, in a green valley, lived a {kind} called {name}.",
    "{name} was playing outside with {his} friend.",
    "{name} wanted to do something new.",
    "Early one morning, {name} heard a noise.",
    "As the sun went down, {name} looked out of the window.",
    "On the way home from school, {name} stopped.",
    "One {weather} afternoon, {name} took {his} little bag and left the house.",
)
BRINGS = (
    "{He} found {all}.", "There {he} saw {all}.", "{He} wanted {all} more than anything.", "{He} had {all}.",
    "All {he} could think of was {all}.", "{He} loved {all}.", "Near the gate {he} saw {all}.",
    "{His} friend had told {him} about {all}.", "Then {he} came upon {all}.", "{He} was looking for {all}.",
    "{He} asked everyone about {all}.", "{He} had always wished for {all}.",
)  # fmt: skip
THEN = (" Then {he} saw {others}, too.", " Not far away there was {others}.", " Near it there was {others}.",
        " Beside it {he} found {others}.")  # fmt: skip
HEROES = (
    "{A_first} lived at the edge of the woods.", "Deep in the valley lived {first}.",
    "Long ago, {first} went on a trip.",
    "The {hero} was very {adjective} today.", "Everybody knew the {adjective} {hero} on the hill.",
    "One night, {first} could not sleep.", "{A_first} had no friends.", "Once upon a time, there was {first}.",
    "A {adjective} {hero} sat alone and thought.", "On a {weather} day, {first} woke up hungry.",
)  # fmt: skip
MEETS = (" The {hero} found {others}.", " The {hero} wanted {others}.", " Not far away there was {others}.",
         " One day the {hero} saw {others}.")  # fmt: skip
ALONE = (" The {hero} looked around.", " Then the {hero} had an idea.", " One day, the {hero} went out.", "")


@dataclass(frozen=True)
class Opening:
    """Hold an opening's text and whom it is about: a name and "girl" or "boy"; both are "" of a thing."""

    text: str
    name: str = ""
    kind: str = ""


def opening(words: Sequence[str], choice: random.Random) -> Opening:
    """Return one to three sentences that name all the words (of `instructions.THINGS`)."""
    heroes = [word for word in words if word in ANIMALS or word in PEOPLE]
    if heroes and choice.random() < 0.6:
        return _of_thing(choice.choice(heroes), words, choice)
    kind = choice.choice(("girl", "boy"))
    name = choice.choice(GIRLS if kind == "girl" else BOYS)
    he, his, him = ("she", "her", "her") if kind == "girl" else ("he", "his", "him")
    named = [with_article(word) for word in words]
    start, bring = choice.choice(STARTS), choice.choice(BRINGS)
    then = ""
    if len(named) > 1 and choice.random() < 0.5:
        then = choice.choice(THEN).format(he=he, others=joined(named[1:]))
        named = named[:1]
    text = f"{start} {bring}".format(
        name=name, kind=kind, he=he, He=he.capitalize(), his=his, His=his.capitalize(), him=him, all=joined(named),
        adjective=choice.choice(ADJECTIVES), weather=choice.choice(WEATHERS),
    )  # fmt: skip
    return Opening(text + then, name, kind)


def _of_thing(hero: str, words: Sequence[str], choice: random.Random) -> Opening:
    others = [with_article(word) for word in words if word != hero]
    first, adjective = with_article(hero), choice.choice(ADJECTIVES)
    text = choice.choice(HEROES) + choice.choice(MEETS if others else ALONE)
    return Opening(
        text.format(
            first=first, A_first=first.capitalize(), hero=hero, others=joined(others) if others else "",
            adjective=adjective, weather=choice.choice(WEATHERS),
        )
    )  # fmt: skip
