"""A long text is cut into parts that fit and comes together as it was: lines, lists, blanks, sentences."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import parts


def short(most):
    return lambda piece: len(piece) <= most


def pieces(text, by="sentences", most=1000):
    return [part.text for part in parts.cut(text, by, short(most)) if part.text]


def shouted(text, by="sentences", most=1000):
    cut = parts.cut(text, by, short(most))
    return parts.joined(cut, [part.text.upper() for part in cut if part.text])


def test_a_line_is_cut_into_sentences_and_the_spaces_between_stay():
    assert pieces("I came.  I saw! Did I win? Yes") == ["I came.", "I saw!", "Did I win?", "Yes"]
    assert shouted("I came.  I saw! ") == "I CAME.  I SAW! "


@pytest.mark.parametrize("text", ["Mr. Smith met Dr. Who.", "It cost 3.50 and no more.", "J. R. Tolkien wrote.",
                                  "Wait... what is this", "He said e.g. this."])  # fmt: skip
def test_a_dot_that_ends_no_sentence_cuts_none(text):
    assert pieces(text) == [text]


def test_what_closes_a_quotation_belongs_to_its_sentence():
    assert pieces("“Go away!” He left.") == ["“Go away!”", "He left."]


def test_lists_headings_and_blank_lines_stay_as_they_were():
    text = "# Title\n\n- one thing\n  * another\n1. first\n2) second\n\n> said\r\n\tindented\n"
    assert pieces(text) == ["Title", "one thing", "another", "first", "second", "said", "indented"]
    assert shouted(text) == text.upper()


def test_lines_are_kept_whole_while_they_fit():
    text = "One. Two. Three.\nFour."
    assert pieces(text, "lines") == ["One. Two. Three.", "Four."]
    assert pieces(text, "lines", 10) == ["One. Two.", "Three.", "Four."]


def test_a_sentence_that_does_not_fit_is_cut_between_words_and_a_word_between_letters():
    assert pieces("the quick brown fox", most=9) == ["the quick", "brown fox"]
    assert pieces("abcdefghij", most=4) == ["abcd", "efgh", "ij"]


def test_part_of_a_text_is_joined_while_it_is_made():
    cut = parts.cut("- One. Two.\n- Three.", "sentences", short(100))
    assert parts.count(cut) == 3
    assert parts.joined(cut, []) == ""
    assert parts.joined(cut, ["Un.", "Deux."]) == "- Un. Deux."


def test_blank_text_has_no_part_for_a_model():
    assert parts.count(parts.cut(" \n\n", "sentences", short(5))) == 0


def test_a_word_longer_than_words_are_is_given_to_no_model_and_stays():
    noise, url = "x" * 61, f"https://a.b/{'c' * 60}"
    text = f"- One {noise}  two {url}.\n{noise}\n{noise} {noise}\nlast"
    cut = parts.cut(text, "sentences", short(20), parts.WORD_MOST)
    assert [part.text for part in cut] == ["One", "two", "last"]
    assert parts.joined(cut, ["Un", "deux", "fin"]) == text.replace("One", "Un").replace("two", "deux").replace(
        "last", "fin")  # fmt: skip
    assert parts.count(parts.cut(noise, "lines", short(20), parts.WORD_MOST)) == 0
    assert "".join(part.text for part in parts.cut("猫" * 90, "lines", short(20), parts.WORD_MOST)) == "猫" * 90
    assert pieces("x" * 61, most=100) == ["x" * 61]  # a classifier reads all


def test_words_that_stay_are_told():
    assert parts.overlong_notes("a text " + "y" * 60) == []
    assert "A word of 5,000 characters stays as it is" in parts.overlong_notes("y" * 5000)[0]
    assert "2 words of up to 80 characters stay" in parts.overlong_notes(f"{'y' * 80} a {'z' * 70}")[0]


@given(st.text(alphabet="ab .!?\n\t-1", max_size=80), st.integers(0, 6), st.integers(1, 30))
def test_unchanged_parts_around_words_that_stay_are_the_text_again(text, word_most, most):
    cut = parts.cut(text, "sentences", short(most), word_most)
    made = [part.text for part in cut if part.text]
    assert parts.joined(cut, made) == text
    assert all(0 < len(one) <= most and one == one.strip() for one in made)
    if word_most:
        assert all(len(word) <= word_most for one in made for word in one.split())


@given(st.text(alphabet="ab .!?\n\t-1)(é\"”>#\r", max_size=80), st.sampled_from(["sentences", "lines"]),
       st.integers(1, 30))  # fmt: skip
def test_unchanged_parts_are_the_text_again_and_each_fits(text, by, most):
    cut = parts.cut(text, by, short(most))
    made = [part.text for part in cut if part.text]
    assert parts.joined(cut, made) == text
    assert all(0 < len(one) <= most and one == one.strip() for one in made)


def test_a_text_that_a_cutter_may_stumble_over_takes_no_time():
    begun = time.process_time()
    for text in ("." * 100_000, ". " * 50_000, "- " * 50_000, "((" * 50_000, " " * 100_000 + "x", "\t" * 100_000):
        parts.cut(text, "sentences", short(10_000))
    assert time.process_time() - begun < 5
