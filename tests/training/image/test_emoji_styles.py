"""The second edition's training: what is dealt, latents that are kept, prompts that fit, a run that goes on."""

import gzip
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.torchaudio_guard import guard

guard()

import torch  # noqa: E402
from torch import nn  # noqa: E402

pytest.importorskip("inflect", reason="inflect is missing: pip install -r requirements-train.txt")

from tests.training.image.emoji_toys import toy_styles  # noqa: E402
from tests.training.runs import Ticking, options  # noqa: E402
from training import loop  # noqa: E402
from training.image import emoji_deck, emoji_styles, style_choice  # noqa: E402
from training.image.emoji import COLOURS  # noqa: E402

SHIPPED = Path(__file__).parents[3] / "models/embedded/emoji-diffusion"


class Tiny(nn.Module):
    """Stand in for text encoder and U-Net."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.embed = nn.Embedding(9000, 16)
        self.conv = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, noisy, times, ids):
        return self.conv(noisy) + self.embed(ids).mean(1)[:, :, None, None]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer")


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Return options for a run; latents are shades instead of what the autoencoder gives."""
    encoded = []

    def encode(self, pixels):
        encoded.append(len(pixels))
        return pixels.float().mean((1, 2, 3))[:, None, None, None].expand(-1, 16, 8, 8).half()

    monkeypatch.setattr(emoji_deck, "COMPOSITIONS", 30)
    monkeypatch.setattr(emoji_deck, "PROMPTS", 400)
    monkeypatch.setattr(emoji_deck.Latents, "_encode", encode)
    found = options(tmp_path, data=tmp_path, export_only=False, batch=8)
    found.shipped, found.encoded = SHIPPED, encoded
    return found


def test_latents_are_made_once_and_again_when_the_recipe_changes(asked, tokenizer, monkeypatch):
    first = emoji_deck.Latents(toy_styles(), tokenizer, asked)
    tints = emoji_deck.TINTS * len(toy_styles().seen)
    assert asked.encoded == [len(toy_styles().captions), tints, 30]
    assert len(first.latents) == sum(asked.encoded)
    again = emoji_deck.Latents(toy_styles(), tokenizer, asked)
    assert len(asked.encoded) == 3
    assert torch.equal(first.latents, again.latents)
    monkeypatch.setattr(emoji_deck, "RECIPE", ["another"])
    emoji_deck.Latents(toy_styles(), tokenizer, asked)
    assert asked.encoded[3:] == [30]


def dealt(count, **shares):
    styles, choice = toy_styles(), random.Random(0)
    tints = [(group, style, "blue") for group, style in styles.seen]
    words = ["two red cats", "small pizza, 3d"]
    with pytest.MonkeyPatch.context() as patch:
        for name, share in shares.items():
            patch.setattr(emoji_deck, name, share)
        return styles, tints, words, [emoji_deck.deal(styles, tints, words, choice) for _ in range(count)]


