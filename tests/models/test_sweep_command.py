"""A sweep from its file, in a shell: what it writes, what it finds again, what it refuses."""

import csv
import json

import pytest

from models import readers, sweep_command
from models.__main__ import main
from models.runtime import sweeping
from models.settings import Settings
from models.sweeps import spec
from models.sweeps.spec import Axis, Sweep
from models.types import Request

MODEL = "text/story-lstm"


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Return what runs a command and returns its exit code, its last line as JSON, and what stderr said."""
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))

    def call(*arguments):
        code = main(["sweep", *map(str, arguments)])
        out, said = capsys.readouterr()
        lines = out.strip().splitlines()
        return code, json.loads(lines[-1]) if lines else None, said

    return call


@pytest.fixture
def file(tmp_path):
    def write(*axes, **request):
        asked = {"model": MODEL, "inputs": {"prompt": "A hen"}, "params": {"max_new_tokens": 3}, **request}
        path = tmp_path / "spec.json"
        path.write_text(Sweep(Request(**asked), tuple(Axis(name, tuple(values)) for name, values in axes)).to_json())
        return path

    return write


def rows(folder):
    return list(csv.DictReader((folder / "cells.csv").open(newline="")))


def test_a_sweep_becomes_a_folder_and_is_found_again(shell, file, tmp_path):
    path, out = file(("do_sample", (False, True)), ("seed", (0, 1))), tmp_path / "out"
    code, told, said = shell(path, "--out", out)
    assert (code, told["cells"], told["distinct"], told["computed"], told["cached"]) == (0, 4, 3, 3, 0)
    assert "Seed does nothing while Sampling is off: that is so in 2 of 4 cells." in said
    assert "4 cells · about" in said
    table = rows(out)
    assert [row["state"] for row in table] == ["computed", "same", "computed", "computed"]
    assert table[0]["output_sha256"] == table[1]["output_sha256"] != table[2]["output_sha256"]
    assert [row["file"] for row in table] == [
        "cell-0000-do-sample-off-seed-0.txt", "cell-0000-do-sample-off-seed-0.txt", "cell-0002-do-sample-on-seed-0.txt",
        "cell-0003-do-sample-on-seed-1.txt",
    ]  # fmt: skip
    assert "A hen" in (out / "cell-0002-do-sample-on-seed-0.txt").read_text("utf-8")
    assert spec.read((out / "sweep.json").read_bytes()) == spec.read(path.read_bytes())
    assert "4 of 4 cells" in (out / "index.html").read_text("utf-8")
    code, again, said = shell(path, "--out", tmp_path / "again", "--json")
    assert (code, again["computed"], again["cached"]) == (0, 0, 3)
    assert "4 cells · 3 already here" in said
    assert [row["output_sha256"] for row in rows(tmp_path / "again")] == [row["output_sha256"] for row in table]
    assert {
        file.name: file.read_bytes() for file in (tmp_path / "again").iterdir() if file.suffix in (".txt", ".csv")
    } == {file.name: file.read_bytes() for file in out.iterdir() if file.suffix in (".txt", ".csv")}
    assert (told["sheets"], again["sheets"]) == ([], [])  # texts have none


@pytest.mark.parametrize(("options", "ending"), [([], "png"), (["--sheets", "jpg"], "jpg")])
def test_pictures_come_with_a_contact_sheet(shell, file, tmp_path, options, ending):
    path = file(("seed", (0, 1)), ("num_inference_steps", (1, 2)), model="image/emoji-diffusion", params={})
    code, told, _ = shell(path, "--out", tmp_path / "out", *options)
    assert (code, told["computed"], told["sheets"]) == (0, 4, [f"sheet-1.{ending}"])
    kind, said = readers.read_settings((tmp_path / "out" / f"sheet-1.{ending}").read_bytes(), Settings())
    assert (kind, said.model, said.inputs) == ("picture", "image/emoji-diffusion", {"prompt": "A hen"})


def test_what_was_stopped_goes_on_where_it_was(shell, file, tmp_path, monkeypatch):
    path, whole = file(("seed", (0, 1, 2))), sweeping.run

    def stops(*given, stop, **more):
        for result in whole(*given, stop=stop, **more):
            yield result
            monkeypatch.undo()  # nothing more is made: as Ctrl+C after the first
            monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))
            return

    monkeypatch.setattr(sweep_command.sweeping, "run", stops)
    _, told, _ = shell(path, "--out", tmp_path / "out")
    assert (told["computed"], told["waiting"]) == (1, 2)
    assert [row["state"] for row in rows(tmp_path / "out")] == ["waiting", "computed", "waiting"]
    _, told, _ = shell(path, "--out", tmp_path / "out")
    assert (told["computed"], told["cached"], told["waiting"]) == (2, 1, 0)


def test_a_budget_makes_a_coarse_grid(shell, file, tmp_path):
    code, told, said = shell(file(("seed", tuple(range(9)))), "--out", tmp_path / "out", "--budget-s", "1e-9")
    assert (code, told["computed"], told["waiting"]) == (0, 1, 8)
    assert "begin once the first cell is there" in said


@pytest.mark.parametrize(("content", "options", "words"), [
    (None, [], "cannot be read"), ("{}", [], "does not say its version"), ("x", [], "is not valid JSON"),
    ("good", [], "--out is missing"), ("good", ["--out", "FILE"], "is a file. Name a folder"),
    ("good", ["--out", "DIR", "--prompt", "x"], "--prompt does not go with a sweep's file"),
    ("good", ["--out", "DIR", "--budget-s", "-1"], "--budget-s is -1"),
    ("good", ["--out", "DIR", "--budget-s", "inf"], "--budget-s is inf"),
    ("good", ["--out", "x" * 300], "cannot be made (File name too long)"),
    ("wild", ["--out", "DIR"], "temperature is 99"), ("wild", [], "temperature is 99"),
    ("lost", ["--out", "DIR"], "No file is stored"),
])  # fmt: skip
def test_what_cannot_run_is_a_sentence_and_makes_nothing(shell, file, tmp_path, content, options, words):
    path = file(("temperature", (0.5, 99.0) if content == "wild" else (0.5, 1.0)))
    if content is None:
        path.unlink()
    elif content == "lost":
        sweep = {"v": 1, "request": {"model": "audio/digit-recogniser", "inputs": {"audio": f"sha256:{'0' * 64}"}},
                 "axes": [{"name": "max_outlier", "values": [2.0, 3.0]}]}  # fmt: skip
        path.write_text(json.dumps(sweep))
    elif content not in ("good", "wild"):
        path.write_text(content)
    (tmp_path / "taken").write_text("")
    names = {"FILE": tmp_path / "taken", "DIR": tmp_path / "out"}
    code, told, said = shell(path, *[names.get(one, one) for one in options])
    assert (code, told) == (2, None)
    assert words in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


def test_over_goes_with_a_model(shell):
    assert shell(MODEL, "--prompt", "x")[2].startswith("--over is missing")
    assert "SPEC.json" in shell(MODEL, "--over", "seed", "--budget-s", "3")[2]
    said = shell(MODEL, "--prompt", "x", "--over", "temperature=1,5")[2]
    assert "no setting 'temperature=1,5' to vary; did you mean temperature? Values go with --value." in said
    assert "to vary. Values go" in shell(MODEL, "--prompt", "x", "--over", "nope")[2]
