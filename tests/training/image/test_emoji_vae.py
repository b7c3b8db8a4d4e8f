"""The VAE's training on a toy set: principal axes, the word prior, and a run that goes on where it was cut off."""

import argparse

import pytest
import torch

from models.torchaudio_guard import guard
from tests.training.image.emoji_toys import toy_styles
from tests.training.runs import Ticking, options
from training import loop
from training.image import emoji_vae

guard()

from models.image.nets.conv_vae import ConvVAE  # noqa: E402
from models.image.nets.word_bag import make_vocabulary, word_ids  # noqa: E402

AXES = 6


@pytest.fixture
def styles():
    return toy_styles()


def tiny(styles, axes=AXES):
    torch.manual_seed(3)
    return ConvVAE(vocabulary=make_vocabulary(styles.texts()), widths=(8, 8, 8, 8, 16), channels=4, axes=axes,
                   word_size=16, hidden=32).eval()  # fmt: skip


def places(model, styles, files):
    with torch.no_grad():
        return model.to_axes(emoji_vae.encode_all(model, styles.pixels[files]))


def test_axes_stand_at_right_angles_and_names_spread_by_one_along_each(styles):
    model = tiny(styles)
    emoji_vae.fit_axes(model, styles)
    assert torch.allclose(model.basis.T @ model.basis, torch.eye(AXES), atol=1e-4)
    assert (model.spread[:-1] >= model.spread[1:]).all()
    files = [file for group, style in styles.seen for file in styles.files[style][group]]
    found = places(model, styles, files)  # each pair has as many files, so all weigh the same
    assert found.mean(0).abs().max() < 1e-2
    assert torch.allclose(found.square().mean(0), torch.ones(AXES), atol=2e-2)


def test_held_out_names_and_pairs_leave_the_axes_alone(styles):
    model, other = tiny(styles), tiny(styles)
    emoji_vae.fit_axes(model, styles)
    unseen = [(group, style) for group in styles.base.held_out for style in range(4)]
    for group, style in [*unseen, *styles.held_out]:
        styles.pixels[styles.files[style][group]] = 255
    emoji_vae.fit_axes(other, styles)
    assert torch.equal(model.mean, other.mean)
    assert torch.equal(model.spread, other.spread)


def test_all_axes_together_lose_nothing_and_some_lose_what_lies_across(styles):
    latent = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    whole = tiny(styles, axes=64)
    whole.basis.copy_(torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(2)))[0])
    whole.spread.uniform_(0.5, 2)
    assert torch.allclose(whole.from_axes(whole.to_axes(latent)), latent, atol=1e-4)
    few = tiny(styles)
    once = few.from_axes(few.to_axes(latent))
    assert not torch.allclose(once, latent, atol=1e-2)
    assert torch.allclose(few.from_axes(few.to_axes(once)), once, atol=1e-5)


def test_the_prior_points_to_where_a_name_lies(styles, monkeypatch):
    monkeypatch.setattr(emoji_vae, "PRIOR_STEPS", 600)
    monkeypatch.setattr(emoji_vae, "PAINTED_FROM", 1.0)
    model = tiny(styles)
    emoji_vae.fit_axes(model, styles)
    loss = emoji_vae.fit_prior(model, styles, argparse.Namespace(seed=0, device="cpu"))
    assert loss < 0.4  # a prior that knows nothing has 0.5
    pairs = [(group, 0) for group in styles.base.train]
    rows = [word_ids(model.config.vocabulary, styles.group(group).name)[0] for group, _ in pairs]
    with torch.no_grad():
        mean, spread = model.where(rows)
    apart = torch.cdist(mean, places(model, styles, [styles.files[style][group][0] for group, style in pairs]))
    hits = (apart.argmin(1) == torch.arange(len(rows))).float().mean()
    assert hits > 0.6  # by chance: 0.07
    assert spread.min() > 0.04


def test_the_words_of_held_out_names_alone_stay_unknown(styles):
    styles.group(styles.base.held_out[0]).aliases.append("zebra")
    assert "zebra" not in tiny(styles).config.vocabulary


def test_an_interrupted_run_goes_on(styles, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(emoji_vae, "BATCH", 4)
    asked = options(tmp_path, minutes=0.02)
    first = emoji_vae.train(tiny(styles), styles, asked)
    assert first["steps"] > 0
    assert (tmp_path / "latest.pt").exists()
    done = emoji_vae.train(tiny(styles), styles, asked)
    assert done["steps"] == first["steps"]  # nothing left to do
    asked.minutes = 0.04
    assert emoji_vae.train(tiny(styles), styles, asked)["steps"] > first["steps"]


def test_the_decoder_has_its_say_and_stays_as_it_is(styles, monkeypatch):
    monkeypatch.setattr(emoji_vae, "PRIOR_STEPS", 8)
    monkeypatch.setattr(emoji_vae, "PRIOR_BATCH", 8)
    found = []
    for weight in (0.0, 50.0):
        monkeypatch.setattr(emoji_vae, "PAINTED_WEIGHT", weight)
        model = tiny(styles)
        emoji_vae.fit_axes(model, styles)
        decoder = model.paint.weight.detach().clone()
        emoji_vae.fit_prior(model, styles, argparse.Namespace(seed=0, device="cpu"))
        assert torch.equal(model.paint.weight, decoder)
        found.append(model.prior[-1].weight.detach().clone())
    assert not torch.equal(*found)
