"""Jobs: turns, limits, Stop, going away and coming back. Each test is a story about owners."""

import pytest

from models.errors import BadParam, PlaygroundError, QueueFull
from models.events import Progress
from models.types import STUDY, WRITING, Request
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
    assert places == [3, 5, 1, 4, 2]  # ann has one that runs
    world.engine.gate.set()
    for owner, job in zip(owners, jobs, strict=True):
        until(lambda owner=owner, job=job: (v := world.jobs.view(owner, job)) is None or v.finished)
    ran = [request.inputs["prompt"] for request in world.engine.ran]
    assert ran[:3] == ["a1", "b1", "c1"]  # and then by what each has used, see test_turns
    assert [one for one in ran if one[0] == "a"] == ["a1", "a2", "a3"]


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
    world.jobs.stop("ann", job)
    view = world.finished("ann", job)
    assert view.state == "stopped"
    assert [request.inputs["prompt"] for request in world.engine.ran] == ["long"]
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


@pytest.mark.parametrize("details", [{"later": True}, {"full": True}])
def test_a_result_that_finds_the_store_out_of_reach_is_kept_once_it_is_back(world, monkeypatch, details):
    monkeypatch.setattr(world.jobs._unsaved, "_again_s", 0.01)
    whole, tried = world.store.save_run, []

    def lost(run):
        tried.append(run.id)
        raise PlaygroundError("The run index cannot be reached.", **details)

    monkeypatch.setattr(world.store, "save_run", lost)
    first = world.finished("ann", world.jobs.submit("ann", [ask("x")]))
    assert "cannot be reached. It is tried again every few seconds" in first.runs[0].stats["not_stored"]
    world.finished("ann", world.jobs.submit("ann", [ask("y")]))  # the job before is forgotten by then, the run is not
    until(lambda: len(tried) > 3)
    monkeypatch.setattr(world.store, "save_run", whole)
    until(lambda: len(world.store.runs("ann")) == 2)
    assert all("not_stored" not in run.stats for run in world.store.runs("ann"))
    until(lambda: "not_stored" not in first.runs[0].stats)


def test_a_result_of_who_wants_to_be_forgotten_is_not_kept_later(world, monkeypatch):
    monkeypatch.setattr(world.jobs._unsaved, "_again_s", 0.01)
    whole, tried = world.store.save_run, []

    def lost(run):
        tried.append(run.id)
        raise PlaygroundError("The run index cannot be reached.", later=True)

    monkeypatch.setattr(world.store, "save_run", lost)
    world.finished("ann", world.jobs.submit("ann", [ask("x")]))
    world.finished("ann", world.jobs.submit("ann", [ask("y")]))
    world.jobs.forget("ann")
    monkeypatch.setattr(world.store, "save_run", whole)
    until(lambda: not world.jobs._unsaved._waiting)
    assert world.store.runs("ann") == []


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


def test_what_is_written_leaves_nothing_and_is_no_job_of_a_page(world):
    made = world.finished("ann", world.jobs.submit("ann", [ask("a")])).id
    ref = world.store.take("ann", b"what was said")
    request = Request(model=ask("b").model, inputs={"prompt": "b", "said": ref})
    view = world.finished("ann", world.jobs.submit("ann", [request], WRITING))
    assert view.runs[0].outputs[0].text == "b word0 word1 word2"
    assert [one.id for one in world.jobs.jobs_of("ann")] == [made]
    assert [run.job for run in world.store.runs()] == [made]
    assert not world.store.path(ref).exists()
    assert world.finished("ann", world.jobs.submit("ann", [ask("c")])).state == "done"
    assert world.jobs.view("ann", view.id) is not None  # nor does a run take its place


GONE_S, ALONE_S = 3.0, 600.0


