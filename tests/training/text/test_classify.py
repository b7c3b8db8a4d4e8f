"""The classifiers' scripts on toy sentences: they pretrain, learn, resume, calibrate and write what the app loads."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is missing: pip install -r requirements-train.txt")

from tests.training.text import task_toys

ROOT = Path(__file__).parents[3]


def call(module, folder, *more):
    run = subprocess.run(
        [sys.executable, "-m", f"training.text.{module}", "--data", str(folder / "data"), "--device", "cpu",
         "--threads", "1", "--log-every", "5", *more],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    task_toys.write_tasks(folder / "data")
    call("encoder", folder, "--minutes", "0.05", "--work", str(folder / "encoder"))
    return folder


def classify(folder, task, minutes, seeds=2):
    places = {"--encoder": "encoder", "--work": task, "--out": f"out-{task}"}
    where = [word for name, place in places.items() for word in (name, str(folder / place))]
    return call("classify", folder, "--task", task, "--minutes", str(minutes), "--seeds", str(seeds), *where)


def test_sentiment_learns_resumes_and_ships_the_first_seed(folder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    first = classify(folder, "sentiment", 0.06)
    assert "begins with the pretrained encoder" in first
    again = classify(folder, "sentiment", 0.24)
    assert again.count("resumed") == 2
    out = folder / "out-sentiment"
    marks = json.loads((out / "marks.json").read_text())
    assert set(marks) == {"accuracy", "macro_f1", "ece", "answered", "answered_accuracy"}
    curve = list(csv.DictReader((out / "curve.csv").read_text().splitlines()))
    first_loss, *later = (float(point["train_loss_nats"]) for point in curve)
    assert min(later) < first_loss  # few steps fit into the seconds of a busy machine: the last one may be a hard batch
    model = AutoModelForSequenceClassification.from_pretrained(out, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert 0 < model.config.threshold < 1
    small, large = (model(**tokenizer([text], return_tensors="pt")).logits for text in ("a dull film", "A dull FILM"))
    assert torch.equal(small, large)


def test_intents_come_with_a_card_and_what_it_says_of_what_is_outside(folder):
    classify(folder, "intent", 0.1, seeds=1)
    out = folder / "out-intent"
    marks = json.loads((out / "marks.json").read_text())
    assert set(marks) >= {"accuracy", "ece", "outside_recall", "answered"}
    card = (out / "README.md").read_text("utf-8")
    for words in ("CLINC150", "license: apache-2.0", "Threshold", "minutes a net on"):
        assert words in card
    assert "{" not in card


def test_one_temperature_makes_the_probabilities_honest():
    import torch

    from training.text.classify import calibrate
    from training.text.labelled import Labelled

    class Sure(torch.nn.Module):
        """Give logits of 8 for the label of the text's first token, right in three cases of four."""

        def __init__(self):
            super().__init__()
            self.classifier = torch.nn.Module()
            self.classifier.out_proj = torch.nn.Linear(2, 2)
            torch.nn.init.eye_(self.classifier.out_proj.weight)
            torch.nn.init.zeros_(self.classifier.out_proj.bias)
            self.config = type("Config", (), {"num_labels": 2, "max_position_embeddings": 8})
            self.device = "cpu"

        def forward(self, input_ids, attention_mask):
            given = torch.nn.functional.one_hot(input_ids[:, 0] - 1, 2).float() * 8
            return type("Said", (), {"logits": self.classifier.out_proj(given)})

    class Tokenizer:
        pad_token_id = 0

        def __call__(self, texts, **more):
            return {"input_ids": [[1 + int(text)] for text in texts]}

    model = Sure()
    rows = [(str(at % 2), at % 2 if at % 4 else 1 - at % 2) for at in range(200)]
    threshold = calibrate(model, Tokenizer(), Labelled(("a", "b"), rows, rows, rows))
    scale = float(model.classifier.out_proj.weight.detach()[0, 0]) * 8
    assert torch.sigmoid(torch.tensor(scale)) == pytest.approx(0.75, abs=0.01)
    assert threshold == 0.95


def test_a_teacher_learns_words_and_is_asked_about_what_it_has_not_seen():
    from training.text import teacher

    rows = [(f"{word} {at}", label) for at in range(12) for word, label in (("good", 1), ("bad", 0))]
    said = teacher.unseen(rows, 2)
    assert said.shape == (24, 2)
    assert (said.argmax(1) == [label for _, label in rows]).all()
    assert teacher.fitted(rows, 2).predict(["good film"]) == [1]
    three = teacher.fitted([*rows, *[(f"why {at}", 2) for at in range(12)]], 3)
    assert three.predict(["why that"]) == [2]


def test_masks_hide_words_alone_at_the_share_that_is_asked_for():
    import torch

    from training.text import encoder

    class Tokenizer:
        mask_token_id = encoder.SPECIAL.index(encoder.MASK)

        def __len__(self):
            return 100

    ids = torch.full((50, 40), 50)
    ids[:, 0], ids[:, -1] = 2, 0
    given, hidden = encoder.masked(ids, Tokenizer(), torch.Generator().manual_seed(0))
    assert not hidden[:, 0].any()
    assert not hidden[:, -1].any()
    assert float(hidden[:, 1:-1].float().mean()) == pytest.approx(0.15, abs=0.02)
    assert (given[~hidden] == ids[~hidden]).all()
    assert float((given[hidden] == Tokenizer.mask_token_id).float().mean()) == pytest.approx(0.8, abs=0.05)
