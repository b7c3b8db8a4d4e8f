"""The net in numpy gives the vectors of transformers, and says how near a result is to its prompt."""

import json
import shutil

import numpy as np
import pytest

from models import measuring
from models.catalog import Catalog
from models.measuring import Wanted
from models.settings import Settings
from models.text.looking import meaning
from models.text.sampling.embedding import Embedding
from models.types import Output, Request, Run
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


def test_a_sweep_of_texts_is_measured_by_a_model_that_is_here(tasks, tmp_path):
    def run(name, text, prompt="the cat sat"):
        request = Request(model="text/marian", inputs={"prompt": prompt})
        return Run(name, "me", name, request, "done", 0.0, [Output("text", 0, text)])

    settings = Settings(catalog_dirs=tasks.catalog["text/near"].file.parents[:1], data_dir=tmp_path)
    found = {one.name: one for one in measuring.offers(tasks.catalog, settings, ["text/marian"], ["text"])}
    assert found["closeness_near"].label == "Closeness to the prompt (near)"
    same, other = run("1", "the cat sat"), run("2", "is this bad?")
    wanted = [Wanted(found["closeness_near"], one, None, "the cat sat") for one in (same, other)]
    wanted.append(Wanted(found["nearness_near"], other, same))
    values = {}
    for some in measuring.heavy(wanted, lambda output: output.data, measuring.here):
        values |= some
    values = [values[one.key] for one in wanted]
    assert values[0] == pytest.approx(1, abs=1e-5)
    assert values[1] == pytest.approx(values[2], abs=1e-5)  # what was asked, and what the reference wrote, are the same
    assert values[2] < 0.999
    assert wanted[2].key[1].endswith("@1")  # another reference, another value
    gone = tasks.catalog["text/near"].model_copy(update={"kept": tmp_path / "not-here"})
    catalog = Catalog([gone, tasks.catalog["text/marian"]], tasks.catalog.families)
    assert not [one for one in measuring.offers(catalog, settings, ["text/marian"], ["text"]) if one.model]


def test_a_ranking_of_others_texts_is_not_measured(folder):
    ranking = Output("text", 0, "1.00  the cat", meta={"what": "similarities"})
    assert meaning.closeness(ranking, "the cat", folder) is None
    assert meaning.nearness(Output("text", 0, "the cat"), ranking, folder) is None


def test_nothing_is_measured_without_words_or_by_another_net(folder):
    assert meaning.closeness(Output("text", 0, "the cat"), " ", folder) is None
    assert meaning.closeness(Output("text", 0, "the cat", meta={"prompt_chars": 7}), "the cat", folder) is None
    (folder / "config.json").write_text('{"model_type": "mpnet"}')
    meaning.read.cache_clear()
    assert meaning.closeness(Output("text", 0, "a dog"), "the cat", folder) is None
    assert meaning.vectors(folder, ["a dog"]) is None
