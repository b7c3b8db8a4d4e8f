"""Translations and labels from a shell, with the page's words: files in, files out."""

import csv
import io
import json

import pytest

from models.__main__ import main
from models.settings import PACKAGE_DIR
from tests.tiny.task_nets import write_task_models

SRT = "1\n00:00:01,000 --> 00:00:02,000\nthe cat sat\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_task_models(tmp_path_factory.mktemp("tasks")).catalog_dirs[0]


@pytest.fixture
def run(folder, tmp_path, monkeypatch, capsys):
    """Return what runs a command and returns its exit code, its last line as JSON, and what it told."""
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(PACKAGE_DIR / "catalog"), str(folder)]))
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("models.shell.on_interrupt", lambda ask: None)

    def run(*arguments):
        code = main(["run", *map(str, arguments)])
        told = capsys.readouterr()
        last = told.out.strip().split("\n")[-1]
        return code, json.loads(last) if code == 0 else None, told.err

    return run


def test_subtitles_in_are_subtitles_out(run, tmp_path):
    (tmp_path / "film.srt").write_text(SRT, "utf-8")
    out = tmp_path / "film.fr.srt"
    code, told, _ = run("text/marian", "--in", tmp_path / "film.srt", "--param", "max_new_tokens=5", "--out", out)
    assert code == 0
    lines = out.read_text("utf-8").split("\n")
    assert lines[:2] == SRT.split("\n")[:2]
    assert "\n".join(lines) == told["outputs"][0]["text"]


def test_of_a_text_that_beams_revise_the_shell_prints_what_is_final_alone(run, capsys, monkeypatch):
    said = []
    monkeypatch.setattr("models.shell.say", lambda text, end="\n": said.append(text + end))
    code = main(["run", "text/marian", "--prompt", "the cat sat. A dog ran! The sea.", "--param", "num_beams=4",
                 "--param", "max_new_tokens=12"])  # fmt: skip
    assert code == 0
    text = json.loads(said[-1])["outputs"][0]["text"]
    assert "".join(said[:-1]).strip() == text.strip()


def test_a_table_in_is_a_table_out(run, tmp_path):
    (tmp_path / "reviews.csv").write_text("id,review,stars\n1,the cat sat,good\n2,a dog ran,bad\n", "utf-8")
    out = tmp_path / "labelled.csv"
    code, told, _ = run("text/electra", "--in", tmp_path / "reviews.csv", "--text", "column=review", "--text",
                        "label_column=stars", "--out", out)  # fmt: skip
    assert code == 0
    assert told["params"]["by"] == "column"
    assert told["outputs"][0]["meta"]["confusion"]["of"] == 2
    rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8"))))
    assert [row["review"] for row in rows] == ["the cat sat", "a dog ran"]
    assert all(row["label"] for row in rows)


def test_the_whole_distribution_is_on_the_last_line_and_in_a_csv(run, tmp_path):
    out = tmp_path / "scores.csv"
    code, told, _ = run("text/electra", "--prompt", "the cat", "--out", out)
    assert code == 0
    scores = told["outputs"][0]["meta"]["scores"]
    assert {row["label"]: float(row["probability"]) for row in csv.DictReader(io.StringIO(out.read_text()))} == scores


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("text/electra", "--in", "{}/a.csv", "--text", "column=gold"), "has no column “gold”"),
        (("text/electra", "--in", "{}/none.csv"), "cannot be read"),
        (("text/marian", "--in", "{}/null.txt"), "null bytes"),
        (("text/marian", "--in", "{}/a.csv", "--prompt", "x"), "gives the prompt too"),
        (("text/marian", "--prompt", "Кошка сидит на коврике"), "are Cyrillic; this model reads English"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(run, tmp_path, arguments, words):
    (tmp_path / "a.csv").write_text("text\nthe cat\n", "utf-8")
    (tmp_path / "null.txt").write_bytes(b"a\0b")
    code, _, told = run(*(one.format(tmp_path) for one in arguments))
    assert words in told
    assert code == (0 if "Cyrillic" in words else 2)
