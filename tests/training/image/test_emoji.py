"""The emoji set: base names, the split, captions, and what augmentation leaves as it is."""

import random

import numpy as np
import pytest
from PIL import Image

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402

emoji_names = pytest.importorskip("emoji", reason="emoji is missing: pip install -r requirements-train.txt")

from training.image import emoji  # noqa: E402

HAND, DARK, RUNNER = 0x1F44B, 0x1F3FF, 0x1F3C3


@pytest.fixture
def data(tmp_path):
    """Write a cat, a waving hand in two skin tones and a woman running, each of one colour."""
    folder = tmp_path / "emoji"
    folder.mkdir()
    files = {"1f408": (200, 40, 40), "1f44b": (240, 200, 0), "1f44b_1f3ff": (90, 60, 40),
             "1f3c3_200d_2640": (40, 40, 200), "ffff": (0, 0, 0)}  # fmt: skip
    for codes, colour in files.items():
        picture = Image.new("RGBA", (136, 128), (*colour, 0))
        picture.paste((*colour, 255), (30, 30, 100, 100))
        picture.save(folder / f"emoji_u{codes}.png")
    return tmp_path


def test_files_of_one_base_name_are_one_group_and_unknown_ones_are_left_out(data):
    found = emoji.load_emoji(data, cldr=data / "none.xml")
    names = {group.name: group for group in found.groups}
    assert set(names) == {"cat", "waving hand", "person running"} or set(names) == {"cat", "waving hand", "running"}
    assert len(names["waving hand"].files) == 2
    assert found.captions[names["waving hand"].files[0]] == "waving hand"
    assert found.captions[names["waving hand"].files[1]] == "waving hand dark skin tone"
    assert found.pixels.shape == (4, 4, 72, 72)
    assert sorted(found.train + found.held_out) == [0, 1, 2]
    assert len(found.files(list(range(3)))) == 4


def test_the_split_goes_by_name_alone(data, monkeypatch):
    monkeypatch.setattr(emoji, "HELD_OUT", 0.6)
    one = emoji.load_emoji(data, cldr=data / "none.xml")
    (data / "emoji" / "emoji_u1f408.png").unlink()
    two = emoji.load_emoji(data, cldr=data / "none.xml")

    def held(found):
        return {found.groups[index].name for index in found.held_out} - {"cat"}

    assert held(one) == held(two)
    assert all("cat" not in text for text in two.texts())


@pytest.mark.parametrize(
    ("codes", "base"),
    [((HAND, DARK), (HAND,)), ((RUNNER, 0x200D, 0x2640), (RUNNER,)),
     ((0x1F469, 0x200D, 0x1F680), (0x1F9D1, 0x200D, 0x1F680)),
     ((0x1F468, 0x200D, 0x1F469, 0x200D, 0x1F466), (0x1F46A,)), ((0x1F408,), (0x1F408,))],
)  # fmt: skip
def test_skin_and_gender_do_not_make_another_picture(codes, base):
    assert emoji.base_codes(codes) == base


def test_colour_is_multiplied_by_alpha(data):
    pixels = emoji.read_picture(data / "emoji" / "emoji_u1f408.png")
    assert pixels.shape == (4, 72, 72)
    assert pixels[:, 0, 0].tolist() == [0, 0, 0, 0]  # what is transparent has no colour
    assert pixels[:, 36, 36].tolist() == [200, 40, 40, 255]


def test_on_white_and_on_a_ground(data):
    pixels = emoji.read_picture(data / "emoji" / "emoji_u1f408.png")[None]
    white = emoji.on_white(pixels)
    assert white.shape == (1, 3, 64, 64)
    assert torch.allclose(white[0, :, 0, 0], torch.ones(3))
    assert torch.allclose(white[0, :, 32, 32], torch.tensor([200, 40, 40]) / 127.5 - 1, atol=0.02)
    black = emoji.compose(pixels.float() / 255, torch.zeros(1, 3), None)
    assert torch.allclose(black[0, :, 0, 0], -torch.ones(3))


def test_augmentation_is_chance_of_the_generator_alone_and_in_range(data):
    pixels = emoji.read_picture(data / "emoji" / "emoji_u1f408.png")[None].repeat(6, 1, 1, 1)
    one, again, other = (emoji.augment(pixels, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == (6, 3, 64, 64)
    assert -1 <= float(one.min()) <= float(one.max()) <= 1
    still = emoji.augment(pixels, torch.Generator().manual_seed(1), strength=0.0, mirror=False)
    assert torch.allclose(still[:, :, 32, 32], emoji.on_white(pixels)[:, :, 32, 32], atol=0.02)


@pytest.mark.parametrize("colour", emoji.COLOURS)
def test_a_tint_has_the_hue_of_its_word_and_keeps_the_shape(data, colour):
    import colorsys

    pixels = emoji.read_picture(data / "emoji" / "emoji_u1f408.png")[None]
    tinted = emoji.recolour(pixels, colour)
    assert torch.equal(tinted[:, 3], pixels[:, 3])
    hue = colorsys.rgb_to_hsv(*(tinted[0, :3, 36, 36].numpy() / 255))[0]
    distance = abs(hue - emoji.COLOURS[colour])
    assert min(distance, 1 - distance) < 0.05
    assert np.array_equal(pixels[0, :, 0, 0], tinted[0, :, 0, 0])


def test_captions_are_names_aliases_and_keywords():
    group = emoji.Group("cat", [0], ["kitty"], ["pet", "animal", "meow"])
    drawn = {emoji.caption(group, "cat", random.Random(seed)) for seed in range(200)}
    assert {"cat", "kitty"} <= drawn
    assert any(set(text.split()) <= {"pet", "animal", "meow"} for text in drawn)
    alone = emoji.Group("cat", [0])
    assert {emoji.caption(alone, "black cat", random.Random(seed)) for seed in range(50)} == {"cat", "black cat"}


def test_names_become_plain_words():
    assert emoji.plain(":woman_running_dark_skin_tone:") == "woman running dark skin tone"
    assert emoji.plain("“OK” button!") == "ok button!"
