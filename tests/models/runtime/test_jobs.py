"""Jobs: turns, limits, Stop, going away and coming back. Each test is a story about owners."""

import time
from types import SimpleNamespace

import pytest

from models.errors import BadParam, PlaygroundError, QueueFull
from models.events import Progress
from models.runtime.job_view import STUDY
from tests.fakes import FakeEngine, FakeWords
from tests.models.runtime.world import World, ask, until
from tests.stored import kept_run


def test_a_job_runs_its_requests_in_turn_and_keeps_every_run(world):
    job = world.jobs.submit("ann", [ask("one"), ask("two")])
    view = world.finished("ann", job)
    assert view.state == "done"
    assert [run.outputs[0].text for run in view.runs] == ["one word0 word1 word2", "two word0 word1 word2"]
    assert [run.id for run in world.store.runs("ann")] == [run.id for run in reversed(view.runs)]
    assert kept_run(world.store, view.runs[0].id, load=True).outputs[0].data == view.runs[0].outputs[0].data


def test_a_bad_request_is_refused_before_it_waits(tmp_path):
    def validate(request):
        raise BadParam("temperature is 9; it must be 0.05 to 2.")

    world = World(tmp_path, validate=validate)
    with pytest.raises(BadParam):
        world.jobs.submit("ann", [ask("x")])
    with pytest.raises(PlaygroundError):
        world.jobs.submit("ann", [])
    assert world.jobs.jobs_of("ann") == []
    world.jobs.close()


def test_owners_take_turns(world):
    world.engine.gate.clear()
    first = world.jobs.submit("ann", [ask("a1")])
    until(lambda: world.jobs.view("ann", first).state == "running")
    asked = (("ann", "a2"), ("ann", "a3"), ("bob", "b1"), ("bob", "b2"), ("cid", "c1"))
    jobs = [world.jobs.submit(owner, [ask(prompt)]) for owner, prompt in asked]
    owners = ["ann", "ann", "bob", "bob", "cid"]
    places = [world.jobs.view(owner, job).place for owner, job in zip(owners, jobs, strict=True)]
    assert places == [1, 4, 2, 5, 3]
    world.engine.gate.set()
    for owner, job in zip(owners, jobs, strict=True):
        until(lambda owner=owner, job=job: (v := world.jobs.view(owner, job)) is None or v.finished)
    assert [request.inputs["prompt"] for request in world.engine.ran] == ["a1", "a2", "b1", "c1", "a3", "b2"]


def test_the_queue_is_bounded_for_one_owner_and_for_all(tmp_path):
    world = World(tmp_path, queue_per_owner=2, queue_total=3)
    world.engine.gate.clear()
    first = world.jobs.submit("ann", [ask("runs")])
    until(lambda: world.jobs.view("ann", first).state == "running")
    for prompt in ("w1", "w2"):
        world.jobs.submit("ann", [ask(prompt)])
    with pytest.raises(QueueFull, match="2 of your runs wait already; at most 2 may"):
        world.jobs.submit("ann", [ask("w3")])
    world.jobs.submit("bob", [ask("w4")])
    with pytest.raises(QueueFull, match="3 runs wait already; at most 3 may"):
        world.jobs.submit("cid", [ask("w5")])
    assert world.jobs.waiting() == 3
    world.jobs.close()


def test_stop_keeps_what_there_was(tmp_path):
    world = World(tmp_path, FakeWords(steps=1000, step_s=0.01))
    job = world.jobs.submit("ann", [ask("long"), ask("never")])
    until(lambda: world.jobs.view("ann", job).preview)
    assert world.jobs.view("ann", job).steps_per_s >= 0
    world.jobs.stop("ann", job)
    view = world.finished("ann", job)
    assert view.state == "stopped"
    assert len(view.runs) == 1
    assert view.runs[0].outputs[0].text.startswith("long word0")
    assert world.store.runs("ann")[0].status == "stopped"
    world.jobs.close()


def test_a_waiting_job_is_stopped_at_once(world):
    world.engine.gate.clear()
    world.jobs.submit("ann", [ask("runs")])
    waiting = world.jobs.submit("ann", [ask("waits")])
    until(lambda: world.engine.ran)
    world.jobs.stop("ann", waiting)
    assert world.jobs.view("ann", waiting).state == "stopped"
    assert world.jobs.waiting() == 0


