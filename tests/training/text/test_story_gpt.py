"""The training script on a toy set: it learns, resumes, and writes a folder that the playground runs."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.text.test_story_data import write

ROOT = Path(__file__).parents[3]
ANIMALS = ["hen", "fox", "cat", "dog", "owl", "pig", "cow", "bee"]
THINGS = ["hat", "cup", "bed", "pie", "key", "map", "bell", "kite", "drum", "shoe"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    stories = [
        f"Once there was a {animal} with a {thing}. The {animal} lost the {thing} in the {place}. "
        f"A kind {friend} found the {thing}. The {animal} and the {friend} were happy."
        for animal in ANIMALS
        for thing in THINGS
        for place in ("park", "sea", "wood")
        for friend in ("girl", "boy")
    ]
    write(folder / "stories/tinystories.txt.gz", stories)
    from training.text.story_data import SIMPLE_EXTRA

    for name in SIMPLE_EXTRA:
        write(folder / f"stories-extra/{name}.txt.gz", ["The end of a small tale."])
    return folder


def train(data, folder, minutes, samples):
    run = subprocess.run(
        [sys.executable, "-m", "training.text.story_gpt", "--data", str(data), "--out", str(folder / "out"), "--work",
         str(folder / "work"), "--minutes", str(minutes), "--device", "cpu", "--hidden", "64", "--layers", "1",
         "--eager", "--log-every", "2", "--samples", str(samples), "--told", "2"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def test_it_learns_resumes_and_writes_what_ships(data, tmp_path):
    first = json.loads("{" + train(data, tmp_path, 0.03, samples=1).split("\n{", 1)[1])
    again = train(data, tmp_path, 0.12, samples=10)
    assert "resumed" in again
    second = json.loads("{" + again.split("\n{", 1)[1])
    assert second["steps"] > first["steps"]
    assert second["bits_per_character"] < first["bits_per_character"] < 8
    out = tmp_path / "out"
    card = (out / "README.md").read_text("utf-8")
    for words in ("Bits per character", "license: apache-2.0", "TinyStories", "Seed 9", "minutes on"):
        assert words in card
    curve = list(csv.DictReader((out / "curve.csv").read_text().splitlines()))
    assert float(curve[-1]["minutes"]) > 0
    assert {path.name for path in out.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json", "curve.csv"}
    from safetensors import safe_open

    with safe_open(out / "model.safetensors", "np") as weights:
        assert {str(weights.get_tensor(name).dtype) for name in weights.keys()} == {"float16"}
