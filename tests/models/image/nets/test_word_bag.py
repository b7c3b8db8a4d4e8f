"""Words as ids, and their mean as one vector."""

import torch

from models.image.nets.word_bag import WordBag, make_vocabulary, split_words, word_ids


def test_words_are_lower_case_runs_of_letters_and_digits():
    assert split_words("Red heart-eyes, o’clock №7_x!") == ["red", "heart", "eyes", "o", "clock", "7", "x"]


def test_ids_count_from_one_and_name_the_unknown():
    vocabulary = make_vocabulary(["red heart", "blue heart"])
    assert vocabulary == ["blue", "heart", "red"]
    assert word_ids(vocabulary, "Red HEART red") == ([3, 2, 3], [])
    assert word_ids(vocabulary, "green heart") == ([2], ["green"])
    assert word_ids(vocabulary, "…") == ([0], [])


def test_a_bag_is_the_mean_in_any_order():
    bag = WordBag(3, 4)
    rows = bag([[1, 2], [2, 1], [3], [1]])
    assert torch.allclose(rows[0], rows[1])
    assert torch.allclose(rows[0], (bag.embed.weight[1] + bag.embed.weight[2]) / 2)
    assert torch.equal(rows[2], bag.embed.weight[3])
