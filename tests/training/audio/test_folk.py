"""Both nets of tunes learn a toy set, and write a folder with marks that a card can be made of."""

import json

import pytest

from models.torchaudio_guard import guard

guard()

from tests.training.runs import Ticking, options  # noqa: E402
from training import loop  # noqa: E402
from training.audio import folk, folk_marks, sound_cards  # noqa: E402
from training.audio.tune_data import Collection, Source  # noqa: E402

BARS = ("d2 e f2 g", "a2 g f2 e", "d f a d2 f", "g2 e f2 d")


def collection():
    """Return 96 tunes of four bars; every fourth is a waltz."""
    made = []
    for number in range(96):
        bars = [BARS[(number >> shift) % 4] for shift in (0, 1, 2, 3)]
        words = ["|:", *" | ".join(bars).split(), ":|"]
        made.append(Source(f"tune {number}", "6/8", "D", "maj", "waltz" if number % 4 == 0 else "jig", words, "toys"))
    return Collection(train=made[8:], held_out=made[:8])


@pytest.mark.parametrize("net", ["gpt", "lstm"])
def test_it_learns_and_writes_what_ships(net, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(folk, "EVERY", 4)
    monkeypatch.setattr(folk, "BATCH_WORDS", 512)
    monkeypatch.setattr(folk_marks, "CONTEXT", 40)
    monkeypatch.setattr(folk_marks, "PER_KIND", 4)
    monkeypatch.setattr(folk_marks.tunes, "RHYTHMS", ("jig", "waltz"))
    monkeypatch.setattr(folk_marks, "like_training", lambda found, count, seed: found.train[:6])
    found = collection()
    rows = folk.Rows(found)
    tokenizer = folk.make_tokenizer(rows)
    model = folk.make_model(net, tokenizer)
    asked = options(tmp_path / "work", minutes=0.25, net=net, rate=1.0, out=tmp_path / f"folk-{net}")
    asked.work.mkdir()
    before = folk_marks.held_out_bits(model, tokenizer, found.held_out)
    facts = folk.train(model, tokenizer, rows, found, asked)
    assert len(facts["curve"]) >= 2
    assert folk_marks.held_out_bits(model, tokenizer, found.held_out) < 0.95 * before
    folk.export(model, tokenizer, rows, found, facts, asked)
    told = json.loads((asked.out / "training.json").read_text("utf-8"))
    assert set(told["bits_by_kind"]) == {"waltz", "jig", "major", "D major"}
    assert set(told["stuck"]) == {"jig", "waltz"}
    sound_cards.tune_card(asked.out, "a net")
    card = (asked.out / "README.md").read_text("utf-8")
    bits, many = told["bits_by_kind"]["waltz"]
    often, longest = told["stuck"]["waltz"]
    assert f"| waltz | {bits:.3f} | {many} | {often} | {longest} |" in card
    assert f"| D major | {told['bits_by_kind']['D major'][0]:.3f} | 8 |  |  |" in card


def test_tunes_with_words_that_a_shipped_net_does_not_know_are_left_out():
    found = collection()
    whole = folk.Rows(found)
    known = set(folk.make_tokenizer(whole).get_vocab())
    assert len(folk.Rows(found, known).keyed) == len(whole.keyed)
    found.train[0].words[1] = "b'4"
    assert len(folk.Rows(found, known).keyed) == len(whole.keyed) - 1
