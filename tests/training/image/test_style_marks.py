"""The marks of the second edition: what a composition must show, and what is counted."""

import random

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

pytest.importorskip("inflect", reason="inflect is missing: pip install -r requirements-train.txt")

from tests.training.image.emoji_toys import toy_styles  # noqa: E402
from training.image import style_marks  # noqa: E402
from training.image.compositions import KINDS, Asked, ask, render, words_of  # noqa: E402
from training.image.emoji import COLOURS, on_white, recolour  # noqa: E402
from training.image.emoji_marks import hue_of  # noqa: E402
from training.image.styles import STYLES, prompt  # noqa: E402


class Painted:
    """Judge that every picture shows what is wanted if anything is on it, and that its style is Noto's."""

    def ranks(self, pictures, wanted):
        assert pictures.shape[1:] == (3, 64, 64)
        assert len(pictures) == len(wanted)
        return [0 if float((picture - 1).abs().amax()) > 0.1 else 9 for picture in pictures]

    def styles_of(self, pictures):
        return [0] * len(pictures)


@pytest.fixture(scope="module")
def styles():
    return toy_styles()


def drawn(styles, *asked):
    return on_white(torch.stack([render(styles, one) for one in asked]))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_in_code_is_right(styles, kind):
    choice = random.Random(2)
    asked = [ask(styles, choice, kind, 0.0) for _ in range(8)]
    assert style_marks.right(Painted(), styles, drawn(styles, *asked), asked) == 1.0


@pytest.mark.parametrize(
    ("shown", "asked"),
    [(Asked("left", 0, ((4, ""),)), Asked("right", 0, ((4, ""),))),
     (Asked("right", 0, ((4, ""),)), Asked("left", 0, ((4, ""),))),
     (Asked("left", 0, ((4, ""),)), Asked("two", 0, ((4, ""),))),
     (Asked("big", 0, ((4, ""),)), Asked("small", 0, ((4, ""),))),
     (Asked("small", 0, ((4, ""),)), Asked("big", 0, ((4, ""),))),
     (Asked("small", 0, ((4, ""),)), Asked("ground", 0, ((4, ""),), "red")),
     (Asked("ground", 0, ((4, ""),), "blue"), Asked("ground", 0, ((4, ""),), "red")),
     (Asked("two", 0, ((4, "red"),)), Asked("two", 0, ((4, "blue"),))),
     (Asked("and", 0, ((4, "red"), (6, "red"))), Asked("and", 0, ((4, "red"), (6, "green"))))],
)  # fmt: skip
def test_what_is_not_as_asked_is_wrong(styles, shown, asked):
    picture = drawn(styles, shown)[0]
    assert style_marks.shows(Painted(), styles, picture, shown)
    assert not style_marks.shows(Painted(), styles, picture, asked)


def test_each_part_is_what_stands_there(styles):
    asked = Asked("and", 0, ((4, ""), (6, "")))
    parts = style_marks.parts_of(drawn(styles, asked)[0], asked)
    for part, group in zip(parts, (4, 6), strict=True):
        whole = on_white(styles.pixels[[styles.files[0][group][0]]])[0]
        assert (part - whole).abs().mean() < 0.1


@pytest.mark.parametrize("colour", COLOURS)
def test_the_hue_of_a_tint_is_its_word(styles, colour):
    assert hue_of(on_white(recolour(styles.pixels[[8]], colour))[0]) == colour


def test_every_measure_asks_for_its_own_pairs(styles, monkeypatch):
    asked = []

    def draw(pipeline, prompts, guidance, seed=0):
        asked.append((prompts, guidance))
        return torch.zeros(len(prompts), 3, 64, 64)

    monkeypatch.setattr(style_marks, "draw", draw)
    monkeypatch.setattr(style_marks, "colour_followed", lambda *_: 0.5)
    monkeypatch.setattr(style_marks, "training_names", lambda base: base.train)
    monkeypatch.setattr(style_marks, "COMPOSED", 3)
    monkeypatch.setattr(style_marks.composed_marks, "__defaults__", (3,))
    marks = style_marks.measure(None, Painted(), styles, 6)
    names = {group.name for group in styles.base.groups}
    seen, held_out, unseen, pairs, everywhere, *_ = [prompts for prompts, _ in asked]
    assert set(seen) <= names  # no style in the prompt
    assert set(held_out) == {styles.group(group).name for group in styles.base.held_out}
    assert len(pairs) == 6
    assert {text.rpartition(", ")[2] for text in pairs} <= set(STYLES[1:])
    assert sorted(unseen) == sorted(prompt(styles.group(group).name, style) for group, style in styles.held_out)
    assert all(text.rpartition(", ")[0] in held_out for text in everywhere)
    assert {guidance for _, guidance in asked} == {5.0}
    assert marks["seen_names"] == {"count": 6, "top5": 1.0, "style": 1.0, "top5_real": 1.0, "style_real": 1.0}
    assert marks["seen_pairs"]["style"] == 0.0
    assert set(marks["compositions"]) == {*KINDS, "two in a colour"}
    first = style_marks.measure(None, Painted(), styles, 6, styled=False)
    assert set(first) == {"guidance", "seen_names", "held_out_names", "colour_followed"}


def test_prompts_of_compositions_are_the_words_of_training(styles):
    assert words_of(styles, Asked("two", 0, ((4, "red"),))) == "two red green cats"
    assert words_of(styles, Asked("and", 0, ((4, "red"), (6, "")))) == "red green cat and green sun"
    assert words_of(styles, Asked("ground", 0, ((4, ""),), "blue")) == "green cat on blue"


def test_a_moment_is_chosen_by_pairs_that_no_mark_is_measured_on(styles, monkeypatch):
    monkeypatch.setattr(style_marks, "NAMES", 1)
    assert [*style_marks.some(styles.held_out, 1), *style_marks.for_choosing(styles)] in (
        styles.held_out,
        styles.held_out[::-1],
    )
