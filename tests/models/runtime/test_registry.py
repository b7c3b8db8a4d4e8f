"""Loaded models: one load at a time, within the budget, and never one that is in use dropped."""

import gc
import logging
import threading

import pytest

from models.errors import NotEnoughMemory, PlaygroundError, UnknownModel, WeightsError
from tests.sized import MB, Bench, together


@pytest.fixture
def bench(tmp_path):
    return lambda budget=10, **sizes: Bench(tmp_path, budget, {name.replace("_", "-"): n for name, n in sizes.items()})


def test_many_requesters_at_once_give_one_load(bench):
    b = bench(a=1)
    b.family.load_s = 0.2
    lent, all_in = [], threading.Barrier(8)

    def request():
        with b.registry.lease("text/a") as loaded:
            lent.append(loaded)
            all_in.wait(10)

    assert together(*[request] * 8) == []
    assert b.family.loads == ["text/a"]
    assert len(lent) == 8
    assert len({id(loaded) for loaded in lent}) == 1
    assert max(state.get("a", 0) for state in b.seen) == 8
    assert b.leases() == {"a": 0}


def test_two_models_never_load_at_once(bench):
    b = bench(a=1, b=1, c=1, d=1)
    b.family.load_s = 0.05
    assert together(*[lambda name=name: b.use(name) for name in "abcd"]) == []
    assert sorted(b.family.loads) == ["text/a", "text/b", "text/c", "text/d"]
    assert b.family.most_at_once == 1


def test_a_loaded_model_is_lent_while_another_loads(bench):
    b = bench(a=1, b=1)
    b.use("a")
    b.family.gate = threading.Event()
    b.family.entered.clear()
    loader = threading.Thread(target=b.use, args=("b",))
    loader.start()
    try:
        assert b.family.entered.wait(10)
        lender = threading.Thread(target=b.use, args=("a",))
        lender.start()
        lender.join(5)
        assert not lender.is_alive()
        assert b.leases() == {"a": 0}
    finally:
        b.family.gate.set()
        loader.join(10)
    assert b.leases() == {"a": 0, "b": 0}


def test_a_leased_model_is_never_evicted(bench):
    b = bench(a=4, b=4, c=5, d=8)
    with b.registry.lease("text/a") as loaded:
        b.use("b")
        b.use("c")  # b goes, though a was used longer ago
        assert b.leases() == {"a": 1, "c": 0}
        with pytest.raises(NotEnoughMemory):
            b.use("d")
        assert b.leases() == {"a": 1, "c": 0}  # nothing is dropped in vain
        assert float(loaded.parts["net"][0].weight.detach().sum()) == 250_000
    b.use("d")
    assert b.leases() == {"d": 0}


def test_the_least_recently_used_idle_model_goes_first_and_no_more_than_needed(bench):
    b = bench(a=3, b=3, c=3, d=3)
    b.use("a", "b", "c", "a")
    assert [entry["model"] for entry in b.registry.state()] == ["text/b", "text/c", "text/a"]
    b.use("d")
    assert list(b.leases()) == ["c", "a", "d"]
    assert b.family.loads == ["text/a", "text/b", "text/c", "text/d"]


def test_the_refusal_names_what_is_needed_free_could_go_and_is_in_use(bench):
    b = bench(a=4, b=2, c=9, huge=1500)
    with b.registry.lease("text/a"):
        b.use("b")
        with pytest.raises(NotEnoughMemory) as caught:
            b.use("c")
    assert caught.value.message == (
        "text/c needs 9 MB, 4 MB is free of 10 MB. Unloading text/b would not be enough. "
        "text/a is in use: wait until that run is done, or choose a smaller model."
    )
    assert caught.value.details == {
        "needed_bytes": 9 * MB, "free_bytes": 4 * MB, "could_unload": ["text/b"], "in_use": ["text/a"]
    }  # fmt: skip
    b.registry.unload("text/a")
    b.registry.unload("text/b")
    with pytest.raises(NotEnoughMemory) as caught:
        b.use("huge")
    assert caught.value.message == "text/huge needs 1.5 GB, 10 MB is free of 10 MB. Choose a smaller model."
    assert b.family.loads == ["text/a", "text/b"]


def test_a_model_in_use_cannot_be_unloaded_and_an_idle_one_can(bench):
    b = bench(a=1)
    with b.registry.lease("text/a"):
        with pytest.raises(PlaygroundError, match="text/a is in use by a run. Stop that run first"):
            b.registry.unload("text/a")
        assert b.registry.holds("text/a")
    b.registry.unload("text/a")
    b.registry.unload("text/a")  # not loaded is fine
    assert not b.registry.holds("text/a")
    assert b.family.made[0]() is None


