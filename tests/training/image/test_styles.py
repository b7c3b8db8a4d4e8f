"""The emoji in four styles: what is read from the tars, the two splits, and the words of a style."""

import io
import random
import tarfile

import pytest
from PIL import Image

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

pytest.importorskip("emoji", reason="emoji is missing: pip install -r requirements-train.txt")

from tests.training.image.emoji_toys import toy_styles  # noqa: E402
from training.image import emoji, style_pack, styles  # noqa: E402

CAT, HAND, FLAG = "1f408", "1f44b", "1f1eb-1f1f7"
COLOUR = {"fluent-flat": (200, 40, 40), "fluent-3d": (40, 200, 40), "twemoji": (40, 40, 200)}


def square(colour):
    picture = Image.new("RGBA", (72, 72), (0, 0, 0, 0))
    picture.paste((*colour, 255), (10, 10, 60, 60))
    return picture


def pack(file, pictures):
    """Write a tar of WebP files by name."""
    with tarfile.open(file, "w") as archive:
        for name, colour in pictures.items():
            stream = io.BytesIO()
            square(colour).save(stream, "WEBP", lossless=True)
            entry = tarfile.TarInfo(f"{file.stem}/{name}.webp")
            entry.size = stream.tell()
            stream.seek(0)
            archive.addfile(entry, stream)


@pytest.fixture
def data(tmp_path):
    """Write Noto's cat and waving hand; each style's, in its colour; a flag that Noto lacks."""
    (tmp_path / "emoji").mkdir()
    (tmp_path / "emoji-styles").mkdir()
    for codes in (CAT, HAND):
        square((90, 90, 90)).save(tmp_path / "emoji" / f"emoji_u{codes}.png")
    for name, colour in COLOUR.items():
        files = {f"{HAND}-1f3ff": colour, HAND: colour, FLAG: colour, "ffff": colour}
        if name != "twemoji":
            files[f"{CAT}-fe0f"] = colour
        pack(tmp_path / "emoji-styles" / f"{name}.tar", files)
    return tmp_path


def test_a_name_has_the_pictures_of_every_style_that_draws_it(data, monkeypatch):
    monkeypatch.setattr(styles, "PAIRS_HELD_OUT", 0.0)
    found = styles.load_styles(data)
    names = [group.name for group in found.base.groups]
    assert sorted(names) == ["cat", "waving hand"]  # what Noto does not draw is left out
    cat, hand = names.index("cat"), names.index("waving hand")
    assert found.drawn_in(cat) == [0, 1, 2]
    assert found.drawn_in(hand) == [0, 1, 2, 3]
    for style, colour in enumerate(COLOUR.values(), 1):
        plainest, dark = found.files[style][hand]
        assert found.captions[plainest] == "waving hand"
        assert found.captions[dark] == "waving hand dark skin tone"
        assert found.pixels[plainest][:3, 36, 36].tolist() == list(colour)
    assert len(found.pixels) == len(found.captions) == 2 + 3 + 3 + 2
    assert found.held_out == []


def test_names_held_out_are_so_in_every_style_and_are_those_of_one_style(data, monkeypatch):
    monkeypatch.setattr(emoji, "HELD_OUT", 0.6)
    found, alone = styles.load_styles(data), emoji.load_emoji(data)
    assert found.base.held_out == alone.held_out
    learnt = {group for group, _ in (*found.seen, *found.held_out)}
    assert not learnt & set(alone.held_out)


def test_pairs_are_held_out_of_the_new_styles_alone(data, monkeypatch):
    monkeypatch.setattr(emoji, "HELD_OUT", 0.0)
    monkeypatch.setattr(styles, "PAIRS_HELD_OUT", 1.0)
    found = styles.load_styles(data)
    assert {style for _, style in found.seen} == {0}
    assert {style for _, style in found.held_out} == {1, 2, 3}
    assert [found.styles_of(group) for group in range(2)] == [[0], [0]]


def test_the_split_of_pairs_goes_by_name_and_style_and_keeps_a_tenth():
    drawn = [styles._fraction(f"name {number}", style) for number in range(1000) for style in (1, 2, 3)]
    assert 0.08 < sum(one < styles.PAIRS_HELD_OUT for one in drawn) / len(drawn) < 0.12
    assert styles._fraction("pizza", 1) == styles._fraction("pizza", 1) != styles._fraction("pizza", 2)


def test_a_style_is_a_word_of_the_prompt():
    assert styles.prompt("pizza", 2) == "pizza, 3d"
    assert styles.prompt("pizza", 0) == "pizza"
    noto = {styles.prompt("pizza", 0, random.Random(seed)) for seed in range(50)}
    assert noto == {"pizza", "pizza, noto"}
    assert {styles.prompt("pizza", 3, random.Random(seed)) for seed in range(50)} == {"pizza, twemoji"}


def test_a_caption_is_of_its_own_file_and_style():
    toys = toy_styles()
    file = toys.files[1][4][1]
    words = {styles.words_for(toys, 4, file, 1, random.Random(seed)) for seed in range(200)}
    assert "dark green cat, flat" in words
    assert all(text.endswith(", flat") for text in words)
    assert torch.equal(toys.pixels[toys.files[0][4][0]], toys.base.pixels[8])


def test_a_pack_holds_the_same_set_in_two_files(data, tmp_path_factory, monkeypatch):
    whole = styles.load_styles(data)
    out = tmp_path_factory.mktemp("pack")
    style_pack.save(whole, data, out)
    assert sorted(file.name for file in out.iterdir()) == [styles.PICTURES, styles.LISTED]
    found = styles.load_styles(out)
    assert torch.equal(found.pixels, whole.pixels)
    assert torch.equal(found.base.pixels, whole.base.pixels)
    for name in ("captions", "files", "seen", "held_out", "sources"):
        assert getattr(found, name) == getattr(whole, name), name
    assert found.base.groups == whole.base.groups
    assert (found.base.train, found.base.held_out) == (whole.base.train, whole.base.held_out)
    monkeypatch.setattr(styles, "decode", None)  # the second reader takes what the first one decoded
    assert torch.equal(styles.load_styles(out).pixels, whole.pixels)


def test_the_words_of_a_style_are_among_the_texts():
    toys = toy_styles()
    assert {*styles.STYLES, "dark red cat", "the red cat"} <= set(toys.texts())
    assert not {"red cup", "dark red cup", "the red cup"} & set(toys.texts())  # name 3 is held out
