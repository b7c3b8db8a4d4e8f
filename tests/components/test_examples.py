"""The results that pages show before a first run are real: the shipped model gives them again."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import models
from components.example import EXAMPLES, read_run
from components.text import page
from models.audio import sounds
from models.blobs import Blobs
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import ASIDE, Request

FILES = sorted(EXAMPLES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_what_the_model_writes(file, tmp_path):
    example = read_run(file)
    given = {name: Blobs(tmp_path).put_bytes(file.with_name(f"{file.stem}-input.png").read_bytes())
             for name in ("image",) if file.with_name(f"{file.stem}-input.png").exists()}  # fmt: skip
    request = example.request.model_copy(update={"inputs": {**example.request.inputs, **given}})
    engine = LocalEngine(Settings(data_dir=tmp_path))
    *_, final = engine.generate(request)
    engine.close()
    shown = [output for output in final.outputs if output.kind not in ASIDE]
    assert [output.text for output in shown] == [output.text for output in example.outputs]
    for drawn, kept in zip(shown, example.outputs, strict=True):
        if kept.kind == "image":
            assert near(list(pixels(drawn.data)), list(pixels(kept.data)), 3)
        if kept.kind == "audio" and kept.data:
            assert near(sounds.read_wav(drawn.data)[0], sounds.read_wav(kept.data)[0], 0.02)
        assert near(drawn.meta.get("peaks") or [], kept.meta.get("peaks") or [], 0.02)


def near(one, other, most):
    """Say whether two lists or waves are alike but for rounding: processors differ in the last bits."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    return one.shape == other.shape and float(np.abs(one - other).max(initial=0)) <= most


def pixels(data):
    """Return a picture's own bytes: the file around them names versions and hashes of weights."""
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def test_there_is_an_example_for_every_place_that_shows_one():
    names = {file.stem for file in FILES}
    writing = {spec.id.replace("/", "-") for spec in models.list_models() if spec.examples and spec.here}
    assert writing <= names
    assert {f"temperature-{value}" for value in page.TEMPERATURES} <= names


@pytest.mark.parametrize(
    ("told", "meta", "inputs"),
    [
        ({"inputs": {"prompt": "a", "rows": "{}", "verses": "[]"}}, {}, {"prompt": "a", "rows": "{}", "verses": "[]"}),
        ({"inputs": {"song": "la"}}, {}, {"song": "la"}),
        ({"inputs": {}}, {}, {}),
        ({}, {"prompt_chars": 4}, {"prompt": "Once"}),
    ],
)  # fmt: skip
def test_an_example_has_every_input_that_its_file_tells(tmp_path, told, meta, inputs):
    output = {"kind": "text", "index": 0, "text": "Once upon", "media_type": "text/plain", "meta": meta}
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"model": "text/x", "params": {}, "seed": 1, "outputs": [output], **told}), "utf-8")
    assert read_run(file).request.inputs == inputs


def test_the_recording_that_ships_is_heard_as_it_was_said(tmp_path):
    engine = LocalEngine(Settings(data_dir=tmp_path))
    files = sorted(EXAMPLES.glob("*-input.wav"))
    assert files
    for file in files:
        data = file.read_bytes()
        said = "".join(sounds.read_settings(data).inputs["prompt"].split())
        model = file.name.removesuffix("-input.wav").replace("audio-", "audio/")
        request = Request(model=model, inputs={"audio": Blobs(tmp_path).put_bytes(data)})
        *_, final = engine.generate(request)
        assert final.outputs[0].text == said
    engine.close()
