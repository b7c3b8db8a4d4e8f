"""The judge: ranks count what scores higher, a broken picture never passes, what is kept loads again."""

import json

import pytest
import torch
from torch import nn

from tests.training.image.emoji_toys import toy_set
from training.image import emoji_judge
from training.image.emoji_judge import FOLDER, Judge, JudgeNet, load_judge


class FirstNumbers(nn.Module):
    """Take a picture's first five numbers as its scores."""

    def forward(self, pictures):
        return pictures.flatten(1)[:, :5]


def picture(*scores):
    made = torch.zeros(3, 64, 64)
    made.view(-1)[: len(scores)] = torch.tensor(scores)
    return made


@pytest.fixture(scope="module")
def kept():
    return load_judge()


def test_a_rank_is_the_number_of_names_that_score_higher():
    judge = Judge(FirstNumbers(), list("abcde"))
    pictures = torch.stack([picture(5.0, 4.0, 3.0, 2.0, 1.0)] * 3)
    assert judge.ranks(pictures, [0, 4, 2]) == [0, 4, 2]


def test_ranks_keep_their_order_over_several_passes():
    pictures = torch.stack([picture(*([0.0] * (number % 5)), 1.0) for number in range(300)])
    judge = Judge(FirstNumbers(), list("abcde"))
    assert judge.ranks(pictures, [number % 5 for number in range(300)]) == [0] * 300


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_broken_picture_is_never_recognised(broken):
    net = JudgeNet(12)
    ranks = Judge(net, [str(number) for number in range(12)]).ranks(torch.full((2, 3, 64, 64), broken), [0, 11])
    assert min(ranks) >= 5


def test_half_of_the_draws_are_the_plainest_file(monkeypatch):
    emoji = toy_set()
    monkeypatch.setattr(emoji_judge, "augment", lambda pixels, *_, **__: pixels)
    drawn = emoji_judge.draw(emoji, torch.zeros(600, dtype=torch.int64), torch.Generator().manual_seed(1))
    plain = (drawn == emoji.pixels[0]).flatten(1).all(1).float().mean()
    assert 0.68 < float(plain) < 0.82  # a half, and half of the other half


def test_training_draws_are_mirrored_never(monkeypatch):
    seen = []
    monkeypatch.setattr(emoji_judge, "augment", lambda pixels, *_, **more: seen.append(more) or pixels)
    emoji_judge.draw(toy_set(), torch.tensor([1]), torch.Generator())
    assert seen == [{"mirror": False}]


def test_the_kept_judge_has_earned_its_mark(kept):
    facts = json.loads((FOLDER / "facts.json").read_text())
    assert facts["top1"] >= 0.9
    assert len(set(kept.names)) == len(kept.names) == kept.net.head.out_features
    assert not kept.net.training
    noise = torch.rand(64, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    ranks = kept.ranks(noise, list(range(64)))
    assert sum(rank < 5 for rank in ranks) < 6  # noise is not a picture of whatever was asked
