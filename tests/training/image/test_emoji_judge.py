"""The judge: ranks count what scores higher, a broken picture never passes, what is kept loads again."""

import json

import pytest
import torch
from torch import nn

from tests.training.image.emoji_toys import toy_styles
from tests.training.runs import Ticking, options
from training import loop
from training.image import emoji_judge
from training.image.emoji_judge import FACTS, FOLDER, Judge, JudgeNet, load_judge
from training.image.styles import STYLES


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


def drawn(groups, asked=None, seed=1):
    pictures = emoji_judge.Pictures(toy_styles(), "cpu")
    asked = None if asked is None else torch.tensor(asked)
    return pictures.draw(torch.tensor(groups), torch.Generator().manual_seed(seed), asked)


def test_half_of_the_draws_are_the_plainest_file_of_any_style(monkeypatch):
    styles = toy_styles()
    monkeypatch.setattr(emoji_judge, "augment", lambda pixels, *_, **__: pixels)
    shown, kinds = drawn([2] * 800)
    assert torch.bincount(kinds).min() > 150  # held-out pairs too: the judge is to know them
    for style in range(len(STYLES)):
        of_style = shown[kinds == style]
        plain = (of_style == styles.pixels[styles.files[style][2][0]]).flatten(1).all(1).float().mean()
        assert 0.65 < float(plain) < 0.85  # a half, and half of the other half


def test_a_style_without_the_name_is_never_drawn_and_an_asked_one_always(monkeypatch):
    styles = toy_styles()
    monkeypatch.setattr(emoji_judge, "augment", lambda pixels, *_, **__: pixels)
    _, kinds = drawn([1] * 100)
    assert set(kinds.tolist()) == {0, 1, 2}
    shown, asked = drawn([4, 5, 6], [3, 0, 2])
    assert asked.tolist() == [3, 0, 2]
    for picture, group, style in zip(shown, (4, 5, 6), (3, 0, 2), strict=True):
        assert any(torch.equal(picture, styles.pixels[file]) for file in styles.files[style][group])


def test_training_draws_are_mirrored_never(monkeypatch):
    seen = []
    monkeypatch.setattr(emoji_judge, "augment", lambda pixels, *_, **more: seen.append(more) or pixels)
    drawn([1])
    assert seen == [{"mirror": False}]


def test_styles_are_named_by_the_likeliest_and_a_broken_picture_has_none():
    net = JudgeNet(6, 3)
    with torch.no_grad():
        net.style.weight.zero_()
        net.style.bias.copy_(torch.tensor([0.0, 2.0, 1.0]))
    judge = Judge(net, list("abcdef"), ["noto", "flat", "3d"])
    assert judge.styles_of(torch.stack([picture(0.5), torch.full((3, 64, 64), float("nan"))])) == [1, -1]
    with pytest.raises(RuntimeError, match="one style alone"):
        Judge(JudgeNet(6), list("abcdef")).styles_of(picture(0.5)[None])


def test_what_is_kept_loads_again_and_a_first_edition_can_be_gone_on_from(tmp_path):
    net = JudgeNet(6, 4)
    judge = Judge(net, list("abcdef"), list(STYLES))
    emoji_judge.export(judge, {"top1": 1.0}, tmp_path)
    again = load_judge(tmp_path)
    assert (again.names, again.styles) == (judge.names, judge.styles)
    pictures = torch.rand(3, 3, 64, 64) * 2 - 1
    assert again.styles_of(pictures) == judge.styles_of(pictures)
    plain = JudgeNet(6)
    emoji_judge.export(Judge(plain, list("abcdef")), {}, tmp_path)
    first = load_judge(tmp_path)
    assert first.styles == []
    emoji_judge.begin_from(net, list("abcdef"), first)
    assert torch.allclose(net.head.weight, plain.head.weight, atol=1e-3)
    with pytest.raises(SystemExit, match="other names"):
        emoji_judge.begin_from(net, list("fedcba"), first)


def test_it_learns_name_and_style_and_goes_on_where_it_was_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(emoji_judge, "BATCH", 8)
    asked, styles = options(tmp_path, minutes=0.3), toy_styles()
    torch.manual_seed(0)
    net = JudgeNet(16, len(STYLES))
    before = net.style.weight.detach().clone()
    first = emoji_judge.train(net, styles, asked)
    marks = emoji_judge.evaluate(Judge(net, [], list(STYLES)), styles)
    assert marks["top5"] > 5 / 16  # better than chance
    assert {f"top1_{style}" for style in STYLES} <= set(marks)
    assert not torch.equal(net.style.weight, before)
    assert emoji_judge.train(JudgeNet(16, len(STYLES)), styles, asked)["steps"] == first["steps"]


def test_the_kept_judge_has_earned_its_mark(kept):
    facts = json.loads((FOLDER / FACTS).read_text())
    assert facts["top1"] >= 0.9
    assert len(set(kept.names)) == len(kept.names) == kept.net.head.out_features
    assert not kept.net.training
    noise = torch.rand(64, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    ranks = kept.ranks(noise, list(range(64)))
    assert sum(rank < 5 for rank in ranks) < 6  # noise is not a picture of whatever was asked