def test_what_is_dealt_is_never_held_out():
    styles, _, _, found = dealt(2000, COMPOSED=0.0, TINTED=0.0)
    names = [group.name for group in styles.base.groups]
    whole = {(text.rpartition(", ")[0] or text, text.rpartition(", ")[2] if ", " in text else "") for _, text in found}
    assert not {text for text, _ in whole} & {names[3], names[9]}
    assert (names[0], "flat") not in whole  # a held-out pair, of a name that other styles teach
    assert {(names[0], "3d"), (names[0], "twemoji"), (names[0], "noto"), (names[0], "")} <= whole
    assert (names[5], "3d") not in whole
    counts = Counter(file % 32 // 2 for file, _ in found)
    assert set(counts) == set(styles.base.train)
    assert max(counts.values()) < 2 * min(counts.values())


def test_a_number_is_that_of_the_picture_which_fits_the_prompt():
    styles, tints, words, found = dealt(600, COMPOSED=0.3, TINTED=0.3)
    kinds = Counter()
    for place, text in found:
        thing = text.rpartition(", ")[0] or text
        if place < len(styles.captions):
            kinds["plain"] += 1
            group = place % 32 // 2
            known = styles.group(group)
            assert any(word in thing for word in (known.name, *known.keywords))
        elif place < len(styles.captions) + len(tints):
            kinds["tinted"] += 1
            group, style, colour = tints[place - len(styles.captions)]
            assert thing == f"{colour} {styles.group(group).name}"
            assert style == 0 or text.endswith(f", {emoji_deck.STYLES[style]}")
        else:
            kinds["composed"] += 1
            assert text == words[place - len(styles.captions) - len(tints)]
    assert min(kinds.values()) > 100


def test_a_batch_pairs_latents_with_their_prompts_and_leaves_some_captions_out(asked, tokenizer, monkeypatch):
    monkeypatch.setattr(emoji_deck, "EMPTY", 0.5)
    drawn = emoji_deck.Latents(toy_styles(), tokenizer, asked)
    deck = emoji_deck.kept_deck(toy_styles(), tokenizer, asked)
    pairs = {(tuple(ids.tolist()), float(drawn.latents[place, 0, 0, 0]))
             for ids, place in zip(deck.ids, deck.places, strict=True)}  # fmt: skip
    latents, ids = drawn.batch(300)
    assert latents.shape == (300, 16, 8, 8)
    assert latents.dtype == torch.float32
    empty = (ids == emoji_deck.tokenize(tokenizer, [""])).all(1)
    assert 0.35 < float(empty.float().mean()) < 0.65
    for row, latent in zip(ids[~empty], latents[~empty], strict=True):
        assert (tuple(row.tolist()), float(latent[0, 0, 0])) in pairs


def test_a_long_prompt_keeps_its_style(tokenizer):
    things = "notebook with decorative cover and mahjong red dragon and people with bunny ears and men"
    long = f"{things} holding hands, twemoji"
    fitted = emoji_deck.fitted(tokenizer, long)
    assert len(tokenizer(fitted).input_ids) <= emoji_deck.TOKENS < len(tokenizer(long).input_ids)
    assert fitted.endswith(", twemoji")
    assert fitted.startswith("notebook")
    for short in ("pizza, 3d", "pizza", "three, two, one"):
        assert emoji_deck.fitted(tokenizer, short) == short


def test_words_that_follow_an_article_are_known_too(tmp_path):
    (tmp_path / "stories").mkdir()
    with gzip.open(tmp_path / "stories" / "some.txt.gz", "wt") as stream:
        stream.write("A volcano slept. The volcano and two kittens ran quickly. An axe ran, a kitten ran. " * 3)
    assert emoji_styles.common_words(tmp_path) == ["volcano", "kittens", "axe", "kitten"]
    assert emoji_styles.common_words(tmp_path, 1) == ["volcano"]


def test_an_interrupted_run_goes_on(asked, tokenizer, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    model = Tiny()
    before = model.conv.weight.detach().clone()
    first = emoji_styles.train(model, toy_styles(), tokenizer, asked)
    assert first["steps"] > 0
    assert not torch.equal(model.conv.weight, before)
    asked.export_only = True
    again = Tiny()
    assert emoji_styles.train(again, toy_styles(), tokenizer, asked)["steps"] == first["steps"]
    assert torch.equal(again.conv.weight, model.conv.weight)
    asked.export_only, asked.minutes = False, 0.05
    assert emoji_styles.train(Tiny(), toy_styles(), tokenizer, asked)["steps"] > first["steps"]


def test_moments_are_kept_as_they_come_and_the_first_is_exported(asked, tokenizer, monkeypatch):
    written = []
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(emoji_styles, "EVERY", 1)
    monkeypatch.setattr(emoji_styles, "write", lambda model, *_: written.append(model.conv.weight.detach().clone()))
    model = Tiny()
    moments = emoji_styles.Moments(model, tokenizer, asked)
    asked.minutes = 0.2
    facts = emoji_styles.train(model, toy_styles(), tokenizer, asked, moments)
    assert list(moments.kept) == [f"{moment:g}" for moment in emoji_styles.MOMENTS]
    assert len(written) == 1
    assert torch.equal(written[0], moments.model("0.6").conv.weight)
    assert not torch.equal(moments.model("0.87").conv.weight, moments.model("0.6").conv.weight)
    assert {len(point) for point in facts["curve"]} == {4}  # step, minutes, loss, loss of held-out pairs


def test_the_moment_that_draws_best_is_chosen_and_the_last_without_a_judge(asked, tokenizer, monkeypatch, tmp_path):
    moments = emoji_styles.Moments(Tiny(), tokenizer, asked)
    for name, share in {"0.6": 0.2, "0.75": 0.8, "end": 0.8}.items():
        moments.keep(name, {**Tiny().state_dict(), "conv.bias": torch.full((16,), share)})
    asked.judge, asked.measure_until = tmp_path / "judge", None
    monkeypatch.setattr(style_choice, "WAITS_S", 0)
    assert style_choice.choose(moments, toy_styles(), asked) == "end"
    monkeypatch.setattr(style_choice, "load_judge", lambda _: SimpleNamespace(net=nn.Identity()))
    monkeypatch.setattr(style_choice, "pipeline_of", lambda model, *_: model)
    monkeypatch.setattr(
        style_choice.style_marks, "pairs_marks", lambda model, *_: {"top5": float(model.conv.bias[0].detach())}
    )
    assert style_choice.choose(moments, toy_styles(), asked) == "end"  # of two alike the later one
    moments.keep("end", {**Tiny().state_dict(), "conv.bias": torch.full((16,), 0.1)})
    assert style_choice.choose(moments, toy_styles(), asked) == "0.75"


def test_colours_of_tints_are_words_of_the_recipe(asked, tokenizer):
    deck = emoji_deck.kept_deck(toy_styles(), tokenizer, asked)
    assert {colour for _, _, colour in deck.tints} == set(COLOURS)
    assert len(deck.asked) == 30
