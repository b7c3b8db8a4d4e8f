"""The Runs page searched by meaning: with a model that is here, and without."""

import json

import pytest

from components import library_meaning, presence
from models import near
from models.catalog import load_catalog
from models.settings import PACKAGE_DIR, Settings
from tests.components.page_steps import said
from tests.components.test_runs_page import OWNER, PAGE, rows, save, search
from tests.tiny.task_nets import write_task_models


@pytest.fixture(autouse=True)
def _me(monkeypatch):
    monkeypatch.setattr(presence, "session_id", lambda: OWNER)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_task_models(tmp_path_factory.mktemp("tasks")).catalog_dirs[0]


@pytest.fixture
def here(tiny, monkeypatch, decoder):
    """Let the app know a random encoder beside the shipped models; the process that reads with it runs."""
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(PACKAGE_DIR / "catalog"), str(tiny)]))
    catalog = load_catalog(Settings())
    decoder.call(near.embed_texts, **near.order(catalog, catalog["text/near"], ["a cat"]))
    return catalog["text/near"]


def choice(page):
    return next(item for item in page.get("button_group") if item.key == "library-by")


def by_meaning(page, text):
    choice(page).set_value(library_meaning.MEANING)
    return search(page, text)


def shown(page):
    return [
        float(one.value.split()[1].replace("−", "-")) for one in page.caption if one.value.startswith("Similarity ")
    ]


def test_prompts_are_found_by_meaning_the_nearest_first(pages, here):
    for at, prompt in enumerate(("the cat sat on the mat", "is this good or bad?", "a dog ran", "a dog ran")):
        save(pages, f"run-{at}", prompt, at=1e9 + at)
    save(pages, "foreign", "the cat sat", owner="other")
    page = by_meaning(pages.open(PAGE), "the cat sat on the mat")
    assert rows(page)[0] == "run-0"
    assert set(rows(page)) == {"run-0", "run-1", "run-3"}  # the newest of one prompt, and nobody else's
    assert shown(page)[0] == 1.0
    assert shown(page) == sorted(shown(page), reverse=True)
    assert "The nearest of 3 prompts, by near" in said(page)
    note = pages.store.note(OWNER, library_meaning.NOTE)
    assert len(note["vectors"]) == 3
    pages.store.delete(OWNER, ["run-1"])
    page = search(page, "a dog")
    assert "run-1" not in rows(page)
    assert near.name_of("is this good or bad?") not in pages.store.note(OWNER, library_meaning.NOTE)["vectors"]
    pages.store.forget(OWNER)
    assert pages.store.note(OWNER, library_meaning.NOTE) is None


def test_what_was_made_before_is_not_made_again_and_words_stay_as_they_were(pages, here, monkeypatch):
    save(pages, "run", "the cat sat")
    page = by_meaning(pages.open(PAGE), "a dog")
    asked = []
    order = near.order
    monkeypatch.setattr(near, "order", lambda *given: asked.append(given[2]) or order(*given))
    page = search(page, "the rain")
    assert asked == [["the rain"]]
    search(page, "the rain")
    assert len(asked) == 1
    choice(page).set_value(library_meaning.WORDS)
    page.run()
    assert rows(page) == []
    assert "Nothing fits" in said(page)
    assert rows(search(page, "cat")) == ["run"]


def test_the_filters_hold_and_an_empty_search_lists_all(pages, here):
    save(pages, "one", "the cat sat")
    save(pages, "two", "a dog ran")
    pages.store.star(OWNER, ["two"])
    page = by_meaning(pages.open(PAGE), "the cat sat")
    page.toggle[0].set_value(True)
    page.run()
    assert rows(page) == ["two"]
    assert rows(search(page, "")) == ["two"]
    assert not shown(page)


def test_without_the_model_a_sentence_says_how_to_get_it(pages):
    save(pages, "run", "the cat sat")
    page = by_meaning(pages.open(PAGE), "a dog")
    assert "needs a model of sentence embeddings" in said(page)
    assert [item.key for item in page.button if item.key.startswith("get-")] == ["get-text/minilm-l6"]
    assert rows(page) == []


def test_a_net_that_cannot_be_read_is_a_sentence(pages, here, monkeypatch):
    save(pages, "run", "the cat sat")
    order = near.order
    monkeypatch.setattr(near, "order", lambda *given: {**order(*given), "family": "seq2seq_lm"})
    page = by_meaning(pages.open(PAGE), "a dog")
    assert any("near cannot be read here" in one.value for one in page.error)
