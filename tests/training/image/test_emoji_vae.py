"""The VAE's training on a toy set: principal axes, the word prior, and a run that goes on where it was cut off."""

import argparse

import pytest
import torch

from models.torchaudio_guard import guard
from tests.training.image.emoji_toys import toy_set
from tests.training.runs import Ticking, options
from training import loop
from training.image import emoji_vae
from training.image.emoji import on_white

guard()

from models.image.nets.conv_vae import ConvVAE  # noqa: E402
from models.image.nets.word_bag import make_vocabulary, word_ids  # noqa: E402

AXES = 6


@pytest.fixture
def emoji():
    return toy_set()


def tiny(emoji, axes=AXES):
    torch.manual_seed(3)
    return ConvVAE(vocabulary=make_vocabulary(emoji.texts()), widths=(8, 8, 8, 8, 16), channels=4, axes=axes,
                   word_size=16, hidden=32).eval()  # fmt: skip


def places(model, emoji, files):
    with torch.no_grad():
        return model.to_axes(emoji_vae.encode_all(model, on_white(emoji.pixels[files])))


def test_axes_stand_at_right_angles_and_names_spread_by_one_along_each(emoji):
    model = tiny(emoji)
    emoji_vae.fit_axes(model, emoji)
    assert torch.allclose(model.basis.T @ model.basis, torch.eye(AXES), atol=1e-4)
    assert (model.spread[:-1] >= model.spread[1:]).all()
    found = places(model, emoji, emoji.files(emoji.train))  # each name has as many files, so all weigh the same
    assert found.mean(0).abs().max() < 1e-2
    assert torch.allclose(found.square().mean(0), torch.ones(AXES), atol=2e-2)


def test_held_out_names_leave_the_axes_alone(emoji):
    model, other = tiny(emoji), tiny(emoji)
    emoji_vae.fit_axes(model, emoji)
    emoji.pixels[emoji.files(emoji.held_out)] = 255
    emoji_vae.fit_axes(other, emoji)
    assert torch.equal(model.mean, other.mean)
    assert torch.equal(model.spread, other.spread)


def test_all_axes_together_lose_nothing_and_some_lose_what_lies_across(emoji):
    latent = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    whole = tiny(emoji, axes=64)
    whole.basis.copy_(torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(2)))[0])
    whole.spread.uniform_(0.5, 2)
    assert torch.allclose(whole.from_axes(whole.to_axes(latent)), latent, atol=1e-4)
    few = tiny(emoji)
    once = few.from_axes(few.to_axes(latent))
    assert not torch.allclose(once, latent, atol=1e-2)
    assert torch.allclose(few.from_axes(few.to_axes(once)), once, atol=1e-5)


def test_the_prior_points_to_where_a_name_lies(emoji, monkeypatch):
    monkeypatch.setattr(emoji_vae, "PRIOR_STEPS", 150)
    model = tiny(emoji)
    emoji_vae.fit_axes(model, emoji)
    loss = emoji_vae.fit_prior(model, emoji, argparse.Namespace(seed=0))
    assert loss < 0.4  # a prior that knows nothing has 0.5
    rows = [word_ids(model.config.vocabulary, emoji.groups[index].name)[0] for index in emoji.train]
    with torch.no_grad():
        mean, spread = model.where(rows)
    apart = torch.cdist(mean, places(model, emoji, [emoji.groups[index].files[0] for index in emoji.train]))
    hits = (apart.argmin(1) == torch.arange(len(rows))).float().mean()
    assert hits > 0.6  # by chance: 0.07
    assert spread.min() > 0.04


def test_the_words_of_held_out_names_alone_stay_unknown(emoji):
    emoji.groups[emoji.held_out[0]].aliases.append("zebra")
    assert "zebra" not in tiny(emoji).config.vocabulary


def test_an_interrupted_run_goes_on(emoji, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(emoji_vae, "BATCH", 4)
    asked = options(tmp_path, minutes=0.02)
    first = emoji_vae.train(tiny(emoji), emoji, asked)
    assert first["steps"] > 0
    assert (tmp_path / "latest.pt").exists()
    done = emoji_vae.train(tiny(emoji), emoji, asked)
    assert done["steps"] == first["steps"]  # nothing left to do
    asked.minutes = 0.04
    assert emoji_vae.train(tiny(emoji), emoji, asked)["steps"] > first["steps"]
