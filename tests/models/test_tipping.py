"""`python -m models tipping`: of a model, a saved file or a run that is kept; what it leaves and what it refuses."""

import json
from dataclasses import replace

import pytest

import models
from models import tipping, whose
from models.__main__ import main
from models.runtime.engine import LocalEngine, StopSignal
from models.settings import Settings
from models.store import Store
from models.types import Request, Run

MODEL = "text/story-lstm"
WANTED = ["--prompt", "A hen", "--param", "max_new_tokens=12", "--seed", "4"]
REQUEST = Request(model=MODEL, inputs={"prompt": "A hen"}, params={"max_new_tokens": 12}, seed=4)


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Return what runs a command and returns its exit code, what it printed, and what stderr said."""
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))

    def call(*arguments, command="tipping"):
        code = main([command, *map(str, arguments)])
        out, said = capsys.readouterr()
        return code, out, said

    return call


def files(tmp_path):
    folder = tmp_path / "data"
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".sqlite", ".lock")}


@pytest.fixture(scope="module")
def final():
    for event in LocalEngine(Settings()).generate(REQUEST, StopSignal()):
        if event.kind == "final":
            return event
    return None


@pytest.fixture
def stored(tmp_path, final):
    """Return a store that holds a run of the request, with its making."""
    store = Store(Settings(data_dir=tmp_path / "data"))
    store.save_run(Run("run-1", whose.machine_owner(), "job", REQUEST, "done", 1.0, list(final.outputs)))
    yield store
    store.close()


def test_a_model_a_saved_file_and_a_kept_run_tell_the_same(shell, stored, tmp_path):
    code, out, _ = shell(MODEL, *WANTED, "--setting", "temperature", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["model"], told["seed"], told["run"]) == (MODEL, 4, None)
    assert (told["segments"][0]["from"], told["segments"][-1]["to"]) == (0, 2)
    assert told["segments"][told["own"]]["at"] is None

    code, out, _ = shell("run-1", "--setting", "temperature", "--json")
    assert code == 0
    assert json.loads(out) == {**told, "run": "run-1"}

    assert shell(MODEL, *WANTED, "--out", tmp_path / "hen.txt", command="run")[0] == 0
    code, out, _ = shell(tmp_path / "hen.txt", "--setting", "temperature", "--json")
    assert code == 0
    assert json.loads(out) == told

    code, out, _ = shell("run-1", "--setting", "temperature")
    lines = out.splitlines()
    assert lines[0] == told["sentence"]
    assert lines[-1] == told["how"]
    assert [line for line in lines if line.startswith(">")] == [
        next(line for line in lines if "the text stays the same" in line and line.startswith(">"))
    ]
    assert models.tipping_points is not None


def test_the_store_is_left_as_it_was(shell, stored, tmp_path):
    before = files(tmp_path)
    assert shell("run-1", "--setting", "top_p", "--json")[0] == 0
    assert files(tmp_path) == before
    assert shell(MODEL, "--prompt", "The sea", "--param", "max_new_tokens=3", "--setting", "top_p", "--json")[0] == 0
    assert files(tmp_path) == before


def test_a_run_whose_making_was_cleared_is_made_again(shell, stored, final):
    view = next(one for one in final.outputs if one.kind == "view")
    kept = json.loads(shell("run-1", "--setting", "temperature", "--json")[1])
    stored.path(view.sha256).unlink()
    code, out, _ = shell("run-1", "--setting", "temperature", "--json")
    assert code == 0
    assert json.loads(out) == kept
    assert not stored.path(view.sha256).exists()


def test_a_run_that_is_made_differently_by_now_is_refused(shell, stored, final):
    other = [replace(one, data=b"", sha256="0" * 64) if one.kind == "view" else one for one in final.outputs]
    stored.save_run(Run("old", whose.machine_owner(), "job", REQUEST, "done", 2.0, other))
    code, _, said = shell("old", "--setting", "temperature")
    assert code == 2
    assert "This run's settings now give another result" in said


def test_a_finer_step_is_looked_at(shell, stored):
    told = json.loads(shell("run-1", "--setting", "temperature", "--step", "0.01", "--json")[1])
    assert (told["step"], told["finest"]) == (0.01, 0.001)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((MODEL, *WANTED), "--setting is missing: name the setting to look at"),
        ((MODEL, *WANTED, "--setting", "max_new_tokens"), "“max_new_tokens” has no tipping points. Choose a setting"),
        ((MODEL, *WANTED, "--setting", "top_p", "--step", "0"), "step is 0; for top_p it must be"),
        ((MODEL, *WANTED, "--setting", "top_p", "--variant", "2"), "variant 2 does not exist; there are 1"),
        ((MODEL, *WANTED, "--setting", "top_p", "--out", "x.txt"), "--out does not go with tipping"),
        (("nope", "--setting", "top_p"), "“nope” is neither a model, nor a saved file, nor the id of a run"),
        (("run-1", "--seed", "3", "--setting", "top_p"), "--seed goes with a model alone"),
        (("image/emoji-vae", "--setting", "top_p"), "image/emoji-vae cannot tell tipping points. Choose text/story-"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(shell, stored, arguments, words):
    code, out, said = shell(*arguments)
    assert (code, out) == (2, "")
    assert words in said
    assert len(said.strip().splitlines()) == 1


def test_a_file_that_does_not_say_its_making_is_a_sentence(shell, tmp_path):
    (tmp_path / "plain.txt").write_text("Once upon a time")
    code, _, said = shell(tmp_path / "plain.txt", "--setting", "top_p")
    assert code == 2
    assert "does not say which model and seed made it" in said


def test_python_tells_what_the_shell_tells(tmp_path, stored, monkeypatch):
    settings = Settings(data_dir=tmp_path / "data")
    engine = LocalEngine(settings)
    run = stored.run("run-1", whose.machine_owner())
    assert tipping.tell(engine, settings, run, "top_p") == tipping.tell(engine, settings, REQUEST, "top_p")
    assert stored.run("run-1", "ann") is None
    engine.close()
