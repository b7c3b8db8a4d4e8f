"""Jobs that are set aside for shorter ones, over an engine that can do so. Each test is a story about owners."""

import time

import pytest

from models.errors import NotNow, QueueFull
from models.events import RESTING, Final, Preview, Progress
from models.runtime.forecasts import Work
from models.runtime.gate import Gate
from models.runtime.job import Job
from models.types import Output
from tests.fakes import FakeEngine
from tests.models.runtime.world import World, ask, until

LONG = 45


class Aside(FakeEngine):
    """Count until it is told to end (`done`, by prompt) or stopped; rest while another goes ahead."""

    def __init__(self):
        super().__init__()
        self.done, self.refused, self.asked = set(), set(), []
        self._turn = Gate()

    def generate(self, request, stop=None):
        name = request.inputs["prompt"]
        self.asked.append((name, stop.ahead))
        if stop.ahead and name in self.refused:
            raise NotNow("Not beside the one under way.")
        self._turn.enter(name, ahead=stop.ahead)
        try:
            self.ran.append(request)
            step = 0
            while name not in self.done and not stop.asked:
                step += 1
                yield Progress("generate", step, 1000)
                if self._turn.called(name):
                    yield Progress(RESTING, step, 1000)
                    self._turn.rest(name)
                time.sleep(0.002)
            yield Final((Output("text", 0, name),), {"stopped": stop.asked})
        finally:
            self._turn.leave(name)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path, Aside())
    world.jobs._weigh = lambda request: Work(guess_s=float(request.params.get("s", 1)))
    yield world
    world.jobs.close()


def state(world, owner, job):
    return world.jobs.view(owner, job).state


def resting(world, owner, job):
    progress = world.jobs.view(owner, job).progress
    return progress is not None and progress.stage == RESTING


def runs(world, owner, prompt, s=1):
    job = world.jobs.submit(owner, [ask(prompt, s=s)])
    until(lambda: prompt in [request.inputs["prompt"] for request in world.engine.ran])
    return job


def test_a_preview_that_comes_late_does_not_end_the_rest():
    job = Job("job", "ann", ())
    for event, now in (
        (Progress("warm-up"), 0.0), (Progress("start"), 10.0), (Progress("generate", 1, 9), 12.0),
        (Progress(RESTING, 1, 9), 13.0), (Preview((Output("text", 0, "a"),)), 14.0),
    ):  # fmt: skip
        job.take(event, now)
    assert (job.ran_s(20.0), job.aside_s(20.0)) == (3.0, 7.0)
    assert job.preview.outputs[0].text == "a"
    job.take(Progress("generate", 2, 9), 21.0)
    assert (job.ran_s(22.0), job.aside_s(22.0)) == (4.0, 8.0)
    assert job.steps_per_s == 0.0  # the rest is no step
    job.take(Progress("generate", 4, 9), 22.0)
    assert job.steps_per_s == 2.0


def test_a_long_run_is_set_aside_for_a_short_one_and_goes_on(world):
    long = runs(world, "ann", "long", LONG)
    world.engine.done.add("short")
    bob = world.jobs.submit("bob", [ask("short")])
    assert world.finished("bob", bob).state == "done"
    assert state(world, "ann", long) == "running"
    until(lambda: not resting(world, "ann", long))
    world.engine.done.add("long")
    view = world.finished("ann", long)
    assert (view.state, view.runs[0].outputs[0].text) == ("done", "long")
    assert world.engine.asked == [("long", False), ("short", True)]


def test_the_one_set_aside_says_so_and_its_rest_counts_for_nobody(clock, world):
    long = runs(world, "ann", "long", LONG)
    clock.pass_s(5.0)
    runs(world, "bob", "short")
    until(lambda: resting(world, "ann", long))
    clock.pass_s(30.0)
    world.engine.done |= {"short", "long"}
    world.finished("ann", long)
    used = [world.jobs._line.turns.used(owner, clock.now) for owner in ("ann", "bob")]
    assert used == pytest.approx([5.0, 30.0])


def test_nobody_is_set_aside_for_their_own_or_for_a_long_one(world):
    runs(world, "ann", "long", LONG)
    mine = world.jobs.submit("ann", [ask("mine")])
    bob = world.jobs.submit("bob", [ask("as long", s=LONG)])
    world.line_looked()
    assert (state(world, "ann", mine), state(world, "bob", bob)) == ("queued", "queued")
    assert [world.jobs.view("bob", bob).place, world.jobs.view("ann", mine).place] == [2, 1]


def test_a_short_run_that_does_not_fit_waits_on_in_its_place(world):
    long = runs(world, "ann", "long", LONG)
    world.engine.refused.add("short")
    bob = world.jobs.submit("bob", [ask("short")])
    until(lambda: ("short", True) in world.engine.asked)
    until(lambda: state(world, "bob", bob) == "queued")
    cid = world.jobs.submit("cid", [ask("next")])
    until(lambda: state(world, "cid", cid) == "running")  # what does not fit bars nobody else
    assert world.jobs.view("bob", bob).place == 1
    world.engine.done |= {"short", "long", "next"}
    assert world.finished("bob", bob).state == "done"
    assert world.finished("ann", long).state == "done"
    assert world.engine.asked.count(("short", True)) == 1  # it was not asked again and again
    assert world.engine.asked[-1] == ("short", False)


