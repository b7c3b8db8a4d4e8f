"""Words that keep the vectors of another encoder: which they are, how they are condensed, that they stay."""

import torch
from torch import nn

from training.image import word_vectors


def test_words_are_tokens_that_end_one():
    vocabulary = {"cat</w>": 3, "cat": 4, "a</w>": 5, "!!</w>": 6, "vol": 7, "é</w>": 8, "café</w>": 9, "3d</w>": 10}
    assert word_vectors.whole_words(vocabulary) == {"cat": 3, "3d": 10}


def test_condensed_vectors_are_of_one_length_and_keep_who_is_near():
    generator = torch.Generator().manual_seed(3)
    kinds = torch.randn(5, 40, generator=generator).repeat_interleave(20, 0)
    words = kinds + 0.3 * torch.randn(100, 40, generator=generator) + 7  # all words have much in common
    found = word_vectors.condensed(words, 12)
    assert found.shape == (100, 12)
    assert torch.allclose(found.square().mean(1).sqrt(), torch.full((100,), word_vectors.SPREAD), rtol=1e-4)
    alike = nn.functional.normalize(found, dim=1) @ nn.functional.normalize(found, dim=1).T
    same = torch.arange(100)[:, None] // 20 == torch.arange(100)[None] // 20
    assert alike[same].mean() > 0.6
    assert alike[~same].mean() < 0.1


def test_given_rows_stay_while_the_others_learn():
    torch.manual_seed(0)
    embedding = nn.Embedding(6, 4)
    vectors = torch.randn(2, 4)
    word_vectors.give(embedding, torch.tensor([1, 4]), vectors)
    before = embedding.weight.detach().clone()
    optimizer = torch.optim.AdamW(embedding.parameters(), lr=0.1, weight_decay=0.0)
    for _ in range(3):
        embedding(torch.arange(6)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert torch.equal(embedding.weight[[1, 4]], vectors)
    assert (embedding.weight != before).any(1).tolist() == [True, False, True, True, False, True]


def test_a_look_up_is_a_little_off_in_training_alone():
    torch.manual_seed(0)
    embedding = nn.Embedding(6, 400)
    word_vectors.give(embedding, torch.tensor([1]), torch.full((1, 400), word_vectors.SPREAD))
    off = embedding(torch.tensor([1])) - embedding.weight[1]
    share = float(off.square().mean().sqrt()) / word_vectors.SPREAD
    assert 0.8 * word_vectors.JITTER < share < 1.2 * word_vectors.JITTER
    assert torch.equal(embedding.eval()(torch.tensor([1]))[0], embedding.weight[1])