def test_nobody_sees_or_stops_the_job_of_another(world):
    world.engine.gate.clear()
    job = world.jobs.submit("ann", [ask("secret")])
    until(lambda: world.engine.ran)
    assert world.jobs.view("bob", job) is None
    assert world.jobs.jobs_of("bob") == []
    world.jobs.stop("bob", job)
    assert not world.jobs.view("ann", job).stopping


def test_a_failed_run_keeps_what_it_had_and_the_next_job_runs(world):
    world.engine.die()
    job = world.jobs.submit("ann", [ask("x")])
    view = world.finished("ann", job)
    assert view.state == "failed"
    assert view.error["code"] == "worker_died"
    assert view.runs[0].outputs[0].text == "x word0 word1 word2"
    assert world.store.runs("ann")[0].error["details"]["reason"] == "killed"
    world.engine.fail_with = None
    assert world.finished("ann", world.jobs.submit("ann", [ask("y")])).state == "done"


def test_an_unexpected_error_becomes_a_sentence(world):
    world.engine.fail_with = ValueError("a detail for the log")
    view = world.finished("ann", world.jobs.submit("ann", [ask("x")]))
    assert view.state == "failed"
    assert "a detail" not in view.error["message"]
    assert "ValueError" in view.error["message"]


def test_a_result_that_cannot_be_stored_is_still_shown(world, monkeypatch):
    def full(run):
        raise PlaygroundError("The disk is full.")

    monkeypatch.setattr(world.store, "save_run", full)
    view = world.finished("ann", world.jobs.submit("ann", [ask("x")]))
    assert view.state == "done"
    assert view.runs[0].outputs[0].text == "x word0 word1 word2"
    assert view.runs[0].stats["not_stored"] == "The disk is full."


def test_only_the_last_finished_job_of_an_owner_is_kept(world):
    first = world.jobs.submit("ann", [ask("1")])
    world.finished("ann", first)
    second = world.jobs.submit("ann", [ask("2")])
    world.finished("ann", second)
    assert [view.id for view in world.jobs.jobs_of("ann")] == [second]
    assert len(world.store.runs("ann")) == 2


def test_a_study_leaves_the_result_that_it_looks_into(world):
    result, study, other = (
        world.finished("ann", world.jobs.submit("ann", [ask(word)], purpose)).id
        for word, purpose in (("a", ""), ("b", STUDY), ("c", STUDY))
    )
    assert [view.id for view in world.jobs.jobs_of("ann")] == [result, other]
    assert study not in (result, other)


def test_an_owner_that_leaves_makes_room_for_those_who_wait(tmp_path):
    world = World(tmp_path, FakeWords(steps=100_000, step_s=0.005))
    left = world.jobs.submit("ann", [ask("left")])
    until(lambda: world.jobs.view("ann", left).preview)
    bob = world.jobs.submit("bob", [ask("next")])
    world.gone.add("ann")
    started = time.monotonic()
    until(lambda: world.jobs.view("bob", bob).state == "running")
    assert 0.25 < time.monotonic() - started < 0.9  # the grace of 0.3 s, then at once
    kept = world.store.runs("ann")[0]
    assert kept.status == "stopped"
    assert kept.outputs[0].text.startswith("left word0")
    world.jobs.close()


def test_a_blip_shorter_than_the_grace_stops_nothing(tmp_path):
    world = World(tmp_path, FakeWords(steps=150, step_s=0.005))
    job = world.jobs.submit("ann", [ask("goes on")])
    until(lambda: world.jobs.view("ann", job).preview)
    world.jobs.submit("bob", [ask("waits")])
    world.gone.add("ann")
    time.sleep(0.15)
    world.gone.clear()
    assert world.finished("ann", job).state == "done"
    world.jobs.close()


def test_alone_a_job_goes_on_without_its_owner_and_ends_after_a_while(tmp_path):
    world = World(tmp_path, FakeWords(steps=100_000, step_s=0.005), keep_alone_s=1.0)
    job = world.jobs.submit("ann", [ask("alone")])
    until(lambda: world.jobs.view("ann", job).preview)
    world.gone.add("ann")
    time.sleep(0.6)
    assert world.jobs.view("ann", job).state == "running"
    until(lambda: world.store.runs("ann"))
    assert world.store.runs("ann")[0].status == "stopped"
    until(lambda: world.jobs.jobs_of("ann") == [])
    world.jobs.close()


