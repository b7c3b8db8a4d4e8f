"""Texts in a script or language that a translator does not read get a sentence; those that it reads get none."""

import pytest

from models.text import languages


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The weather is nice today and we are going to the sea.", ""),
        ("Zoë", ""),  # too short to tell
        ("Hello", ""),
        ("", ""),
        ("Das ist nicht ein Hund und wir sind auf dem Weg", "looks like German"),
        ("le chat est sur le lit et il dort", "like French; this model reads English alone."),
        ("Кошка сидит на коврике", "Cyrillic; this model reads English"),
        ("猫はマットの上に座っています", "this model reads English"),
        ("12:30 — 45 %", "not a letter"),
    ],
)  # fmt: skip
def test_english_into_french(text, words):
    found = languages.warnings(text, ["en", "fr"])
    assert (words in found[0]) if words else found == []


def test_a_language_of_another_script_is_read_in_it():
    assert languages.warnings("Кошка сидит на коврике", ["ru", "en"]) == []
    assert "are Latin; this model reads Russian" in languages.warnings("the cat sat", ["ru", "en"])[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [("A lovely film, and well played.", ""), ("Hi", ""), ("", ""), ("café", ""), ("???", "not a letter"),
     ("😀😀", "not a letter"), ("Очень хороший фильм", "Most letters of this text are Cyrillic")],
)  # fmt: skip
def test_what_a_model_that_reads_english_cannot_read(text, words):
    found = languages.unreadable(text, ["en"])
    assert (words in found) if words else found == ""


def test_a_model_with_labels_is_told_of_another_language_before_it_runs():
    assert "This text looks like French" in languages.unread("le film est beau et il ne faut pas le rater", ["en"])[0]
    assert languages.unread("le film est beau et il ne faut pas le rater", ["en", "fr"]) == []
    assert languages.unread("Очень хороший фильм", []) == []
    assert "means nothing" in languages.unread("???", [])[0]
    assert "it gets no label" in languages.unread("???", ["en"])[0]


def test_a_model_that_tells_no_languages_is_told_nothing():
    assert languages.warnings("Кошка", []) == []
    assert languages.name_of("xx") == "xx"
