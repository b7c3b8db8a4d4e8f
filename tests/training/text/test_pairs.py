"""Pairs of sentences are split without a leak on either side and dealt in batches that fit."""

import random

from tests.training.text import task_toys
from training.text.pairs import Batches, load_pairs, same, split_pairs


def test_no_sentence_stands_on_two_sides_in_either_language(tmp_path):
    pairs = load_pairs(task_toys.write_pairs(tmp_path), 20)
    assert len(pairs.test) == 20
    assert len(pairs.validation) <= 20
    for side in (0, 1):
        parts = [{same(pair[side]) for pair in part} for part in (pairs.train, pairs.validation, pairs.test)]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert len(pairs.train) >= len(task_toys.pairs()) - 40


def test_other_spellings_of_a_sentence_go_together_and_its_translations_too():
    pairs = [("Go!", "Va !"), ("go", "Allez."), ("GO .", "File !"), *task_toys.pairs()]
    for held_out in range(1, 60, 3):
        split = split_pairs(pairs, held_out)
        found = [part for part in (split.train, split.validation, split.test) if any(same(p[0]) == "go" for p in part)]
        assert len(found) <= 1
        assert all(len({same(pair[0]) for pair in part}) == len(part) for part in (split.validation, split.test))


def test_a_training_pair_whose_french_is_held_out_is_dropped():
    pairs = [(f"Number {at}.", "Le même.") for at in range(10)]
    split = split_pairs(pairs, 2)
    assert (split.train, split.validation, split.dropped) == ([], [], 6)
    assert len(split.test) == 2


def test_the_split_does_not_follow_the_order():
    pairs = task_toys.pairs()
    one, other = split_pairs(pairs, 20), split_pairs(pairs[::-1], 20)
    assert {pair[0] for pair in one.test} == {pair[0] for pair in other.test}


def test_a_pass_deals_every_pair_once_in_batches_that_fit():
    choice = random.Random(1)
    sources = [[at] * (1 + at % 9) for at in range(200)]
    targets = [[at] * (1 + at % 5) for at in range(200)]
    batches = Batches(lambda: (sources, targets), 60, choice)
    seen = []
    while len(seen) < 200:
        one, other = next(batches)
        assert len(one) * (max(map(len, one)) + max(map(len, other))) <= 60 or len(one) == 1
        assert [row[0] for row in one] == [row[0] for row in other]
        seen += [row[0] for row in one]
    assert sorted(seen) == list(range(200))


def test_it_goes_on_where_it_was():
    sources = [[at] for at in range(50)]
    one = Batches(lambda: (sources, sources), 10, random.Random(1))
    next(one)
    state = one.state_dict()
    other = Batches(lambda: (sources, sources), 10, random.Random(9))
    other.load_state_dict(state)
    assert next(other) == next(one)
