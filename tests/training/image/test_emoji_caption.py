"""Captions: held-out pairs and names never come in, the vocabulary is that of training, marks count what they say."""

import json

import pytest
import torch

from models.image.nets.captioner import WRITERS, Captioner, CaptionerConfig
from tests.training.image.emoji_toys import toy_styles
from tests.training.runs import Ticking, options
from training import loop
from training.image import caption_card, caption_marks, emoji_caption
from training.image.styles import STYLES


@pytest.fixture(scope="module")
def styles():
    return toy_styles()


@pytest.fixture(scope="module")
def tokenizer(styles):
    return emoji_caption.make_tokenizer([styles.group(group).name for group in styles.base.train])


def small(tokenizer):
    """Return an untrained net of the script's making, but small."""
    whole = emoji_caption.make_model(tokenizer)
    told = {name: value for name, value in whole.config.to_dict().items() if name != "transformers_version"}
    net = Captioner(CaptionerConfig(**{**told, "channels": [8, 12, 16, 16], "hidden_size": 32, "lstm_size": 32,
                                       "feed_forward_size": 32}))  # fmt: skip
    net.generation_config = whole.generation_config
    return net


def test_words_are_those_of_the_training_names_and_the_styles(styles, tokenizer):
    ids = tokenizer(emoji_caption.caption("red cat", 2))["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["red", "cat", ",", "3d"]
    assert tokenizer.decode(ids) == "red cat , 3d"
    assert tokenizer("zebra")["input_ids"] == [tokenizer.unk_token_id]
    few = emoji_caption.make_tokenizer(["red cat", "3d hat"])
    assert sorted(few.get_vocab()) == sorted({"<pad>", "</s>", "<s>", "<unk>", ",", *STYLES, "red", "cat", "hat"})


def test_labels_end_and_what_is_behind_does_not_count(styles, tokenizer):
    labels = emoji_caption.labels_of(tokenizer, styles, [(0, 1), (4, 0)])
    assert labels[:, -1].tolist() == [tokenizer.eos_token_id] * 2
    assert tokenizer.decode(labels[0, :-1]) == "red cat , flat"
    longer = toy_styles()
    longer.group(4).name = "green cat with hat"
    few = emoji_caption.make_tokenizer(["red cat", "green cat with hat"])
    assert (emoji_caption.labels_of(few, longer, [(0, 1), (4, 0)])[0] == -100).sum() == 2


def test_training_draws_seen_pairs_alone(styles, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    drawn = set()

    class Watched(emoji_caption.Pictures):
        def draw(self, groups, generator, asked=None):
            drawn.update(zip(groups.tolist(), asked.tolist(), strict=True))
            return super().draw(groups, generator, asked)

    monkeypatch.setattr(emoji_caption, "Pictures", Watched)
    emoji_caption.train(small(tokenizer), tokenizer, styles, options(tmp_path, minutes=0.2, batch=16))
    assert drawn <= set(styles.seen)
    assert len(drawn) > 40


def test_both_decoders_learn_and_go_on_where_they_were_cut_off(styles, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "time", Ticking())
    monkeypatch.setattr(emoji_caption, "EVERY", 30)
    torch.manual_seed(0)
    net = small(tokenizer)
    asked = options(tmp_path, minutes=0.8, batch=32)
    average, facts = emoji_caption.train(net, tokenizer, styles, asked)
    first, last = facts["curve"][0], facts["curve"][-1]
    assert all(last[2 + at] < first[2 + at] for at in range(2))  # losses
    assert len(last) == 6
    assert emoji_caption.train(small(tokenizer), tokenizer, styles, asked)[1]["steps"] == facts["steps"]
    emoji_caption.export(emoji_caption.averaged(net, average), tokenizer, tmp_path / "out")
    kept = Captioner.from_pretrained(tmp_path / "out", dtype=torch.float32)
    assert kept.generation_config.begin_suppress_tokens == [1, 4]
    fresh = small(tokenizer)
    emoji_caption.begin_from(fresh, tokenizer, tmp_path / "out")
    assert all(torch.equal(one, other) for one, other in zip(fresh.parameters(), kept.parameters(), strict=True))
    with pytest.raises(SystemExit, match="other words"):
        emoji_caption.begin_from(fresh, emoji_caption.make_tokenizer(["red cat"]), tmp_path / "out")
    assert (tmp_path / "out/preprocessor_config.json").exists()


def test_a_name_is_right_when_all_of_its_words_up_to_the_comma_are(styles, tokenizer):
    net = emoji_caption.averaged(small(tokenizer), emoji_caption.Average(small(tokenizer), 0.9))
    pairs = styles.held_out
    labels = emoji_caption.labels_of(tokenizer, styles, pairs)

    def told(change):
        def logits(model, encoded, wanted):
            told = torch.nn.functional.one_hot(change(wanted.clone()).clamp(min=0), len(tokenizer)).float()
            return {"lstm": told, "transformer": torch.zeros_like(told)}

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(emoji_caption, "logits_of", logits)
            return emoji_caption.told(net, styles, pairs, labels)

    def other(at):
        def change(wanted):
            wanted[:, at] += 1
            return wanted

        return change

    assert told(lambda wanted: wanted) == {"lstm_unseen_pairs": 1.0, "transformer_unseen_pairs": 0.0}
    assert told(other(3))["lstm_unseen_pairs"] == 1.0  # the style is not the name's
    assert told(other(2))["lstm_unseen_pairs"] == 0.0  # the comma is
    assert told(other(0))["lstm_unseen_pairs"] == 0.0


def test_agreement_counts_names_styles_and_words(styles):
    pairs = [(0, 0), (0, 2), (1, 1), (5, 3)]
    found = caption_marks.agreement(styles, pairs, ["red cat , noto", "red hat , 3d", "red hat , 3d", "sun"])
    assert found == {"count": 4, "name": 0.5, "style": 0.5, "words": 0.625, "name_noto": 1.0, "name_flat": 1.0,
                     "name_3d": 0.0, "name_twemoji": 0.0}  # fmt: skip
    assert caption_marks.f1({"a", "b"}, {"b"}) == pytest.approx(2 / 3)
    assert caption_marks.f1(set(), {"b"}) == 0


def test_the_card_is_written_from_what_was_measured(styles, tokenizer, tmp_path):
    net = small(tokenizer).eval()
    marks = caption_marks.measure(net, tokenizer, styles)
    assert marks["unseen_pairs"]["lstm"]["count"] == 2
    assert marks["unseen_names"]["transformer"]["count"] == 8  # two names in four styles
    facts = {"steps": 7, "pictures": 64, "minutes": 0.1, "curve": [[5, 0.1, 2.0, 3.0, 0.5, 0.25]], "bfloat16": True,
             "seed": 0, "batch": 64}  # fmt: skip
    (tmp_path / "training.json").write_text(json.dumps(facts))
    caption_card.write_card(net, tokenizer, styles, marks, tmp_path, "one core")
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "7 steps of 64 augmented images" in card
    assert f"| unseen names | 8 | {marks['unseen_names']['lstm']['name']:.1%} |" in card
    assert card.count("\n| red ") + card.count("\n| green ") + card.count("\n| blue ") + card.count("\n| pink ") == 4
    assert (tmp_path / "curve.csv").read_text().splitlines() == [
        "step,minutes,lstm_loss_nats,transformer_loss_nats,lstm_unseen_pairs,transformer_unseen_pairs",
        "5,0.1,2,3,0.5,0.25",
    ]
    assert {"curve.png"} <= {file.name for file in tmp_path.iterdir()}
    assert set(WRITERS) == set(marks["seen_pairs"])
