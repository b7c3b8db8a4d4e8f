"""Whose a job is: who comes back, signs in, is forgotten. Each test is a story about owners."""

import time

import pytest

from models.errors import PlaygroundError
from tests.fakes import FakeWords
from tests.models.runtime.world import World, ask, until


def test_an_owner_is_there_while_any_of_their_sessions_is(tmp_path):
    world = World(tmp_path, FakeWords(steps=100_000, step_s=0.005), keep_alone_s=0.3)
    world.jobs.attend("ann", "tab-1", lasting=True)
    world.jobs.attend("ann", "tab-2", lasting=True)
    job = world.jobs.submit("ann", [ask("one")])
    until(lambda: world.jobs.view("ann", job).state == "running")
    world.gone.add("tab-1")
    time.sleep(0.8)
    assert world.jobs.view("ann", job).state == "running"
    world.gone.add("tab-2")
    until(lambda: world.store.runs("ann"))
    assert world.store.runs("ann")[0].status == "stopped"
    world.jobs.close()


def test_the_engine_is_told_whom_a_run_is_for(world, monkeypatch):
    asked, generate = [], world.engine.generate

    def watched(request, stop=None):
        asked.append(stop.asker)
        return generate(request, stop)

    monkeypatch.setattr(world.engine, "generate", watched)
    for owner in ("ann", "bob"):
        world.finished(owner, world.jobs.submit(owner, [ask("one")]))
    assert asked == ["ann", "bob"]


def test_nobody_adopts_from_an_owner_who_comes_back_by_themselves(world):
    world.jobs.attend("ann", "tab", lasting=True)
    job = world.jobs.submit("ann", [ask("one")])
    token = world.finished("ann", job).token
    world.gone.add("tab")
    assert world.jobs.adopt(token, "thief") is None
    assert world.jobs.view("ann", job) is not None


def test_what_was_made_before_signing_in_goes_along(world):
    job = world.jobs.submit("cookie:a", [ask("one")])
    world.finished("cookie:a", job)
    world.jobs.move("cookie:a", "user:ann")
    assert world.jobs.view("cookie:a", job) is None
    assert world.jobs.view("user:ann", job).runs[0].owner == "user:ann"
    assert [run.job for run in world.store.runs("user:ann")] == [job]


def test_forgetting_stops_what_runs_and_keeps_nothing_of_it(tmp_path):
    world = World(tmp_path, FakeWords(steps=100_000, step_s=0.005))
    running = world.jobs.submit("ann", [ask("one")])
    waiting = world.jobs.submit("ann", [ask("two")])
    until(lambda: world.jobs.view("ann", running).preview)
    bob = world.jobs.submit("bob", [ask("his")])
    world.jobs.forget("ann")
    assert (world.jobs.view("ann", running), world.jobs.view("ann", waiting)) == (None, None)
    until(lambda: world.jobs.view("bob", bob).preview)  # hers was stopped, and its end is behind us
    assert world.store.runs("ann") == []
    assert len(world.engine.ran) == 2
    assert world.jobs.is_forgotten("ann")
    assert not world.jobs.is_forgotten("bob")
    world.jobs.stop("bob", bob)
    world.finished("bob", bob)
    world.jobs.close()


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("what", ["move", "forget"])
def test_who_signs_in_or_is_forgotten_while_a_run_is_stored_has_it_or_leaves_nothing(world, monkeypatch, what, after):
    save = world.store.save_run

    def saved(run):
        if after:
            save(run)
        world.jobs.move("cookie:a", "user:ann") if what == "move" else world.jobs.forget("cookie:a")
        if not after:
            save(run)

    monkeypatch.setattr(world.store, "save_run", saved)
    job = world.jobs.submit("cookie:a", [ask("one")])
    world.engine.gate.set()
    if what == "move":
        world.finished("user:ann", job)
        assert [run.job for run in world.store.runs("user:ann")] == [job]
    else:
        until(lambda: world.jobs.is_forgotten("cookie:a"))
        monkeypatch.undo()
        world.finished("bob", world.jobs.submit("bob", [ask("behind it")]))
    assert world.store.runs("cookie:a") == []


def test_a_store_out_of_reach_moves_nothing(world, monkeypatch):
    job = world.jobs.submit("cookie:a", [ask("one")])
    world.finished("cookie:a", job)

    def locked(old, new):
        raise PlaygroundError("The index is locked.")

    monkeypatch.setattr(world.store, "move_owner", locked)
    with pytest.raises(PlaygroundError):
        world.jobs.move("cookie:a", "user:ann")
    assert world.jobs.view("cookie:a", job) is not None


def test_who_never_ran_anything_is_forgotten_when_they_are_gone(tmp_path):
    world = World(tmp_path, keep_alone_s=0.2, gone_after_s=0.1)
    world.jobs.attend("visitor", "tab", lasting=False)
    assert "visitor" in world.jobs._attendance.owners()
    world.gone.add("tab")
    until(lambda: "visitor" not in world.jobs._attendance.owners())
    world.jobs.close()
