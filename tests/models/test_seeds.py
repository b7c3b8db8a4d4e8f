"""Chance comes from the seed alone, and torch's global generator is lent to one block at a time."""

import threading

import pytest
import torch

from models.seeds import generator, lent, seeded
from models.types import SEED_MAX


def draws(seed):
    with seeded(seed):
        return torch.rand(8)


def drawn(seed, index=0):
    return torch.rand(8, generator=generator(seed, index))


def test_the_state_is_put_back():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    draws(2)
    assert torch.equal(torch.random.get_rng_state(), before)
    after = torch.rand(4)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(4))


def test_the_state_is_put_back_and_the_next_block_goes_on_after_an_error():
    before = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(2):
        torch.rand(4)
        raise ZeroDivisionError
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(draws(3), draws(3))


def test_the_same_seed_gives_the_same_numbers_whatever_was_drawn_before():
    first = draws(7)
    torch.rand(5)
    assert torch.equal(draws(7), first)
    assert not torch.equal(draws(8), first)


@pytest.mark.parametrize("seed", [0, SEED_MAX])
def test_the_ends_of_the_range_are_seeds(seed):
    assert torch.equal(draws(seed), draws(seed))
    assert torch.equal(drawn(seed), drawn(seed))


def test_a_second_thread_waits_until_the_first_is_done():
    inside, go_on, second_inside = threading.Event(), threading.Event(), threading.Event()
    found = {}

    def first():
        with seeded(1):
            inside.set()
            half = torch.rand(4)
            go_on.wait(10)
            found["first"] = torch.cat([half, torch.rand(4)])

    def second():
        with seeded(2):
            second_inside.set()
            found["second"] = torch.rand(8)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    try:
        assert not second_inside.wait(0.3)
    finally:
        go_on.set()
    for thread in threads:
        thread.join(10)
    assert second_inside.is_set()
    assert torch.equal(found["first"], draws(1))
    assert torch.equal(found["second"], draws(2))


def test_many_threads_draw_what_they_draw_alone():
    alone = {seed: draws(seed) for seed in range(8)}
    together = {}
    start = threading.Barrier(8)

    def run(seed):
        start.wait(10)
        for _ in range(50):
            with seeded(seed):
                parts = [torch.rand(1) for _ in range(8)]
            together.setdefault(seed, []).append(torch.cat(parts))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for seed, values in together.items():
        assert len(values) == 50
        assert all(torch.equal(value, alone[seed]) for value in values)
    assert set(together) == set(alone)


@pytest.mark.parametrize(("seed", "index"), [(0, 1), (5, 3), (SEED_MAX - 1, 1)])
def test_variant_k_of_a_seed_is_variant_0_of_the_seed_k_later(seed, index):
    assert torch.equal(drawn(seed, index), drawn(seed + index))
    assert not torch.equal(drawn(seed, index), drawn(seed))


def test_the_variants_wrap_at_the_last_seed():
    assert torch.equal(drawn(SEED_MAX, 1), drawn(0))
    assert torch.equal(drawn(SEED_MAX, 3), drawn(2))
    assert not torch.equal(drawn(SEED_MAX), drawn(0))


def test_a_generator_leaves_the_global_one_alone():
    before = torch.random.get_rng_state()
    drawn(9)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert generator(9).device.type == "cpu"


def test_lent_within_a_block_others_draw_theirs_and_the_block_goes_on():
    whole = draws(5)
    other = []

    def draw_other():
        with seeded(9):
            other.append(torch.rand(8))

    before = torch.random.get_rng_state()
    with seeded(5):
        first = torch.rand(3)
        with lent():
            assert torch.equal(torch.random.get_rng_state(), before)
            thread = threading.Thread(target=draw_other)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()  # it did not wait for the block
        rest = torch.rand(5)
    assert torch.equal(torch.cat([first, rest]), whole)
    assert torch.equal(other[0], draws(9))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_others_drew_meanwhile_is_drawn():
    torch.manual_seed(1)
    whole = torch.rand(8)
    torch.manual_seed(1)
    with seeded(5):
        torch.rand(3)
        with lent():
            first = torch.rand(3)  # outside of any block
        with lent():
            second = torch.rand(2)
    assert torch.equal(torch.cat([first, second, torch.rand(3)]), whole)


def test_an_error_while_lent_leaves_the_block_where_it_was():
    whole = draws(5)
    with seeded(5):
        first = torch.rand(3)
        with pytest.raises(ZeroDivisionError), lent():
            torch.rand(1)
            raise ZeroDivisionError
        rest = torch.rand(5)
    assert torch.equal(torch.cat([first, rest]), whole)


def test_lent_outside_of_a_block_does_nothing():
    before = torch.random.get_rng_state()
    with lent():
        pass
    with seeded(5), pytest.raises(ZeroDivisionError), lent():
        raise ZeroDivisionError
    with lent(), seeded(5):  # the block before has ended: nothing is held
        pass
    assert torch.equal(torch.random.get_rng_state(), before)
