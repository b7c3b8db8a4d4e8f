"""The net in numpy gives the vectors of transformers, and says how near a result is to its prompt."""

import json
import shutil

import numpy as np
import pytest

from models.text.looking import meaning
from models.text.sampling.embedding import Embedding
from models.types import Output
from tests.tiny.task_nets import CONTEXT

TEXTS = ["the cat sat on the mat", "a", "is this good or bad? " * 30]


@pytest.fixture
def folder(tasks, tmp_path):
    """Return a copy of the random encoder, so that its files may be changed."""
    return shutil.copytree(tasks.catalog["text/near"].folder(), tmp_path / "near")


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_the_vectors_are_those_of_transformers(tasks, folder, pooling):
    spec = tasks.catalog["text/near"]
    meant = Embedding(tasks.catalog.family(spec.id).load(spec).parts, CONTEXT, pooling).vectors(TEXTS)
    names = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{names[pooling]}": True}))
    found = meaning.vectors(folder, TEXTS)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.allclose(found, meant / np.linalg.norm(meant, axis=1, keepdims=True), atol=1e-5)


def test_closeness_is_a_cosine_of_what_was_written_alone(folder):
    prompt = "the cat sat"
    same = Output("text", 0, prompt + prompt, meta={"prompt_chars": len(prompt)})
    assert meaning.closeness(same, prompt, folder) == pytest.approx(1, abs=1e-5)
    other = meaning.closeness(Output("text", 0, "is this bad?"), prompt, folder)
    assert -1 <= other < 0.999


def test_nothing_is_measured_without_words_or_by_another_net(folder):
    assert meaning.closeness(Output("text", 0, "the cat"), " ", folder) is None
    assert meaning.closeness(Output("text", 0, "the cat", meta={"prompt_chars": 7}), "the cat", folder) is None
    (folder / "config.json").write_text('{"model_type": "mpnet"}')
    meaning.read.cache_clear()
    assert meaning.closeness(Output("text", 0, "a dog"), "the cat", folder) is None
    assert meaning.vectors(folder, ["a dog"]) is None
