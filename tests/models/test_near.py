"""Vectors of texts are made, kept as a note, and compared; what is damaged or of other weights is made again."""

import json
from pathlib import Path

import pytest

from models import near
from models.catalog import Catalog, load_catalog
from models.settings import Settings
from models.text.looking import meaning
from tests.tiny.task_nets import write_task_models

TEXTS = ["the cat sat on the mat", "a dog ran to the sea", "the cat sat"]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return load_catalog(write_task_models(tmp_path_factory.mktemp("tasks")))


def made(catalog, texts, **options):
    spec = catalog["text/near"]
    return near.embed_texts(Path(), **near.order(catalog, spec, texts), **options)


def test_a_model_that_is_here_is_taken_first():
    shipped = load_catalog(Settings(), strict=False)
    assert near.embedder(shipped).id == "text/minilm-l6"
    spec = shipped["text/minilm-l6"]
    here = spec.model_copy(update={"id": "text/own", "order": 200, "kept": Path("/")})
    both = Catalog([spec, here], shipped.families)
    assert near.embedder(both).id == ("text/minilm-l6" if spec.here else "text/own")
    assert near.embedder(Catalog([shipped["text/story-gpt"]], shipped.families)) is None


def test_the_vectors_survive_the_note_and_give_the_cosines(catalog):
    spec = catalog["text/near"]
    vectors = dict(zip(map(near.name_of, TEXTS), made(catalog, TEXTS), strict=True))
    note = json.loads(json.dumps(near.packed(spec, vectors, TEXTS)))
    kept = near.unpacked(spec, note)
    assert kept == vectors
    plain = meaning.vectors(spec.folder(), TEXTS)
    assert near.similarities(kept, TEXTS[0], TEXTS[1:]) == pytest.approx((plain[1:] @ plain[0]).tolist(), abs=2e-3)
    assert TEXTS[0] not in json.dumps(note)
    # what was deleted is kept no longer
    assert set(near.packed(spec, vectors, TEXTS[1:])["vectors"]) == {near.name_of(one) for one in TEXTS[1:]}


def test_a_call_does_what_it_has_time_for_and_at_least_a_few(catalog):
    some = made(catalog, TEXTS * 20, most_s=-1.0)
    assert len(some) == near.TOGETHER
    assert some == made(catalog, TEXTS * 20)[: near.TOGETHER]
    assert len(near.order(catalog, catalog["text/near"], ["a"] * 1000)["texts"]) == near.BATCH_MOST


def test_a_note_that_is_damaged_or_of_other_weights_is_as_good_as_none(catalog):
    spec = catalog["text/near"]
    whole = near.packed(spec, {"a": "AAA=", "b": "AAA="}, [])
    for note in (None, [], {}, "x", {**whole, "v": 2}, {**whole, "weights": "text/other"}, {**whole, "vectors": [1]},
                 {**whole, "vectors": {"a": "%"}}, {**whole, "vectors": {"a": ""}},
                 {**whole, "vectors": {"a": "AAA=", "b": "AAAAAA=="}}):  # fmt: skip
        assert near.unpacked(spec, note) == {}


def test_a_net_of_another_kind_gives_none(catalog, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mpnet"}')
    given = {**near.order(catalog, catalog["text/near"], TEXTS), "weights": str(tmp_path)}
    assert near.embed_texts(Path(), **given) is None
