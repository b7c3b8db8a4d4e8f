"""Compositions: each shows what its prompt says, of learnt pairs alone."""

import random
from collections import Counter

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

pytest.importorskip("emoji", reason="emoji is missing: pip install -r requirements-train.txt")
pytest.importorskip("inflect", reason="inflect is missing: pip install -r requirements-train.txt")

from tests.training.image.emoji_toys import toy_styles  # noqa: E402
from training.image import compositions  # noqa: E402
from training.image.compositions import GROUNDS, KINDS, composition  # noqa: E402


@pytest.fixture(scope="module")
def styles():
    return toy_styles()


def made(styles, kind, count=12):
    choice = random.Random(4)
    return [composition(styles, choice, kind) for _ in range(count)]


def halves(picture):
    """Return how much is painted on the left and on the right."""
    return [int((half[3] > 0).sum()) for half in (picture[:, :, :36], picture[:, :, 36:])]


@pytest.mark.parametrize("kind", KINDS)
def test_a_composition_is_a_picture_like_a_file(styles, kind):
    for picture, words in made(styles, kind):
        assert picture.shape == (4, 72, 72)
        assert picture.dtype == torch.uint8
        assert (picture[:3] <= picture[3:]).all()  # colour is multiplied by alpha
        assert picture[3].any()
        assert words


def test_two_of_a_thing_are_the_same_on_both_sides(styles):
    for picture, words in made(styles, "two"):
        assert torch.equal(picture[:, :, :36], picture[:, :, 36:])
        assert words.startswith("two ")
        assert any(plural in words for plural in ("cats", "hats", "suns", "cups"))


def test_one_and_another_stand_side_by_side(styles):
    for picture, words in made(styles, "and"):
        assert min(halves(picture)) > 0
        assert not torch.equal(picture[:, :, :36], picture[:, :, 36:])
        assert " and " in words


@pytest.mark.parametrize(("kind", "empty"), [("left", 1), ("right", 0)])
def test_a_thing_stands_on_the_side_that_is_named(styles, kind, empty):
    for picture, words in made(styles, kind):
        assert halves(picture)[empty] == 0
        assert halves(picture)[1 - empty] > 0
        assert f"on the {kind}" in words


def test_a_ground_has_its_colour_to_the_edge(styles):
    for picture, words in made(styles, "ground"):
        colour = words.split(" on ")[1].split(",")[0]
        wanted = torch.tensor(GROUNDS[colour]) * 255
        assert (picture[:3, 0, 0].float() - wanted).abs().max() < 1
        assert (picture[3] == 255).all()


def test_small_is_smaller_and_big_is_bigger_than_the_file(styles):
    area = {kind: sum(int((picture[3] > 0).sum()) for picture, _ in made(styles, kind)) for kind in ("small", "big")}
    plain = 12 * 36 * 36
    assert area["small"] < 0.4 * plain
    assert area["big"] > 1.3 * plain


def test_some_things_are_in_a_colour_that_the_prompt_names(styles):
    choice = random.Random(4)
    for _ in range(12):
        asked = compositions.ask(styles, choice, "left", tinted=1.0)
        group, colour = asked.things[0]
        assert compositions.words_of(styles, asked) == f"{colour} {styles.group(group).name} on the left"
        picture = compositions.render(styles, asked)
        painted = picture[:3, picture[3] == 255].float().mean(1)
        assert painted.max() - painted.min() > 20  # not grey
    plain = compositions.ask(styles, choice, "left", tinted=0.0)
    assert plain.things[0][1] == ""


def test_an_unknown_kind_is_refused_with_those_that_exist(styles):
    with pytest.raises(ValueError, match="“above” is not a kind of composition. Choose one of two, and"):
        compositions.ask(styles, random.Random(0), "above")


def test_nothing_held_out_is_composed():
    styles = toy_styles(held_out=tuple((group, 2) for group in range(16) if group not in (3, 9, 12, 13)))
    choice = random.Random(1)
    drawn = Counter()
    for _ in range(400):
        _, words = composition(styles, choice, "and")
        things = words.split(",")[0].split(" and ")
        named = [next(g.name for g in styles.base.groups if thing.endswith(g.name)) for thing in things]
        assert not {"red cup", "blue hat"} & set(named)  # names 3 and 9 are held out in every style
        if words.endswith(", 3d"):
            drawn.update(named)
    assert set(drawn) == {"pink cat", "pink hat"}


def test_a_style_of_one_name_cannot_draw_two():
    styles = toy_styles()
    styles.seen = [(4, 2)]
    styles.__post_init__()
    with pytest.raises(RuntimeError, match="in the style 3d"):
        composition(styles, random.Random(0), "and")


@pytest.mark.parametrize(
    ("one", "more"),
    [("red apple", "red apples"), ("cherries", "cherries"), ("mouse", "mice"), ("scissors", "scissors"),
     ("face with tears of joy", "faces with tears of joy")],
)  # fmt: skip
def test_plurals(one, more):
    assert compositions.plural(one) == more


def test_many_are_made_as_one_is(styles, monkeypatch):
    monkeypatch.setattr(compositions, "AT_ONCE", 3)
    choice = random.Random(7)
    asked = [compositions.ask(styles, choice, tinted=0.5) for _ in range(40)]
    together = compositions.render_all(styles, asked)
    assert together.shape == (40, 4, 72, 72)
    for one, picture in zip(asked, together, strict=True):
        assert torch.equal(compositions.render(styles, one), picture)
