"""What is measured of texts: exact small values, bounds, and what does not change them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import measures
from models.text.kept import Kept, pack
from models.types import Output

TEXTS = st.text(alphabet="ab .!?'é\n-", max_size=120)


def text(words, prompt=""):
    return Output("text", text=prompt + words, meta={"prompt_chars": len(prompt)})


def value(name, *outputs):
    return next(one for one in measures.MEASURES if one.name == name).of(*outputs)


def test_what_small_texts_measure():
    hen = text(" The hen sat. The hen, the hen sat! And", prompt="Once.")
    assert value("words", hen) == 9
    assert value("characters", hen) == 38
    assert value("sentences", hen) == 3
    assert value("distinct_1", hen) == 4 / 9
    assert value("distinct_2", hen) == 5 / 8  # the hen, hen sat, sat the, hen the, sat and
    assert value("distinct_3", hen) == 6 / 7
    assert value("repetition", text("a b c d a b c d a b c d")) == pytest.approx(5 / 9)  # 4 of 9 phrases are new
    assert value("repetition", text("it's a well-known word")) == 0
    assert value("repetition", text("too few words")) is None
    assert value("distinct_2", text("one")) is None


def test_the_prompt_is_not_measured():
    for name in ("words", "characters", "sentences", "distinct_1"):
        assert value(name, text("a hen sat", prompt="Once. Twice. ")) == value(name, text("a hen sat")), name


@pytest.mark.parametrize(("said", "many"), [
    ("", 0), ("…", 1), ("Hi", 1), ("Hi.", 1), ("“No!” he said. Go", 2), ("What?! Yes.", 2), ("1.5 litres.", 1),
    ("the hen sat. it slept", 2),
])  # fmt: skip
def test_sentences(said, many):
    assert value("sentences", text(said)) == many


@given(TEXTS)
def test_shares_are_shares_and_case_does_not_matter(said):
    for name in ("distinct_1", "distinct_2", "distinct_3", "repetition"):
        found = value(name, text(said))
        assert found is None or 0 <= found <= 1
        assert found == value(name, text(said.upper().replace("É", "é")))
    once, twice = (value("repetition", text(f"{said} {extra}")) for extra in ("", said))
    assert once is None or twice >= once  # said again, nothing becomes rarer
    assert value("words", text(said)) <= value("characters", text(said)) or not said.strip()


def logits(kept):
    return Output("view", data=pack(kept), meta={"what": "logits"})


def test_surprise_is_that_of_the_logits():
    even = Kept(np.zeros((3, 8), np.float16), np.array([0, 5, 7], np.int32), np.array([1], np.int32))
    assert value("bits_per_token", logits(even)) == pytest.approx(3)
    sure = np.zeros((1, 2), np.float16)
    sure[0, 1] = np.log(3)
    of = [Kept(sure, np.array([at], np.int32), np.array([], np.int32)) for at in (0, 1)]
    assert value("bits_per_token", logits(of[0])) == pytest.approx(2, abs=1e-3)
    assert value("bits_per_token", logits(of[1])) == pytest.approx(np.log2(4 / 3), abs=1e-3)
    assert value("bits_per_token", Output("view", data=b"{}", meta={"what": "mel"})) is None


def test_surprise_of_a_large_vocabulary_counts_what_was_left_out():
    whole = np.array([[3.0, 2.0, 1.0, 0.0]], np.float16)
    part = Kept(whole[:, :2], np.array([1], np.int32), np.array([], np.int32), columns=np.array([[0, 1]], np.int32),
                rest=np.log(np.exp([1.0, 0.0]).sum(keepdims=True)).astype(np.float32))  # fmt: skip
    full = Kept(whole, np.array([1], np.int32), np.array([], np.int32))
    assert value("bits_per_token", logits(part)) == pytest.approx(value("bits_per_token", logits(full)), abs=1e-3)


def test_changed_words_count_those_that_two_texts_do_not_share_in_order():
    hen = text(" A hen sat here", prompt="Once.")
    assert value("changed_words", hen, text("A hen sat here")) == 0
    assert value("changed_words", hen, text("A hen sat there.")) == 1 - 2 * 3 / 8
    assert value("changed_words", hen, text("no word alike")) == 1
    assert value("changed_words", hen, text("")) == 1
    assert value("changed_words", text(""), text(" ")) == 0


@given(TEXTS, TEXTS)
def test_changed_words_are_a_share_and_the_same_from_both_sides(one, other):
    found = value("changed_words", text(one), text(other))
    assert 0 <= found <= 1
    assert found == value("changed_words", text(other), text(one))
    assert value("changed_words", text(one), text(one)) == 0


def test_alike_up_to_the_first_character_that_differs_behind_the_prompt():
    hen = text(" A hen sat", prompt="Once.")
    assert value("alike_characters", hen, text("A hen sang")) == 8
    assert value("alike_characters", hen, text("A hen")) == 5
    assert value("alike_characters", hen, hen) == 9
    assert value("alike_characters", hen, text("")) == 0
