"""The hash of all that a result follows from, and runs that are found by it."""

import time

import pytest

from models import causes, device
from models.catalog import load_catalog
from models.errors import BadParam
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Output, Request
from tests.stored import ids, make_run

CATALOG = load_catalog(Settings(), strict=False)
MODEL = "text/story-lstm"


def ask(prompt="A hen", seed=1, **params):
    return Request(model=MODEL, inputs={"prompt": prompt}, params={"max_new_tokens": 3, **params}, seed=seed)


def test_a_default_that_is_named_changes_nothing_and_all_else_does(monkeypatch):
    default = next(item for item in CATALOG.family(MODEL).fields(CATALOG[MODEL]) if item.name == "temperature").default
    known = causes.cause(CATALOG, ask())
    assert causes.cause(CATALOG, ask(temperature=default)) == known
    others = [ask(temperature=0.31), ask(seed=2), ask("A fox"), ask().model_copy(update={"model": "text/story-gpt"})]
    assert len({known, *(causes.cause(CATALOG, one) for one in others)}) == 5
    monkeypatch.setattr(device, "versions", lambda: {"torch": "0"})
    assert causes.cause(CATALOG, ask()) != known
    with pytest.raises(BadParam):
        causes.cause(CATALOG, ask(temperature=99))


def test_a_run_tells_the_cause_that_a_page_asks_for(tmp_path):
    engine = LocalEngine(Settings(data_dir=tmp_path))
    final = [event for event in engine.generate(ask()) if event.kind == "final"][0]
    assert final.stats["cause"] == causes.cause(CATALOG, ask())


def test_a_finished_run_is_found_by_its_cause_for_its_owner_alone(store):
    for name, owner, at in (("old", "ann", 1000.0), ("new", "ann", 2000.0), ("his", "bob", 3000.0)):
        store.save_run(make_run(name, name, owner=owner, created_at=at, stats={"cause": "a" * 64}))
    store.save_run(make_run("part", "part", status="stopped", stats={"cause": "b" * 64}))
    found = store.made("ann", ["a" * 64, "b" * 64, "c" * 64])
    assert {cause: run.id for cause, run in found.items()} == {"a" * 64: "new"}
    assert store.made("bob", ["a" * 64])["a" * 64].id == "his"
    assert store.made("ann", []) == {}
    assert store.made("ann", [f"{at:064d}" for at in range(1200)]) == {}


def test_a_run_that_lost_its_file_or_went_is_not_found(store):
    store.save_run(make_run("one", "words", stats={"cause": "a" * 64}))
    run = store.made("ann", ["a" * 64])["a" * 64]
    store.path(run.outputs[0].sha256).unlink()
    assert store.made("ann", ["a" * 64]) == {}
    store.save_run(make_run("two", "more", stats={"cause": "b" * 64}, created_at=time.time()))
    assert ids(store.made("ann", ["b" * 64]).values()) == ["two"]
    store.move_owner("ann", "eve")
    assert ids(store.made("eve", ["b" * 64]).values()) == ["two"]
    store.forget("eve")
    assert store.made("eve", ["b" * 64]) == {}


def test_many_causes_are_found_in_as_many_queries_as_it_takes(store, monkeypatch):
    monkeypatch.setattr("models.store.MANY", 2)
    wanted = [f"{number:064d}" for number in range(5)]
    for number, cause in enumerate(wanted):
        store.save_run(make_run(f"run-{number}", f"text {number}", stats={"cause": cause}))
    found = store.made("ann", [*wanted[::-1], "a" * 64, wanted[0]])
    assert {cause: run.id for cause, run in found.items()} == {one: f"run-{at}" for at, one in enumerate(wanted)}


def test_a_run_whose_kept_steps_alone_were_cleared_is_whole(store):
    run = make_run("one", "words", stats={"cause": "a" * 64})
    run.outputs.append(Output("view", 1, "", b"logits", "application/safetensors"))
    store.save_run(run)
    view = store.runs("ann")[0].outputs[1]
    store.path(view.sha256).unlink()
    assert store.made("ann", ["a" * 64])["a" * 64].id == "one"
