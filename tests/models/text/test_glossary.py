"""A glossary's entries, and where their words stand in a text."""

from models.text import glossary
from models.text.glossary import Entry


def test_entries_keep_a_word_or_put_another_for_it():
    assert glossary.read(["Anna", " cat = minet ", "", "=x", "dog =", "New York"]) == [
        Entry("Anna", "Anna"), Entry("cat", "minet"), Entry("New York", "New York"),
    ]  # fmt: skip


def test_words_are_found_whatever_stands_around_them():
    words = ["In", " new", " YORK,", " (New", " York)", " newer"]
    assert glossary.places(words, "New York") == [range(1, 3), range(3, 5)]
    assert glossary.places(words, "") == []


def test_a_word_is_put_within_the_signs_around_the_old_one():
    assert glossary.put(" «minet».", "Tom") == " «Tom»."
    assert glossary.put(" …", "Tom") == " …Tom"