@pytest.fixture
def leaving(tmp_path, clock):
    """Return jobs that go on until they are stopped, and whose owners can leave, by a clock of the test's."""
    world = World(tmp_path, FakeWords(steps=100_000, step_s=0.002), gone_after_s=GONE_S, keep_alone_s=ALONE_S)
    world.clock = clock
    yield world
    world.jobs.close(5)
    world.store.close()


def leaves(world, owner, seconds):
    """Let an owner be away for so long, as those who watch have seen."""
    world.gone.add(owner)
    world.looked()
    world.clock.pass_s(seconds)
    world.looked()


def test_an_owner_that_leaves_makes_room_for_those_who_wait_once_the_blip_is_over(leaving):
    left = leaving.jobs.submit("ann", [ask("left"), ask("never")])
    until(lambda: leaving.jobs.view("ann", left).preview)
    bob = leaving.jobs.submit("bob", [ask("next")])
    leaves(leaving, "ann", GONE_S - 0.01)
    assert not leaving.jobs.view("ann", left).stopping
    leaving.clock.pass_s(0.02)  # not 0.01: seconds are rounded where the machine has run long
    until(lambda: leaving.jobs.view("bob", bob).state == "running")
    (kept,) = leaving.store.runs("ann")
    assert (kept.status, kept.request.inputs["prompt"]) == ("stopped", "left")
    assert kept.outputs[0].text.startswith("left word0")


def test_a_blip_shorter_than_the_grace_stops_nothing(leaving):
    job = leaving.jobs.submit("ann", [ask("goes on")])
    until(lambda: leaving.jobs.view("ann", job).preview)
    leaving.jobs.submit("bob", [ask("waits")])
    for _ in range(3):  # each blip counts from its own beginning
        leaves(leaving, "ann", GONE_S - 0.01)
        leaving.gone.clear()
        leaving.looked()
    assert not leaving.jobs.view("ann", job).stopping


def test_alone_a_job_goes_on_without_its_owner_and_ends_after_a_while(leaving):
    job = leaving.jobs.submit("ann", [ask("alone")])
    until(lambda: leaving.jobs.view("ann", job).preview)
    leaves(leaving, "ann", ALONE_S - 0.01)
    assert not leaving.jobs.view("ann", job).stopping
    leaving.clock.pass_s(0.02)  # not 0.01: seconds are rounded where the machine has run long
    until(lambda: leaving.store.runs("ann"))
    assert leaving.store.runs("ann")[0].status == "stopped"
    until(lambda: leaving.jobs.jobs_of("ann") == [])


def test_those_who_are_there_go_before_those_who_left(leaving):
    first = leaving.jobs.submit("ann", [ask("runs")])
    until(lambda: leaving.engine.ran)
    leaving.jobs.submit("bob", [ask("left")])
    leaves(leaving, "bob", GONE_S + 0.01)
    cid = leaving.jobs.submit("cid", [ask("there")])
    leaving.jobs.stop("ann", first)
    until(lambda: leaving.jobs.view("cid", cid).state == "running")
    leaving.jobs.stop("cid", cid)
    until(lambda: len(leaving.engine.ran) == 3)
    assert [request.inputs["prompt"] for request in leaving.engine.ran] == ["runs", "there", "left"]


def test_the_speed_of_a_second_batch_is_its_own(clock, world):
    speeds = []

    class Batches(FakeEngine):
        def play(self, turn):
            for batch_s in (0.1, 0.02):  # seconds a step
                for step in range(1, 6):
                    clock.pass_s(batch_s)
                    yield Progress("denoise", step, 5)
                clock.pass_s(3)
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
def test_the_speed_is_of_what_is_counted_now(clock, world, events, speed):
    speeds = []

    class Counting(FakeEngine):
        def play(self, turn):
            for event in events:
                clock.pass_s(0.1)
                yield event
            speeds.append(world.jobs.jobs_of("ann")[-1].steps_per_s)

    world.jobs.engine = Counting()
    world.finished("ann", world.jobs.submit("ann", [ask("one")]))
    assert speeds == [pytest.approx(speed)]
