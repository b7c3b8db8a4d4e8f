"""The GAN's training on a toy set: what the critic sees, what is drawn, and a run that goes on where it was cut off."""

import argparse
import json
import random
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from models.torchaudio_guard import guard
from tests.training.image.emoji_toys import toy_styles
from tests.training.runs import Ticking, options
from training import loop
from training.image import emoji_gan
from training.image.emoji_gan import Discriminator, diff_augment, share
from training.image.styles import prompt

guard()

from models.image.nets.generator import GANGenerator  # noqa: E402
from models.image.nets.word_bag import make_vocabulary, word_ids  # noqa: E402


@pytest.fixture
def styles():
    return toy_styles()


def tiny(styles):
    torch.manual_seed(3)
    return GANGenerator(vocabulary=make_vocabulary(styles.texts()), noise_size=12, word_size=8, style_size=16,
                        channels=(16, 16, 16, 8, 8))  # fmt: skip


def test_a_share_counts_the_first_five():
    assert share([0, 4, 5, 100]) == 0.5


def test_what_the_critic_sees_is_changed_anew_and_lets_slopes_through():
    torch.manual_seed(1)
    pictures = torch.zeros(4, 3, 64, 64).add_(0.3).requires_grad_()
    seen, again = diff_augment(pictures), diff_augment(pictures)
    assert seen.shape == pictures.shape
    assert not torch.allclose(seen, again)
    assert not torch.allclose(seen[0], seen[1])
    seen.sum().backward()
    reached = (pictures.grad != 0).flatten(1).float().mean(1)
    assert (reached > 0.5).all()  # a hole hides at most (23 / 64)² of a picture, a shift an eighth a side
    assert (seen == 0).all(1).flatten(1).any(1).all()  # and a hole there is


def test_the_critic_reads_the_words():
    torch.manual_seed(1)
    critic = Discriminator(5, widths=(8, 8, 8, 8, 8))
    picture = torch.randn(1, 3, 64, 64).repeat(2, 1, 1, 1)
    one, other = critic(picture, [[1, 2], [3]]).tolist()
    assert abs(one - other) > 1e-4
    assert torch.allclose(critic(picture, [[1, 2], [2, 1]])[0], critic(picture, [[1, 2], [2, 1]])[1])


