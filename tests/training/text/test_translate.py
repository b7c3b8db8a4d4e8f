"""The translators' script on toy pairs: it learns, resumes, and writes a folder that transformers and the app load."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sacrebleu", reason="sacrebleu is missing: pip install -r requirements-train.txt")

from tests.training.text import task_toys

ROOT = Path(__file__).parents[3]


def train(folder, minutes, to="fr", steps="4", *more):
    run = subprocess.run(
        [sys.executable, "-m", "training.text.translate", "--data", str(folder / "data"), "--to", to,
         "--out", str(folder / "out"), "--work", str(folder / "work"), "--minutes", str(minutes), "--device", "cpu",
         "--hidden", "48", "--encoder-layers", "1", "--decoder-layers", "1", "--held-out", "12", "--threads", "1",
         "--log-every", steps, "--batch-tokens", "800", "--average", "0.9", "--dropout", "0",
         *more],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translate")
    task_toys.write_pairs(folder / "data")
    first = train(folder, 0.03)
    return folder, first, train(folder, 0.12)


def facts(told):
    return json.loads("{" + told.split("\n{", 1)[1])


def test_it_learns_and_resumes(trained):
    _, first, second = trained
    assert "resumed" in second
    assert facts(second)["steps"] > facts(first)["steps"]
    curve = list(csv.DictReader((trained[0] / "out/curve.csv").read_text().splitlines()))
    assert float(curve[-1]["held_out_loss_nats"]) < float(curve[0]["held_out_loss_nats"])


def test_what_ships_is_small_and_loads_by_its_name(trained):
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    out = trained[0] / "out"
    with safe_open(out / "model.safetensors", "np") as weights:
        assert {str(weights.get_slice(name).get_dtype()) for name in weights.keys()} == {"F16"}
    config = json.loads((out / "config.json").read_text())
    assert (config["task"], config["languages"]) == ("translation", ["en", "fr"])
    model = AutoModelForSeq2SeqLM.from_pretrained(out, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(out)
    text = "Le chat mange aujourd'hui."
    ids = tokenizer(text)["input_ids"]
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert model.generation_config.bad_words_ids == [[tokenizer.pad_token_id]]


def test_the_card_tells_split_marks_and_samples(trained):
    card = (trained[0] / "out/README.md").read_text("utf-8")
    for words in ("BLEU", "chrF", "license: apache-2.0", "Tatoeba", "12 held-out sentences", "The cat", "minutes on"):
        assert words in card
    assert "{" not in card
    marks = json.loads((trained[0] / "out/marks.json").read_text("utf-8"))
    assert marks["sentences"] == 12
    assert marks["training"]["minutes"] > 0


def test_marks_measured_again_keep_what_is_known_of_the_training(tmp_path):
    from training.text.evaluate_tasks import translation_marks, write_marks

    marks = translation_marks(["a b", "c d"], ["le chat dort ici", "oui"], ["le chat dort ici", "non"])
    write_marks(tmp_path, marks, {"minutes": 3.0})
    write_marks(tmp_path, {**marks, "exact": 0.25}, {})
    found = json.loads((tmp_path / "marks.json").read_text("utf-8"))
    assert (found["exact"], found["training"]) == (0.25, {"minutes": 3.0})
    assert set(found["by_words"]["1-5"]) == {"bleu", "bleu_half", "chrf", "sentences"}


def test_dropped_merges_cut_words_into_more_pieces(trained):
    from transformers import AutoTokenizer

    from training.text.translate import speller

    tokenizer = AutoTokenizer.from_pretrained(trained[0] / "out")
    rows = task_toys.pairs()
    whole = speller(tokenizer, rows, "fr", 0.0)()
    cut = speller(tokenizer, rows, "fr", 0.5)()
    assert sum(map(len, cut[0])) > sum(map(len, whole[0]))
    assert tokenizer.decode(cut[1][0], skip_special_tokens=True) == rows[0][1]
    back = speller(tokenizer, rows, "en", 0.0)()
    assert back == whole[::-1]


def test_the_recurrent_net_learns_the_same_pairs_with_the_same_tokenizer(trained, tmp_path):
    import torch
    from transformers import AutoModelForSeq2SeqLM

    import models.text.nets.lstm_seq2seq  # noqa: F401 - registers the LSTM

    before = trained[0] / "out"
    (tmp_path / "data").symlink_to(trained[0] / "data")
    train(tmp_path, 0.12, "fr", "4", "--net", "lstm", "--tokenizer", str(before))
    out = tmp_path / "out"
    curve = list(csv.DictReader((out / "curve.csv").read_text().splitlines()))
    assert float(curve[-1]["held_out_loss_nats"]) < float(curve[0]["held_out_loss_nats"])
    one, other = (json.loads((folder / "tokenizer.json").read_text("utf-8")) for folder in (before, out))
    assert one["model"] == other["model"]
    config = json.loads((out / "config.json").read_text())
    assert (config["task"], config["languages"]) == ("translation", ["en", "fr"])
    model = AutoModelForSeq2SeqLM.from_pretrained(out, dtype=torch.float32)
    assert type(model).__name__ == "LSTMForSeq2SeqLM"
    assert (model.config.encoder_layers, model.config.decoder_layers) == (1, 1)
    assert model.generation_config.bad_words_ids == [[model.config.pad_token_id]]
    card = (out / "README.md").read_text("utf-8")
    assert "LSTM" in card
    assert "MarianMT" not in card
