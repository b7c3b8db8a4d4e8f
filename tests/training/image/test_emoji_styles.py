"""The second edition's training: what is drawn, latents that are kept, prompts that fit, a run that goes on."""

import random
from collections import Counter
from pathlib import Path

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402
from torch import nn  # noqa: E402

pytest.importorskip("inflect")  # a training need

from tests.training.image.emoji_toys import toy_styles  # noqa: E402
from tests.training.runs import Ticking, options  # noqa: E402
from training import loop  # noqa: E402
from training.image import emoji_styles  # noqa: E402

SHIPPED = Path(__file__).parents[3] / "models/embedded/emoji-diffusion"


class Tiny(nn.Module):
    """Stand in for text encoder and U-Net."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.embed = nn.Embedding(2000, 16)
        self.conv = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, noisy, times, ids):
        return self.conv(noisy) + self.embed(ids).mean(1)[:, :, None, None]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer")


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Return options over the toy set; latents are shades instead of what the autoencoder gives."""
    encoded = []

    def encode(self, pixels):
        encoded.append(len(pixels))
        return pixels.float().mean((1, 2, 3))[:, None, None, None].expand(-1, 16, 8, 8).half()

    monkeypatch.setattr(emoji_styles, "load_styles", lambda _: toy_styles())
    monkeypatch.setattr(emoji_styles, "COMPOSITIONS", 30)
    monkeypatch.setattr(emoji_styles, "BATCH", 8)
    monkeypatch.setattr(emoji_styles.Latents, "_encode", encode)
    found = options(tmp_path, data=tmp_path, export_only=False)
    found.shipped, found.encoded = SHIPPED, encoded
    return found


def test_latents_are_made_once_and_again_when_the_recipe_changes(asked, tokenizer, monkeypatch):
    first = emoji_styles.Latents(tokenizer, asked)
    tints = emoji_styles.TINTS * len(first.styles.seen)
    assert asked.encoded == [len(first.styles.captions), tints, 30]
    again = emoji_styles.Latents(tokenizer, asked)
    assert len(asked.encoded) == 3
    assert torch.equal(first.composed, again.composed)
    assert first.words == again.words
    monkeypatch.setattr(emoji_styles, "RECIPE", ["another"])
    emoji_styles.Latents(tokenizer, asked)
    assert asked.encoded[3:] == [30]


def test_what_is_drawn_is_never_held_out(asked, tokenizer, monkeypatch):
    monkeypatch.setattr(emoji_styles, "COMPOSED", 0.0)
    monkeypatch.setattr(emoji_styles, "TINTED", 0.0)
    monkeypatch.setattr(emoji_styles, "EMPTY", 0.0)
    drawn, choice = emoji_styles.Latents(tokenizer, asked), random.Random(0)
    names = [group.name for group in drawn.styles.base.groups]
    counts = Counter()
    for _ in range(250):
        latents, prompts = drawn.batch(choice)
        assert latents.shape == (8, 16, 8, 8)
        assert latents.dtype == torch.float32
        counts.update(prompts)
    whole = {(text.rpartition(", ")[0] or text, text.rpartition(", ")[2] if ", " in text else "") for text in counts}
    assert not {text for text, _ in whole} & {names[3], names[9]}
    assert (names[0], "flat") not in whole  # a held-out pair, of a name that other styles teach
    assert {(names[0], "3d"), (names[0], "twemoji"), (names[0], "noto"), (names[0], "")} <= whole
    assert (names[5], "3d") not in whole


def test_a_share_of_the_prompts_is_empty_tinted_and_composed(asked, tokenizer, monkeypatch):
    monkeypatch.setattr(emoji_styles, "COMPOSED", 1.0)
    monkeypatch.setattr(emoji_styles, "EMPTY", 0.5)
    drawn, choice = emoji_styles.Latents(tokenizer, asked), random.Random(0)
    prompts = [words for _ in range(40) for words in drawn.batch(choice)[1]]
    assert 0.35 < prompts.count("") / len(prompts) < 0.65
    assert set(prompts) - {""} <= set(drawn.words)
    monkeypatch.setattr(emoji_styles, "COMPOSED", 0.0)
    monkeypatch.setattr(emoji_styles, "TINTED", 1.0)
    tinted = [words for _ in range(20) for words in drawn.batch(choice)[1] if words]
    assert all(words.split()[0] in emoji_styles.COLOURS for words in tinted)


def test_a_long_prompt_keeps_its_style(asked, tokenizer):
    drawn = emoji_styles.Latents(tokenizer, asked)
    long = "notebook with decorative cover and mahjong red dragon, twemoji"
    fitted = drawn._fitted(long)
    assert len(tokenizer(fitted).input_ids) <= emoji_styles.TOKENS < len(tokenizer(long).input_ids)
    assert fitted.endswith(", twemoji")
    assert fitted.startswith("notebook")
    for short in ("pizza, 3d", "pizza", "three, two, one"):
        assert drawn._fitted(short) == short


def test_an_interrupted_run_goes_on(asked, tokenizer, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    model = Tiny()
    before = model.conv.weight.detach().clone()
    first = emoji_styles.train(model, tokenizer, asked)
    assert first["steps"] > 0
    assert not torch.equal(model.conv.weight, before)
    asked.export_only = True
    again = Tiny()
    assert emoji_styles.train(again, tokenizer, asked)["steps"] == first["steps"]
    assert torch.equal(again.conv.weight, model.conv.weight)
    asked.export_only, asked.minutes = False, 0.05
    assert emoji_styles.train(Tiny(), tokenizer, asked)["steps"] > first["steps"]
