"""Stories with other names: who a girl was stays a girl, nobody else is renamed, and every reading draws anew."""

import random

from training.text.name_swap import Names, Renamed
from training.text.story_data import Stories

NAMES = Names(["Mia", "Lily", "Anna"], ["Tom", "Ben", "Mr"])
STORY = "Mia had a dog named Rex. Mia's friend Tom saw Mia. Mr Fox said hello to Tomorrow."


def test_girls_get_names_of_girls_and_boys_of_boys_wherever_they_stand():
    for seed in range(20):
        told = NAMES.swapped(STORY, random.Random(seed))
        girl = told.split()[0]
        assert girl in ("Lily", "Anna")
        assert told == STORY.replace("Mia", girl).replace("Tom ", "Ben ")


def test_two_people_never_get_one_name():
    names = Names(["Mia", "Lily", "Anna", "Sue"], [])
    for seed in range(20):
        told = names.swapped("Mia met Lily.", random.Random(seed))
        assert set(told[:-1].split(" met ")) == {"Anna", "Sue"}


def test_a_story_stays_where_no_other_name_is_free():
    assert NAMES.swapped("Tom met Ben.", random.Random(0)) == "Tom met Ben."
    assert NAMES.swapped("A fox ran.", random.Random(0)) == "A fox ran."


def test_names_are_those_of_the_stories_that_are_learnt_from():
    told = "A girl named Mia. A girl named Zoe. A boy named Tom. A boy named Will."
    assert Names.of(Stories([told], ["A girl named Mia."], [], 0)).swapped("Mia saw Will.", random.Random(0)) == (
        "Zoe saw Will."
    )


def encode(texts):
    return [[ord(letter) for letter in text] for text in texts]


def read(dealt):
    return ["".join(map(chr, ids)) for ids in dealt]


def test_a_share_of_the_stories_is_renamed_at_each_reading():
    texts = [STORY] * 400
    dealt = Renamed(texts, encode(texts), NAMES, 0.25, random.Random(0), encode)
    first, second = read(dealt), read(dealt)
    assert len(first) == len(dealt) == 400
    assert 0.15 < sum(text != STORY for text in first) / 400 < 0.35
    assert first != second


def test_nothing_is_renamed_where_no_share_is_asked_for():
    dealt = Renamed([STORY], encode([STORY]), NAMES, 0.0, random.Random(0), encode)
    assert read([dealt[0]]) == [STORY]
