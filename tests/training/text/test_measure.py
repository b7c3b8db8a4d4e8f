"""Bits per character against sums done by hand, and the copy check against copies."""

import math
from types import SimpleNamespace

import pytest

from models.device import import_libraries
from models.settings import Settings

import_libraries(Settings(threads=1))

import torch  # noqa: E402

from training.text.measure import bits_per_character, longest_copies  # noqa: E402


class Letters:
    """Tokenize by letter: a is 3, b is 4, …; 1 starts, 2 ends."""

    bos_token_id, eos_token_id = 1, 2

    def encode(self, text, add_special_tokens=False):
        return [ord(letter) - ord("a") + 3 for letter in text]


class Counting(torch.nn.Module):
    """Give each next token a probability that tells how many tokens it could look back on."""

    def __init__(self, context):
        super().__init__()
        self.config = SimpleNamespace(max_position_embeddings=context)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.widest = 0

    def forward(self, ids, use_cache):
        self.widest = max(self.widest, ids.shape[1])
        seen = torch.arange(1, ids.shape[1] + 1).float()  # tokens looked back on
        logits = torch.zeros(*ids.shape, 30)
        # p(any token) = 1 / 30 whatever it is, sharpened on token 2 by how much was seen
        logits[..., 2] = seen / 10
        return SimpleNamespace(logits=logits)


def expected(story, context):
    """Score one story token by token, the slow way."""
    ids = [1, *Letters().encode(story), 2]
    bits, done = 0.0, 1
    while done < len(ids):
        end = min(len(ids), context if done == 1 else done + context // 2)
        start = max(0, end - context)
        for place in range(done, end):
            boost = (place - start) / 10
            total = math.exp(boost) + 29
            bits -= math.log2((math.exp(boost) if ids[place] == 2 else 1) / total)
        done = end
    return bits


@pytest.mark.parametrize("context", [8, 16, 64])
@pytest.mark.parametrize("stories", [["abc"], ["a" * 40], ["ab", "abcdefgh" * 5, "c", "ba" * 9]])
def test_bits_per_character_is_the_sum_over_tokens_and_the_end_over_characters(stories, context):
    model = Counting(context)
    wanted = sum(expected(story, context) for story in stories) / sum(map(len, stories))
    assert bits_per_character(model, Letters(), stories, batch_tokens=50) == pytest.approx(wanted, rel=1e-5)
    assert model.widest < context


def test_a_uniform_model_pays_log2_of_the_vocabulary_for_every_token():
    model = Counting(64)
    model.forward = lambda ids, use_cache: SimpleNamespace(logits=torch.zeros(*ids.shape, 32))
    assert bits_per_character(model, Letters(), ["abcd"]) == pytest.approx(5 * 5 / 4)


def test_copies_of_sixty_tokens_are_found_and_shorter_ones_are_not():
    training = [list(range(200)), list(range(1000, 1030))]
    samples = [
        [7, 7, *range(50, 110), 9],  # 60 in a row
        [7, 7, *range(50, 109), 9],  # 59 in a row
        list(range(1000, 1030)),
        [],
    ]
    assert longest_copies(samples, training) == [True, False, False, False]
