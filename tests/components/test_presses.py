"""One press is one run, however often it arrives."""

import threading

import pytest

from components.presses import AGAIN_S, Presses
from models.errors import QueueFull
from models.types import Request
from tests.models.runtime.world import World, ask, until


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.engine.gate.set()
    world.jobs.close()


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def presses(clock):
    return Presses(lambda: clock[0])


@pytest.mark.parametrize("held", [True, False])  # a run that is over at once is one too
def test_forty_presses_at_once_are_one_run(world, presses, held):
    if held:
        world.engine.gate.clear()
    found, begin = [], threading.Barrier(40)

    def press():
        begin.wait()
        found.append(presses.submit(world.jobs, "ann", [ask("one")]))

    threads = [threading.Thread(target=press) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    world.engine.gate.set()
    world.finished("ann", found[0])
    assert len(world.engine.ran) == 1


def test_what_differs_in_anything_is_a_run_of_its_own(world, presses):
    world.engine.gate.clear()
    first = presses.submit(world.jobs, "ann", [ask("one")])
    assert presses.submit(world.jobs, "bob", [ask("one")]) != first
    others = [
        ([Request(model="text/fake", inputs={"prompt": "one"}, params={}, seed=2)], ""), ([ask("one")], "walk"),
        ([ask("one"), ask("one")], ""),
    ]  # fmt: skip
    for requests, purpose in others:
        assert presses.submit(world.jobs, "ann", requests, purpose) != first
        world.jobs.stop("ann", world.jobs.jobs_of("ann")[-1].id)


def test_the_same_after_a_while_or_after_stop_runs_again(world, presses, clock):
    first = presses.submit(world.jobs, "ann", [ask("one")])
    world.finished("ann", first)
    clock[0] += AGAIN_S - 0.01
    assert presses.submit(world.jobs, "ann", [ask("one")]) == first
    clock[0] += 0.01
    world.engine.gate.clear()
    second = presses.submit(world.jobs, "ann", [ask("one")])
    assert second != first
    until(lambda: world.jobs.view("ann", second).state == "running")
    world.jobs.stop("ann", second)
    assert presses.submit(world.jobs, "ann", [ask("one")]) != second


def test_what_was_refused_is_asked_for_again(tmp_path, presses):
    world = World(tmp_path, queue_total=1)
    world.engine.gate.clear()
    first = world.jobs.submit("bob", [ask("runs")])
    until(lambda: world.jobs.view("bob", first).state == "running")
    waits = world.jobs.submit("bob", [ask("waits")])
    with pytest.raises(QueueFull):
        presses.submit(world.jobs, "ann", [ask("one")])
    world.jobs.stop("bob", waits)
    assert world.jobs.view("ann", presses.submit(world.jobs, "ann", [ask("one")])).state == "queued"
    world.engine.gate.set()
    world.jobs.close()