def test_state_and_sizes_follow_loads_and_leases(bench):
    b = bench(a=2, b=3)
    assert (b.registry.state(), b.registry.used_bytes, b.registry.holds("text/a")) == ([], 0, False)
    with b.registry.lease("text/a"), b.registry.lease("text/a"), b.registry.lease("text/b"):
        assert b.registry.state() == [
            {"model": "text/a", "bytes": 2 * MB, "leases": 2},
            {"model": "text/b", "bytes": 3 * MB, "leases": 1},
        ]
        assert b.registry.used_bytes == 5 * MB
        assert b.registry.holds("text/a")
    assert b.leases() == {"a": 0, "b": 0}


def test_a_lease_ends_with_an_error_too(bench):
    b = bench(a=1)
    with pytest.raises(ZeroDivisionError), b.registry.lease("text/a"):
        raise ZeroDivisionError
    assert b.leases() == {"a": 0}


def test_bytes_are_parameters_and_buffers_and_tied_weights_count_once(bench):
    b = bench(tied=5)
    with b.registry.lease("text/tied") as loaded:
        net = loaded.parts["net"]
        tensors = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}.values()
        real = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        assert b.registry.used_bytes == pytest.approx(real, rel=0.05)
    assert real == 6 * MB  # 5 weights, two of them one, and the buffer


def test_the_forecast_says_what_a_load_takes_and_what_could_go(bench):
    b = bench(a=4, b=3, c=5, d=8)
    b.use("a", "b", "a")
    said = b.registry.forecast("text/c")
    assert str(said) == "needs 5 MB, 3 MB is free"
    assert (said.needed_bytes, said.free_bytes, said.fits) == (5 * MB, 3 * MB, True)
    assert said.could_unload == ("text/b", "text/a")  # oldest first
    assert b.registry.forecast("text/a").needed_bytes == 0  # it is there
    with b.registry.lease("text/a"):
        said = b.registry.forecast("text/d")
        assert (said.fits, said.could_unload) == (False, ("text/b",))
    assert b.registry.forecast("text/d").fits
    assert b.family.loads == ["text/a", "text/b"]  # a forecast loads nothing
    with pytest.raises(UnknownModel):
        b.registry.forecast("text/none")


def test_a_load_that_breaks_is_a_weights_error_and_leaves_nothing_behind(bench, caplog):
    b = bench(a=9, broken=9)
    with caplog.at_level(logging.ERROR), pytest.raises(WeightsError) as caught:
        b.use("broken")
    for part in ("text/broken could not be loaded", "model.safetensors", "git checkout -- models/embedded", "KeyError"):
        assert part in caught.value.message
    assert "secret" not in caught.value.message
    assert "a secret detail for the log" in caplog.text
    assert (b.registry.state(), b.registry.used_bytes) == ([], 0)
    b.use("a")  # the lock is free, and so is the room
    assert b.leases() == {"a": 0}


def test_waiters_for_a_load_that_breaks_all_hear_of_it(bench):
    b = bench(broken=1)
    raised = together(*[lambda: b.use("broken")] * 4)
    assert [type(error) for error in raised] == [WeightsError] * 4
    assert b.registry.state() == []


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("own_words", WeightsError, "^The tokenizer is missing.$"),
        ("no_memory", RuntimeError, "can't allocate memory"),  # the worker turns it into NotEnoughMemory
        ("none", UnknownModel, "There is no model 'text/none'"),
    ],
)
def test_an_error_that_says_what_is_wrong_passes_as_it_is(bench, name, kind, words):
    b = bench(own_words=1, no_memory=1)
    with pytest.raises(kind, match=words):
        b.use(name.replace("_", "-"))
    assert b.registry.state() == []
    gc.collect()
    assert [net for ref in b.family.made if (net := ref()) is not None] == []


def test_a_lease_ends_though_on_change_raises(bench):
    b = bench(a=1)
    b.registry._on_change = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        b.use("a")
    assert b.leases() == {"a": 0}


def test_no_less_than_nothing_is_free(bench):
    b = bench(budget=2, tied=2, a=3)
    # one weight and a buffer: 3 MB instead of 2
    with b.registry.lease("text/tied"), pytest.raises(NotEnoughMemory, match="needs 3 MB, 0 MB is free") as caught:
        b.use("a")
    assert caught.value.details["free_bytes"] == 0


def test_on_change_is_called_after_load_release_unload_and_eviction(bench):
    b = bench(a=6, b=6)
    with b.registry.lease("text/a"):
        assert b.seen == [{"a": 1}]
    assert b.seen == [{"a": 1}, {"a": 0}]
    b.use("b")  # a goes
    assert b.seen[2:] == [{}, {"b": 1}, {"b": 0}]
    b.registry.unload("text/b")
    assert b.seen[5:] == [{}]
    b.registry.unload("text/b")
    assert b.seen[6:] == []  # nothing changed
