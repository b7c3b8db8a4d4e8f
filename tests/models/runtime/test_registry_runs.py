"""A run's own memory: idle models go for it, it counts while it lasts, and what does not fit is refused with advice."""

import pytest
import torch

from models.errors import NotEnoughMemory
from models.family import Loaded
from models.runtime.registry import count_bytes
from tests.sized import MB, Bench


class Following:
    """Stand for `memory.Budget`: so much now, so much for a fresh process."""

    def __init__(self, now, fresh):
        self.now, self.fresh, self.quiet = now, fresh, []

    def __call__(self):
        return self.now * MB

    def fresh_bytes(self):
        return self.fresh * MB

    def note_quiet(self, held):
        self.quiet.append(held)


@pytest.fixture
def bench(tmp_path):
    def make(budget=10, libraries=0, **sizes):
        made = Bench(tmp_path, budget, sizes)
        type(made.family).libraries_bytes = libraries * MB
        return made

    return make


def run(b, name, megabytes):
    with b.registry.lease(f"text/{name}", megabytes * MB):
        return b.leases()


def test_idle_models_go_before_a_run_that_would_not_fit_and_no_more_than_needed(bench):
    b = bench(a=3, b=3, c=3)
    b.use("a", "b", "c")
    assert run(b, "c", 3) == {"b": 0, "c": 1}  # a was used longest ago
    assert run(b, "c", 7) == {"c": 1}
    assert b.family.loads == ["text/a", "text/b", "text/c"]


def test_a_load_makes_room_for_its_run_too(bench):
    b = bench(a=3, b=3)
    b.use("a")
    assert run(b, "b", 5) == {"b": 1}
    assert run(b, "a", 4) == {"b": 0, "a": 1}


def test_what_a_run_may_take_is_held_while_it_lasts(bench):
    b = bench(a=2, b=2)
    with b.registry.lease("text/a", 5 * MB):
        assert (b.registry.held_bytes, b.registry.used_bytes) == (7 * MB, 2 * MB)
        with pytest.raises(NotEnoughMemory) as caught:
            run(b, "b", 2)
        with pytest.raises(NotEnoughMemory), b.registry.reserve("a tool", 4 * MB):
            pass
        with b.registry.reserve("a tool", 3 * MB):
            pass
    assert caught.value.message.startswith("text/b needs 2 MB and about 2 MB for this run, 3 MB is free of 10 MB. ")
    assert "text/a is in use" in caught.value.message
    assert b.registry.held_bytes == 2 * MB
    assert run(b, "b", 2) == {"a": 0, "b": 1}


def test_two_runs_of_one_model_hold_what_each_of_them_takes(bench):
    b = bench(a=2)
    held = []
    with b.registry.lease("text/a", 3 * MB):
        with b.registry.lease("text/a", 4 * MB):
            held.append(b.registry.held_bytes)
            with pytest.raises(NotEnoughMemory):
                run(b, "a", 2)
        held.append(b.registry.held_bytes)
        assert run(b, "a", 5) == {"a": 2}
    assert [*held, b.registry.held_bytes] == [9 * MB, 5 * MB, 2 * MB]


def test_a_run_that_is_refused_leaves_its_model_free(bench):
    b = bench(a=2)
    b.use("a")
    with pytest.raises(NotEnoughMemory) as caught:
        run(b, "a", 9)
    assert b.leases() == {"a": 0}
    assert b.registry.held_bytes == 2 * MB
    assert caught.value.message == (
        "text/a needs about 9 MB for this run, 8 MB is free of 10 MB. Choose a smaller model."
    )
    assert caught.value.details["run_bytes"] == 9 * MB
    assert caught.value.details["room_bytes"] == 8 * MB
    assert not caught.value.details["fresh"]
    assert run(b, "a", 8) == {"a": 1}


def test_a_family_s_libraries_count_until_it_ran(bench):
    b = bench(libraries=4, a=2, b=2)
    with pytest.raises(NotEnoughMemory):
        run(b, "a", 5)
    run(b, "a", 4)
    run(b, "b", 6)  # both are of one family, whose libraries are there now
    assert b.leases() == {"a": 0, "b": 0}


def test_the_room_that_a_refusal_names_leaves_out_the_libraries_that_are_still_to_come(bench):
    b = bench(libraries=4, a=2, b=2)
    with pytest.raises(NotEnoughMemory) as caught:
        run(b, "a", 5)
    assert caught.value.details["room_bytes"] == 4 * MB  # what fits is run next
    run(b, "a", 4)
    with pytest.raises(NotEnoughMemory) as caught:
        run(b, "a", 9)
    assert caught.value.details["room_bytes"] == 8 * MB
    run(b, "a", 8)


def test_the_budget_is_asked_anew_each_time_and_told_when_nothing_runs(bench):
    b = bench(a=3, b=3)
    budget = b.registry._budget = Following(10, 10)
    b.use("a", "b")
    budget.now = 7  # the app grew
    assert run(b, "b", 3) == {"b": 1}
    with b.registry.lease("text/b"):
        b.registry.note_quiet()
    assert budget.quiet == []
    b.registry.note_quiet()
    assert budget.quiet == [3 * MB]


@pytest.mark.parametrize(("fresh", "would"), [(8, False), (9, True)])
def test_the_refusal_says_whether_a_fresh_process_would_have_the_room(bench, fresh, would):
    b = bench(libraries=2, a=3)
    b.registry._budget = Following(20, 20)
    run(b, "a", 1)
    b.registry._budget = Following(6, fresh)
    with pytest.raises(NotEnoughMemory) as caught:
        run(b, "a", 4)
    assert caught.value.details["fresh"] == would
    assert caught.value.details["room_bytes"] == (fresh - 5) * MB


def test_what_a_fresh_process_would_gain_is_other_models_and_what_this_one_has_grown(bench):
    b = bench(budget=20, a=3, b=4)
    b.use("a", "b")
    assert b.registry.gain_bytes("text/a") == 4 * MB
    b.registry._budget = Following(10, 15)
    assert b.registry.gain_bytes("text/a") == 9 * MB
    b.registry._budget = Following(10, 9)
    assert b.registry.gain_bytes("text/a") == 4 * MB


def test_a_fresh_process_is_no_help_while_others_run_in_this_one(bench):
    b = bench(a=3, b=3)
    b.registry._budget = Following(8, 20)
    with b.registry.lease("text/b"), pytest.raises(NotEnoughMemory) as caught:
        run(b, "a", 4)
    assert not caught.value.details["fresh"]


@pytest.mark.parametrize(("dtype", "bytes_each"), [(torch.bfloat16, 2), (torch.float32, 4), (torch.int8, 1)])
def test_a_model_is_counted_in_the_dtype_that_it_has(dtype, bytes_each):
    net = torch.nn.Linear(100, 50, bias=False)
    net.weight = torch.nn.Parameter(torch.zeros(50, 100, dtype=dtype), requires_grad=False)
    assert count_bytes(Loaded({"net": net})) == 5_000 * bytes_each


def test_weights_that_stay_in_their_dtype_are_not_forecast_as_cast(bench):
    b = bench(a=1)
    base = type(b.family).__mro__[1]
    spec = b.family and b.registry._catalog["text/a"]
    stored = spec.weights_bytes()
    assert base.needed_bytes(b.family, spec) == 2 * stored
    type(b.family).stored_above_bytes = stored + 1
    assert base.needed_bytes(b.family, spec) == 2 * stored
    type(b.family).stored_above_bytes = stored
    assert base.needed_bytes(b.family, spec) == stored
