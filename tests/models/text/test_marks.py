"""What training wrote of a translator beside its weights."""

import json
import re
from types import SimpleNamespace

import pytest

from models.catalog import load_catalog
from models.errors import WeightsError
from models.settings import Settings
from models.text import marks

ONE = {"bleu": 40.0, "bleu_half": 1.5, "chrf": 60.0, "sentences": 90}
GOOD = {**ONE, "by_words": {"1-5": {**ONE, "sentences": 50}, "6+": {**ONE, "sentences": 40}}, "loops": 0.0}


def spec(folder, text=None):
    if text is not None:
        (folder / "marks.json").write_text(text, "utf-8")
    return SimpleNamespace(id="text/one", here=True, folder=lambda: folder)


def test_scores_are_read_by_length_short_ones_first(tmp_path):
    found = marks.translated(spec(tmp_path, json.dumps({**GOOD, "training": {"minutes": 40.0}})))
    assert found.every == marks.Score("all", 40.0, 1.5, 90)
    assert [(one.words, one.sentences) for one in found.by_words] == [("1-5", 50), ("6+", 40)]
    assert found.minutes == 40.0
    assert marks.translated(spec(tmp_path, json.dumps(GOOD))).minutes is None


def test_a_model_without_marks_or_not_here_has_none(tmp_path):
    assert marks.translated(spec(tmp_path)) is None
    assert marks.translated(SimpleNamespace(id="text/one", here=False)) is None


@pytest.mark.parametrize("text", [
    "{", "[]", "3", json.dumps(ONE), json.dumps({**GOOD, "bleu": "40"}), json.dumps({**GOOD, "bleu_half": 1e9}),
    json.dumps({**GOOD, "by_words": [1]}), json.dumps({**GOOD, "by_words": {"1-5": {**ONE, "sentences": 0}}}),
    json.dumps({**GOOD, "by_words": {"": ONE}}), json.dumps({**GOOD, "training": 3}),
    json.dumps({**GOOD, "sentences": 10**400}), json.dumps({**GOOD, "training": {"minutes": 10**400}}),
    json.dumps({**GOOD, "bleu": float("nan")}), "[" * 5000,
])  # fmt: skip
def test_damaged_marks_are_a_sentence(tmp_path, text):
    with pytest.raises(WeightsError, match=r"text/one: marks\.json is damaged\. Restore it"):
        marks.translated(spec(tmp_path, text))


@pytest.mark.parametrize("one", [
    one for one in load_catalog(Settings()).values() if one.family == "seq2seq_lm" and one.embedded
], ids=lambda one: one.id)  # fmt: skip
def test_marks_of_shipped_translators_are_those_of_their_cards(one):
    found, card = marks.translated(one), (one.folder() / "README.md").read_text("utf-8")
    assert f"| **BLEU** | **{found.every.bleu}** on {found.every.sentences:,} held-out sentences" in card
    table = re.findall(r"^\| ([\d+-]+) \| ([\d,]+) \| ([\d.]+) \|", card, re.MULTILINE)
    assert table == [(score.words, f"{score.sentences:,}", f"{score.bleu:.1f}") for score in found.by_words]
    assert f" {found.minutes} minutes on " in card