def test_names_are_drawn_evenly_in_their_styles_and_held_out_ones_never(styles):
    vocabulary = make_vocabulary(styles.texts())
    words, choice = emoji_gan._Words(styles, vocabulary), random.Random(0)
    counts, manners = Counter(), Counter()
    for _ in range(60):
        files, rows = words.draw(choice, 32)
        counts.update(file % 32 // 2 for file in files)
        manners.update(file // 32 for file in files)
        for file, row in zip(files, rows, strict=True):
            style = file // 32
            # a caption is that of its picture; the plain one may go by the base name, which is the same here
            prompts = {prompt(styles.captions[file], style, random.Random(seed)) for seed in range(20)}
            assert row in [word_ids(vocabulary, text)[0] for text in prompts]
            assert (file % 32 // 2, style) in styles.seen
    assert set(counts) == set(styles.base.train)
    assert max(counts.values()) < 2 * min(counts.values())
    assert set(manners) == {0, 1, 2, 3}


def test_noise_has_its_say_in_the_real_picture(styles):
    pixels = styles.pixels[:1].repeat(10, 1, 1, 1)
    noise = torch.zeros(10, 12)
    plain = emoji_gan.varied(pixels, noise)
    assert torch.equal(plain[0], plain[9])
    noise[range(9), range(9)] = 2.0
    changed = emoji_gan.varied(pixels, noise)
    assert changed.shape == (10, 3, 64, 64)
    assert changed.min() >= -1
    assert changed.max() <= 1
    distance = (changed - plain).abs().flatten(1).mean(1)
    assert (distance[:9] > 0).all()
    assert distance[9] == 0
    noise[:, 9:] = 5.0  # the other numbers are the generator's own
    assert torch.equal(emoji_gan.varied(pixels, noise), changed)
    assert torch.equal(emoji_gan.varied(pixels, noise * 3)[1], changed[1])  # two deviations are the most that counts


def test_a_turn_of_hue_keeps_grey_grey():
    pixels = torch.full((1, 4, 72, 72), 255, dtype=torch.uint8)
    pixels[:, :3] = 120
    noise = torch.zeros(1, 9)
    noise[0, 6], noise[0, 8] = 2.0, 2.0
    assert torch.allclose(emoji_gan.varied(pixels, noise), emoji_gan.varied(pixels, noise * 0), atol=1e-5)
    pixels[:, 0] = 240  # a red
    red, green, blue = emoji_gan.varied(pixels, noise * torch.eye(9)[6])[0, :, 32, 32]
    assert red > max(green, blue)
    assert abs(green - blue) > 0.1


def test_words_that_no_caption_taught_are_left_out(styles):
    model = tiny(styles)
    vocabulary = list(model.config.vocabulary)
    assert "the" in vocabulary  # an alias's word, of no caption that is drawn
    learnt = {vocabulary.index(word) + 1 for word in ("red", "sun", "cat")}
    smaller = emoji_gan.keep_words(model, learnt)
    assert list(smaller.config.vocabulary) == ["cat", "red", "sun"]
    noise = torch.randn(1, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for text in ("red sun", "cat", "sun red cat"):
            before = model(noise, [word_ids(vocabulary, text)[0]])
            after = smaller(noise, [word_ids(smaller.config.vocabulary, text)[0]])
            assert torch.allclose(before, after, atol=1e-6)
    table = smaller.words.embed.weight
    assert torch.allclose(table[0], table[1:].mean(0), atol=1e-6)


def test_what_ships_knows_its_training_captions_and_styles_and_no_other_word(styles, tmp_path, monkeypatch):
    monkeypatch.setattr(emoji_gan, "measure", lambda *_: {"top5_train": 0.5})
    monkeypatch.setattr(emoji_gan, "load_judge", lambda _: SimpleNamespace(net=torch.nn.Identity()))
    asked = argparse.Namespace(out=tmp_path, judge=tmp_path, device="cpu")
    emoji_gan.export(tiny(styles), styles, {"steps": 1, "minutes": 1.0, "curve": []}, asked)
    stored = load_file(tmp_path / "diffusion_pytorch_model.safetensors")
    assert {one.dtype for one in stored.values()} == {torch.float16}
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["parameters"] == sum(map(torch.numel, stored.values()))
    assert facts["top5_train"] == 0.5
    known = GANGenerator.from_pretrained(tmp_path).config.vocabulary
    assert list(known) == ["3d", "blue", "cat", "cup", "dark", "flat", "green", "hat", "noto", "pink", "red", "sun",
                           "twemoji"]  # fmt: skip


class Knows:
    """Judge that knows every name, and takes each picture for Noto's."""

    styles = ["noto", "flat", "3d", "twemoji"]

    def ranks(self, pictures, wanted):
        assert len(pictures) == len(wanted)
        return [0] * len(wanted)

    def styles_of(self, pictures):
        return [0] * len(pictures)


def test_names_and_pairs_are_measured_apart(styles, monkeypatch):
    monkeypatch.setattr(random.Random, "sample", lambda self, of, count: list(of)[:count])
    found = emoji_gan.measure(tiny(styles), Knows(), styles)
    assert found["top5_train"] == found["top5_held_out_pairs"] == found["top5_real"] == 1.0
    assert found["style_train"] == found["style_held_out"] == 1.0  # asked for without a style
    assert found["style_seen_pairs"] == found["style_held_out_pairs"] == 0.0  # all of other styles than Noto's
    assert found["diversity_of_a_name"] > 0


@pytest.mark.parametrize("alone", [0.0, 1.0])
def test_the_critic_joins_when_its_time_has_come(styles, tmp_path, monkeypatch, alone):
    asked = []
    whole = Discriminator.forward

    def forward(self, picture, rows):
        asked.append(1)
        return whole(self, picture, rows)

    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(emoji_gan, "BATCH", 4)
    monkeypatch.setattr(emoji_gan, "ALONE", alone)
    monkeypatch.setattr(Discriminator, "forward", forward)
    emoji_gan.train(tiny(styles), styles, options(tmp_path, minutes=0.01))
    assert bool(asked) == (alone == 0.0)


def test_an_interrupted_run_goes_on(styles, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(emoji_gan, "BATCH", 4)
    asked = options(tmp_path, minutes=0.02)
    model = tiny(styles)
    before = model.paint.weight.detach().clone()
    first = emoji_gan.train(model, styles, asked)
    assert first["steps"] > 0
    assert not torch.equal(model.paint.weight, before)
    done = emoji_gan.train(tiny(styles), styles, asked)
    assert done["steps"] == first["steps"]  # nothing left to do
    asked.minutes = 0.05
    assert emoji_gan.train(tiny(styles), styles, asked)["steps"] > first["steps"]