def begin_between_two_requests(world):
    """Let ann's job of two requests rest between them for bob's, which did not fit beside the first."""
    world.engine.refused.add("short")
    job = world.jobs.submit("ann", [ask("one", s=LONG), ask("two", s=LONG)])
    until(lambda: world.engine.ran)
    bob = world.jobs.submit("bob", [ask("short")])
    until(lambda: ("short", True) in world.engine.asked)
    until(lambda: state(world, "bob", bob) == "queued")
    world.engine.refused.clear()
    world.engine.done.add("one")
    until(lambda: state(world, "bob", bob) == "running")
    until(lambda: resting(world, "ann", job))
    world.looked()
    assert [name for name, _ in world.engine.asked] == ["one", "short", "short"]
    return job, bob


def test_what_does_not_fit_goes_first_between_two_requests(world):
    job, bob = begin_between_two_requests(world)
    world.engine.done |= {"short", "two"}
    assert world.finished("bob", bob).state == "done"
    view = world.finished("ann", job)
    assert [run.outputs[0].text for run in view.runs] == ["one", "two"]


def test_stop_between_two_requests_ends_the_job_at_once(world):
    job, bob = begin_between_two_requests(world)
    world.jobs.stop("ann", job)
    view = world.finished("ann", job)
    assert (view.state, len(view.runs)) == ("stopped", 1)
    assert state(world, "bob", bob) == "running"
    assert "two" not in [name for name, _ in world.engine.asked]


def test_what_waits_on_can_be_stopped(world):
    runs(world, "ann", "long", LONG)
    world.engine.refused.add("short")
    bob = world.jobs.submit("bob", [ask("short")])
    until(lambda: ("short", True) in world.engine.asked)
    until(lambda: state(world, "bob", bob) == "queued")
    world.jobs.stop("bob", bob)
    assert state(world, "bob", bob) == "stopped"
    assert world.jobs.waiting() == 0


def test_an_owner_who_leaves_while_set_aside_makes_room(world):
    long = runs(world, "ann", "long", LONG)
    bob = runs(world, "bob", "short")
    until(lambda: resting(world, "ann", long))
    world.gone.add("ann")
    until(lambda: world.jobs.view("ann", long).stopping)
    world.engine.done.add("short")
    assert world.finished("bob", bob).state == "done"
    until(lambda: world.store.runs("ann"))
    assert world.store.runs("ann")[0].status == "stopped"


def test_all_that_have_begun_end_with_the_app(world):
    long = runs(world, "ann", "long", LONG)
    bob = runs(world, "bob", "short")
    until(lambda: resting(world, "ann", long))
    world.engine.done.add("short")
    assert world.jobs.close(5.0)
    assert world.jobs.view("ann", long).finished
    assert world.jobs.view("bob", bob).finished


def test_a_forecast_learns_from_runs_and_is_kept(world, tmp_path):
    world.jobs._weigh = lambda request: Work("text/fake", float(request.params["s"]), guess_s=1.0)
    assert world.jobs.forecast(ask("x", s=4)) is None
    world.engine.done.add("x")

    def generate(request, stop=None):
        yield Final((Output("text", 0, "x"),), {"stopped": False, "seconds": 3.0, "load_s": 1.0})

    world.engine.generate = generate
    world.finished("ann", world.jobs.submit("ann", [ask("x", s=4)]))
    until(lambda: world.jobs.forecast(ask("x", s=8)) == pytest.approx(4.0))
    assert World(tmp_path, Aside()).jobs.rates.seconds(Work("text/fake", 2.0)) == pytest.approx(1.0)


def test_a_client_has_so_many_places_and_a_machines_own_user_any_number(tmp_path):
    world = World(tmp_path, Aside(), queue_per_address=4, queue_total=9)
    world.jobs._weigh = lambda request: Work(guess_s=float(request.params.get("s", 1)))
    for owner, client in (("ann", "203.0.113.9"), ("bob", "203.0.113.9"), ("cid", ""), ("dan", "203.0.113.9")):
        world.jobs.attend(owner, owner, client)
    runs(world, "eve", "runs")
    for owner in ("ann", "ann", "bob"):
        world.jobs.submit(owner, [ask("w", s=LONG)])
    with pytest.raises(QueueFull, match="3 runs from your network address wait already; the last place is kept"):
        world.jobs.submit("bob", [ask("w", s=LONG)])
    world.jobs.submit("bob", [ask("short")])
    with pytest.raises(QueueFull, match="4 runs from your network address wait already; at most 4 may"):
        world.jobs.submit("dan", [ask("short")])
    for _ in range(3):
        world.jobs.submit("cid", [ask("w")])
    world.jobs.close()


def test_a_run_far_above_the_budget_is_refused_only_while_others_wait(tmp_path):
    world = World(tmp_path, Aside(), run_budget_s=10)
    world.jobs._weigh = lambda request: Work("text/fake", float(request.params["s"]))
    world.jobs.rates._runs["text/fake"] = [(1.0, 1.0)]
    first = runs(world, "ann", "long", 60)  # nobody else is here
    with pytest.raises(QueueFull, match="This run would take about 60 s; while others wait, at most 50 s are allowed"):
        world.jobs.submit("bob", [ask("as long", s=60)])
    world.jobs.submit("bob", [ask("less", s=50)])
    assert state(world, "ann", first) == "running"
    world.jobs.close()
