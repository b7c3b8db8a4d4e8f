"""What a tune model is measured by: bits by kind, bars that do not end; rare kinds are drawn more often."""

import math
import random
from collections import Counter

import pytest
import torch

from training.audio.folk import HEAVIEST, Rows, make_model, make_tokenizer
from training.audio.folk_marks import by_kind, held_out_bits, like_training, longest_run, sample
from training.audio.tune_data import Collection, Source
from training.dropout import drop_residuals


def read_words(text):
    return text.split()


BARS = read_words("|: d2 e f2 g | a2 g f2 e | d2 e f2 g | a2 g f2 e :|")


@pytest.mark.parametrize(
    ("bars", "most"),
    [("|: a | a | a :|", 3), ("|: a | b | a :|", 1), ("|: a | a :| |: a ||", 3), ("|: a b | a b [1 c :| [2 c ||", 2),
     ("", 0)],
)  # fmt: skip
def test_bars_in_a_row_are_counted_over_signs_of_repeat(bars, most):
    assert longest_run(f"M:6/8 K:Dmaj R:jig {bars}") == most


def many(**kinds):
    made = [Source(f"{kind} {n}", "6/8", "D", "maj", kind, BARS) for kind, count in kinds.items() for n in range(count)]
    return Collection(train=made)


def test_rare_kinds_are_drawn_more_often_within_a_bound():
    rows = Rows(many(jig=400, reel=100, march=4))
    choice = random.Random(0)
    drawn = Counter(rows.draw(choice)[2] for _ in range(4000))
    told = drawn["R:jig"] + drawn["R:reel"] + drawn["R:march"]
    assert 0.15 < drawn["R:any"] / 4000 < 0.25  # a fifth is not told
    # by the roots of their numbers: 20, 10, 2 of 32
    assert drawn["R:jig"] / told == pytest.approx(20 / 32, abs=0.04)
    assert drawn["R:march"] / told == pytest.approx(2 / 32, abs=0.02)
    lone = Rows(many(jig=10_000, march=1))
    share = sum(Rows.draw(lone, choice)[2] == "R:march" for _ in range(20_000)) / 20_000
    assert share < 2 * HEAVIEST / 10_001 + 0.001


def test_half_of_the_unnamed_tunes_in_three_four_time_are_told_as_waltzes():
    waltz = Source("x", "3/4", "D", "maj", "any", read_words("|: d2 e2 f2 | a2 g2 f2 :|"))
    rows = Rows(Collection(train=[waltz] * 30))
    drawn = Counter(rows.draw(random.Random(n))[2] for n in range(1000))
    assert drawn["R:waltz"] / 1000 == pytest.approx(0.4, abs=0.05)
    assert set(drawn) == {"R:waltz", "R:any"}


@pytest.fixture(scope="module")
def toy():
    found = many(jig=30, reel=30)
    tokenizer = make_tokenizer(Rows(found))
    torch.manual_seed(0)
    return found, tokenizer, make_model("gpt", tokenizer).eval()


def test_bits_by_kind_are_parts_of_the_whole(toy):
    found, tokenizer, model = toy
    held_out = found.train[:3] + found.train[30:32]
    kinds = by_kind(model, tokenizer, held_out)
    assert {name: many for name, (_, many) in kinds.items()} == {"jig": 3, "reel": 2, "major": 5, "D major": 5}
    whole = held_out_bits(model, tokenizer, held_out)
    assert kinds["major"][0] == pytest.approx(whole, abs=1e-3)
    assert (3 * kinds["jig"][0] + 2 * kinds["reel"][0]) / 5 == pytest.approx(whole, abs=1e-3)  # all are as long
    assert 0.5 * math.log2(len(tokenizer)) < whole < 2 * math.log2(len(tokenizer))  # it has learnt nothing


def test_a_tune_with_an_unknown_word_is_left_out(toy):
    found, tokenizer, model = toy
    odd = Source("x", "6/8", "D", "maj", "jig", ["|:", "^^d77", ":|"])
    assert by_kind(model, tokenizer, [odd, found.train[0]])["jig"][1] == 1


def test_samples_stand_under_the_headers_asked_for(toy):
    found, tokenizer, model = toy
    asked = like_training(found, 40, 1)
    assert len(asked) == 40
    texts = sample(model, tokenizer, asked[:3], 0)
    assert [text.split()[:3] for text in texts] == [["M:6/8", "K:Dmaj", f"R:{tune.rhythm}"] for tune in asked[:3]]


def test_dropout_acts_in_training_alone_and_is_no_part_of_the_weights(toy):
    _, tokenizer, _ = toy
    model = make_model("gpt", tokenizer)
    names = set(model.state_dict())
    drop_residuals(model, 0.5)
    ids = torch.tensor([[0, 5, 6, 7]])
    with torch.no_grad():
        model.train()
        assert not torch.equal(model(ids).logits, model(ids).logits)
        model.eval()
        assert torch.equal(model(ids).logits, model(ids).logits)
    assert set(model.state_dict()) == names