def test_those_who_are_there_go_before_those_who_left(world):
    world.engine.gate.clear()
    world.jobs.submit("ann", [ask("runs")])
    until(lambda: world.engine.ran)
    world.jobs.submit("bob", [ask("left")])
    world.gone.add("bob")
    time.sleep(0.5)
    world.jobs.submit("cid", [ask("there")])
    world.engine.gate.set()
    until(lambda: len(world.engine.ran) == 3)
    assert [request.inputs["prompt"] for request in world.engine.ran] == ["runs", "there", "left"]


def test_a_reload_adopts_its_job_once_and_only_when_the_old_session_is_gone(world):
    world.engine.gate.clear()
    job = world.jobs.submit("old", [ask("mine")])
    until(lambda: world.engine.ran)
    token = world.jobs.view("old", job).token
    assert world.jobs.adopt(token, "thief") is None  # the old session is live
    world.gone.add("old")
    for guess in ("guess", "", "naïve 🐉"):  # anything may stand in an address
        assert world.jobs.adopt(guess, "new") is None
    assert world.jobs.adopt(token, "new") == job
    assert world.jobs.view("new", job).state == "running"
    assert world.jobs.view("old", job) is None
    world.gone.add("new")
    assert world.jobs.adopt(token, "thief") is None  # used up
    world.gone.discard("new")
    world.engine.gate.set()
    assert world.finished("new", job).state == "done"
    until(lambda: world.store.runs("new"))
    assert world.store.runs("old") == []


def test_adoption_brings_waiting_jobs_and_earlier_runs(world):
    world.finished("old", world.jobs.submit("old", [ask("earlier")]))
    world.engine.gate.clear()
    running = world.jobs.submit("old", [ask("running")])
    waiting = world.jobs.submit("old", [ask("waiting")])
    until(lambda: len(world.engine.ran) == 2)
    token = world.jobs.view("old", running).token
    world.gone.add("old")
    assert world.jobs.adopt(token, "new") == running
    assert world.jobs.view("new", waiting).place == 1
    world.engine.gate.set()
    world.finished("new", waiting)
    assert len(world.store.runs("new")) == 3
    assert world.store.runs("old") == []


def test_the_speed_of_a_second_batch_is_its_own(world, monkeypatch):
    now, speeds = [0.0], []
    clock = SimpleNamespace(time=time.time, sleep=time.sleep, monotonic=lambda: now[0])
    monkeypatch.setattr("models.runtime.jobs.time", clock)

    class Batches(FakeEngine):
        def play(self, turn):
            for batch_s in (0.1, 0.02):  # seconds a step
                for step in range(1, 6):
                    now[0] += batch_s
                    yield Progress("denoise", step, 5)
                now[0] += 3
                yield Progress("decode", 0, 1)
            speeds.append(world.jobs.jobs_of("ann")[-1].steps_per_s)

    world.jobs.engine = Batches()
    world.finished("ann", world.jobs.submit("ann", [ask("one")]))
    assert speeds == [pytest.approx(50)]


@pytest.mark.parametrize(
    ("events", "speed"),
    [
        ([Progress("listen", at, 100, unit="%") for at in (0, 10, 20, 30)], 100),
        ([Progress("generate", at, 9, unit="tokens") for at in (1, 2)] + [Progress("render", 0, 2, unit="tunes")], 0),
        ([Progress("sing", at, 9, unit="bars") for at in (1, 5, 1, 2, 3)], 10),
        ([Progress("sing", at, 0) for at in (1, 2, 3)], 0),
    ],
)  # fmt: skip
def test_the_speed_is_of_what_is_counted_now(world, monkeypatch, events, speed):
    now, speeds = [0.0], []
    clock = SimpleNamespace(time=time.time, sleep=time.sleep, monotonic=lambda: now[0])
    monkeypatch.setattr("models.runtime.jobs.time", clock)

    class Counting(FakeEngine):
        def play(self, turn):
            for event in events:
                now[0] += 0.1
                yield event
            speeds.append(world.jobs.jobs_of("ann")[-1].steps_per_s)

    world.jobs.engine = Counting()
    world.finished("ann", world.jobs.submit("ann", [ask("one")]))
    assert speeds == [pytest.approx(speed)]
