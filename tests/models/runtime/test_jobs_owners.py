"""Whose a job is: who comes back, signs in, is forgotten. Each test is a story about owners."""

import threading

import pytest

from models.errors import PlaygroundError
from tests.fakes import FakeWords
from tests.models.runtime.world import World, ask, until


def test_an_owner_is_there_while_any_of_their_sessions_is(clock, tmp_path):
    world = World(tmp_path, FakeWords(steps=100_000, step_s=0.002), keep_alone_s=60.0)
    world.jobs.attend("ann", "tab-1")
    world.jobs.attend("ann", "tab-2")
    job = world.jobs.submit("ann", [ask("one")])
    until(lambda: world.jobs.view("ann", job).state == "running")
    world.gone.add("tab-1")
    world.looked()
    clock.pass_s(60.0)
    world.looked()
    assert not world.jobs.view("ann", job).stopping
    world.gone.add("tab-2")
    world.looked()
    clock.pass_s(60.0)
    until(lambda: world.store.runs("ann"))
    assert world.store.runs("ann")[0].status == "stopped"
    world.jobs.close()


NOT_THEIRS = {
    "view": lambda jobs, job: jobs.view("bob", job),
    "list": lambda jobs, job: jobs.jobs_of("bob"),
    "stop": lambda jobs, job: jobs.stop("bob", job),
    "stop twice": lambda jobs, job: any([jobs.stop("bob", job), jobs.stop("bob", job)]),
    "skip": lambda jobs, job: jobs.skip("bob", job),
    "move": lambda jobs, job: jobs.move("bob", "cid"),
    "forget": lambda jobs, job: jobs.forget("bob"),
}


@pytest.mark.parametrize("state", ["running", "queued", "done"])
@pytest.mark.parametrize("act", NOT_THEIRS)
def test_no_action_of_another_owner_reaches_a_job(world, act, state):
    if state != "done":
        world.engine.gate.clear()
    if state == "queued":
        world.jobs.submit("ann", [ask("before")])
        until(lambda: world.engine.ran)
    job = world.jobs.submit("ann", [ask("hers")])
    until(lambda: world.jobs.view("ann", job).state == state)
    assert not NOT_THEIRS[act](world.jobs, job)
    after = world.jobs.view("ann", job)
    assert (after.owner, after.state, after.stopping) == ("ann", state, False)
    assert not world.jobs._jobs[job].stop.take_skip()
    world.engine.gate.set()
    assert world.finished("ann", job).runs[0].outputs[0].text == "hers word0 word1 word2"
    assert len(world.store.runs("ann")) == len(world.engine.ran)


def test_the_owner_s_own_skip_reaches_the_job_while_it_runs_and_no_earlier(world):
    world.engine.gate.clear()
    first, second = (world.jobs.submit("ann", [ask(word)]) for word in "ab")
    until(lambda: world.engine.ran)
    world.jobs.skip("ann", second)  # it waits: there are no outputs to leave
    world.jobs.skip("ann", first)
    assert world.finished("ann", first).state == "done"
    assert not world.jobs._jobs[second].stop.take_skip()


def test_the_engine_is_told_whom_a_run_is_for(world, monkeypatch):
    asked, generate = [], world.engine.generate

    def watched(request, stop=None):
        asked.append(stop.asker)
        return generate(request, stop)

    monkeypatch.setattr(world.engine, "generate", watched)
    for owner in ("ann", "bob"):
        world.finished(owner, world.jobs.submit(owner, [ask("one")]))
    assert asked == ["ann", "bob"]


def test_who_signs_in_takes_along_what_waits_and_what_was_made_before(world):
    world.finished("old", world.jobs.submit("old", [ask("earlier")]))
    world.engine.gate.clear()
    running = world.jobs.submit("old", [ask("running")])
    waiting = world.jobs.submit("old", [ask("waiting")])
    until(lambda: len(world.engine.ran) == 2)
    world.jobs.move("old", "new")
    assert world.jobs.view("new", running).state == "running"
    assert world.jobs.view("old", running) is None
    assert world.jobs.view("new", waiting).place == 1
    world.engine.gate.set()
    world.finished("new", waiting)
    assert len(world.store.runs("new")) == 3
    assert world.store.runs("old") == []


def test_what_was_made_before_signing_in_goes_along(world):
    before, job = (world.jobs.submit(owner, [ask("one"), ask("two")]) for owner in ("bob", "cookie:a"))
    world.finished("bob", before)
    version = world.finished("cookie:a", job).version
    world.jobs.move("cookie:a", "user:ann")
    assert world.jobs.view("cookie:a", job) is None
    view = world.jobs.view("user:ann", job)
    assert [run.owner for run in view.runs] == ["user:ann"] * 2
    assert (view.owner, view.version) == ("user:ann", version + 1)
    assert [run.job for run in world.store.runs("user:ann")] == [job] * 2
    assert [run.owner for run in world.jobs.view("bob", before).runs] == ["bob"] * 2


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


def test_a_run_that_is_stored_between_the_two_halves_of_a_move_goes_along(world, monkeypatch):
    """The store's rows move before the jobs do: what ends in between is moved once more."""
    saved, moved = threading.Event(), world.store.move_owner
    half = threading.Event()
    save = world.store.save_run

    def save_between(run):
        assert half.wait(10)
        save(run)
        saved.set()

    def move_rows(old, new):
        count = moved(old, new)
        if not half.is_set():
            half.set()
            assert saved.wait(10)
        return count

    monkeypatch.setattr(world.store, "save_run", save_between)
    monkeypatch.setattr(world.store, "move_owner", move_rows)
    job = world.jobs.submit("cookie:a", [ask("one")])
    until(lambda: world.engine.ran)
    world.jobs.move("cookie:a", "user:ann")
    assert world.finished("user:ann", job).runs[0].owner == "user:ann"
    assert [run.job for run in world.store.runs("user:ann")] == [job]
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
    world.jobs.attend("visitor", "tab")
    assert "visitor" in world.jobs._attendance.owners()
    world.gone.add("tab")
    until(lambda: "visitor" not in world.jobs._attendance.owners())
    world.jobs.close()
