"""Openings by rule: they name what is asked for, call girls "she" and boys "he", and begin in many ways."""

import random
import re
from collections import Counter

import pytest

from training.text.instructions import THINGS, things
from training.text.story_answers import holds_together
from training.text.story_openings import BOYS, GIRLS, Opening, opening


def drawn(count, seed=0):
    choice = random.Random(seed)
    asked = [choice.sample(THINGS, choice.choice((1, 2, 2, 3))) for _ in range(count)]
    return [(words, opening(words, choice)) for words in asked]


def test_an_opening_names_every_word():
    for words, begun in drawn(2000):
        assert set(words) <= things(begun.text), begun.text
        assert "{" not in begun.text
        assert re.fullmatch(r"[A-Z][^.]+\.( [A-Z][^.]+\.){0,2}", begun.text), begun.text


def test_girls_have_names_of_girls_and_nobody_is_he_and_she():
    for _, begun in drawn(2000):
        words = set(re.findall(r"[a-z]+", begun.text.lower()))
        if begun.kind == "girl":
            assert begun.name in GIRLS
            assert not words & {"he", "his", "him", "boy"}
        elif begun.kind == "boy":
            assert begun.name in BOYS
            assert not words & {"she", "her", "girl"}
        else:
            assert not set(re.findall("[A-Z][a-z]+", begun.text)) & {*GIRLS, *BOYS}


def test_no_six_words_begin_more_than_six_in_a_hundred():
    begun = [" ".join(one.text.split()[:6]) for _, one in drawn(4000)]
    assert Counter(begun).most_common(1)[0][1] / len(begun) < 0.06


@pytest.mark.parametrize(
    ("rest", "kept"),
    [(" Mia ran. Mia sang and she smiled.", True), (" Mia ran. Mia smiled as he sang.", False),
     (" Sue ran. Sue fell. Sue cried.", False)],
)  # fmt: skip
def test_a_story_holds_together_where_its_hero_stays_the_same(rest, kept):
    begun = Opening("There lived a girl named Mia.", "Mia", "girl")
    assert holds_together(begun.text + rest, begun) is kept
    assert holds_together(begun.text + rest, Opening("There lived a fox."))
