"""When a job's parts begin and end, and what the end of the app does to it: each to the second, by a test's clock."""

import threading

import pytest

from models.errors import BadParam, PlaygroundError, QueueFull
from models.events import RESTING, Final, Preview, Progress
from models.runtime.forecasts import Work
from models.runtime.job import Job
from models.runtime.line import Line
from models.settings import Settings
from models.types import Output
from tests.fakes import FakeEngine, FakeWords
from tests.models.runtime.scripted import Clock
from tests.models.runtime.world import World, ask, until


class Timed(FakeEngine):
    """Take so many seconds of a clock for each request, by its prompt, and tell what the job's page says meanwhile."""

    def __init__(self, clock, took):
        super().__init__()
        self.clock, self.took, self.seen, self.world = clock, took, [], None

    def generate(self, request, stop=None):
        name = request.inputs["prompt"]
        before = self.world.jobs.jobs_of("ann")[-1]
        self.seen.append((before.index, before.progress, before.preview, before.steps_per_s, len(before.runs)))
        for step in (1, 2, 3):
            self.clock.pass_s(self.took[name] / 3)
            yield Progress("generate", step, 3)
            yield Preview((Output("text", 0, f"{name} {step}"),))
        yield Final((Output("text", 0, name),), {"stopped": False})


@pytest.fixture
def timed(clock, tmp_path):
    engine = Timed(clock, {"one": 30.0, "two": 6.0, "three": 1.5})
    engine.world = World(tmp_path, engine)
    yield engine
    engine.world.jobs.close()


def test_each_request_has_its_own_clock_speed_and_preview(timed, clock):
    world, begun, starts = timed.world, clock.time(), []
    learn = world.jobs.rates.learn
    world.jobs.rates.learn = lambda work, run: (starts.append(world.jobs.jobs_of("ann")[-1]), learn(work, run))
    job = world.jobs.submit("ann", [ask("one"), ask("two"), ask("three")])
    view = world.finished("ann", job)
    assert timed.seen == [(0, None, None, 0.0, 0), (1, None, None, 0.0, 1), (2, None, None, 0.0, 2)]
    assert [one.request_started_at - begun for one in starts] == pytest.approx([0.0, 30.0, 36.0])
    assert [one.started_at - begun for one in starts] == pytest.approx([0.0] * 3)
    assert [one.steps_per_s for one in starts] == pytest.approx([0.1, 0.5, 2.0])
    assert [one.preview.outputs[0].text for one in starts] == ["one 3", "two 3", "three 3"]
    assert [run.created_at - begun for run in view.runs] == pytest.approx([0.0, 30.0, 36.0])
    assert view.finished_at - begun == pytest.approx(37.5)
    assert view.preview is None
    assert world.jobs._line.turns.used("ann", clock.now) == pytest.approx(37.5 - 10.0)  # from its first word on


def test_every_request_of_a_job_is_checked_before_any_runs(tmp_path):
    def validate(request):
        if request.params.get("temperature") == 9:
            raise BadParam("temperature is 9; it must be 0.05 to 2.")

    world = World(tmp_path, validate=validate)
    with pytest.raises(BadParam, match="temperature is 9"):
        world.jobs.submit("ann", [ask("good"), ask("bad", temperature=9)])
    assert world.jobs.jobs_of("ann") == []
    assert world.engine.ran == []
    world.jobs.close()


ADDRESS = "203.0.113.9"


def test_what_a_run_used_is_its_owner_s_and_their_address_s_and_moves_with_the_owner(timed, clock):
    world, turns = timed.world, timed.world.jobs._line.turns
    world.jobs.attend("ann", "tab", ADDRESS)
    world.finished("ann", world.jobs.submit("ann", [ask("one"), ask("two")]))
    spent = pytest.approx(20.0 + 6.0)  # from its first word on

    def used(*owners):
        return [turns.used(owner, clock.now) for owner in owners], turns.used_by_client(ADDRESS, clock.now)

    assert used("ann", "bob", ADDRESS) == ([spent, 0.0, 0.0], spent)
    world.jobs.move("ann", "user:ann")
    assert used("ann", "user:ann") == ([0.0, spent], spent)
    world.jobs.forget("user:ann")
    assert used("user:ann") == ([0.0], spent)  # a new name at one address is no newcomer


def test_a_job_is_as_long_as_all_its_requests_together(clock, tmp_path):
    world = World(tmp_path, Deaf(), run_budget_s=10, short_run_s=40)
    world.jobs._weigh = lambda request: Work("text/fake", float(request.params["s"]))
    world.jobs.rates._runs["text/fake"] = [(1.0, 1.0)]
    first = world.jobs.submit("ann", [ask("a", s=30)])
    until(lambda: world.jobs.view("ann", first).state == "running")
    with pytest.raises(QueueFull, match="This run would take about 60 s; while others wait, at most 50 s are allowed"):
        world.jobs.submit("bob", [ask("b", s=30), ask("c", s=30)])
    job = world.jobs.submit("bob", [ask("b", s=25), ask("c", s=25)])
    assert world.jobs._jobs[job].forecast_s == 50.0
    world.engine.go.set()
    world.finished("bob", job)
    world.jobs.close()


def test_each_request_teaches_what_its_own_work_takes(timed):
    world, learnt = timed.world, []
    world.jobs._weigh = lambda request: Work(request.inputs["prompt"], float(len(request.inputs["prompt"])))
    world.jobs.rates.learn = lambda work, run: learnt.append((work.of, work.amount, run.request.inputs["prompt"]))
    world.finished("ann", world.jobs.submit("ann", [ask("one"), ask("three")]))
    assert learnt == [("one", 3.0, "one"), ("three", 5.0, "three")]


@pytest.mark.parametrize("second", [Progress(RESTING, 1, 9), Preview((Output("text", 0, "a"),))])
def test_a_rest_counts_from_its_first_word(second):
    job = Job("job", "ann", ())
    for event, now in ((Progress("start"), 10.0), (Progress(RESTING, 1, 9), 13.0), (second, 20.0)):
        job.take(event, now)
    assert (job.ran_s(25.0), job.aside_s(25.0)) == (3.0, 12.0)
    job.take(Progress("generate", 2, 9), 26.0)
    for event, now in ((Progress(RESTING, 2, 9), 30.0), (Progress(RESTING, 2, 9), 31.0)):  # a second rest adds to it
        job.take(event, now)
    assert (job.ran_s(40.0), job.aside_s(40.0)) == (7.0, 23.0)


def test_what_was_put_back_has_used_nothing_and_is_begun_anew():
    clock, settings = Clock(100.0), Settings()
    line = Line(settings, lambda owner: False)
    first, second, third = (Job(name, name, (), asked_at=at) for name, at in (("a", 1.0), ("b", 2.0), ("c", 3.0)))
    line.begun = [first, second]
    line.waiting = [third]
    second.state, second.started_at = "running", 5.0
    second.take(Progress("start"), clock.now)
    line.put_back(second)
    assert [job.id for job in line.waiting] == ["b", "c"]  # in its place, as it came
    assert (second.state, second.started_at, second.progress) == ("queued", None, None)
    assert second.ran_s(clock.now + 50.0) == 0.0
    assert (first.not_for, second.not_for) == ({"b"}, set())
    assert line.begun == [first]


class Deaf(FakeEngine):
    """Go on until it is let go, whatever is pressed."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()

    def generate(self, request, stop=None):
        self.ran.append(request)
        yield Preview((Output("text", 0, "half"),))
        assert self.go.wait(10)
        yield Final((Output("text", 0, "whole"),), {"stopped": stop.asked})


def test_the_end_of_the_app_stops_what_runs_keeps_it_and_begins_nothing_more(tmp_path):
    world = World(tmp_path, FakeWords(steps=100_000, step_s=0.002))
    job = world.jobs.submit("ann", [ask("under way"), ask("second")])
    until(lambda: world.jobs.view("ann", job).preview)
    waiting = world.jobs.submit("bob", [ask("waits")])
    assert world.jobs.close(10.0)
    assert [run.status for run in world.store.runs("ann")] == ["stopped"]
    assert world.store.runs("ann")[0].outputs[0].text.startswith("under way word0")
    assert world.jobs.view("ann", job).state == "stopped"
    assert world.jobs.view("bob", waiting).state == "queued"
    assert [request.inputs["prompt"] for request in world.engine.ran] == ["under way"]
    assert world.jobs.close(10.0)  # again, at no harm


def test_the_end_of_the_app_says_whether_all_have_ended(tmp_path):
    world = World(tmp_path, Deaf())
    job = world.jobs.submit("ann", [ask("one")])
    until(lambda: world.jobs.view("ann", job).preview)
    assert not world.jobs.close()
    stop = world.jobs._jobs[job].stop
    assert stop.asked
    assert not world.jobs.close(0.01)
    assert not stop.forced  # a second call does not insist
    world.engine.go.set()
    assert world.jobs.close(10.0)
    assert world.store.runs("ann")[0].status == "stopped"


def test_what_comes_after_the_end_of_a_run_changes_nothing_of_the_next(timed):
    """An engine may say more after its `Final`: the last final counts, and no preview is left for the next request."""

    def generate(request, stop=None):
        yield Final((Output("text", 0, "early"),), {"stopped": False})
        yield Preview((Output("text", 0, "late"),))

    world = timed.world
    world.jobs.engine.generate = generate
    view = world.finished("ann", world.jobs.submit("ann", [ask("one"), ask("two")]))
    assert [run.outputs[0].text for run in view.runs] == ["early", "early"]
    assert [run.status for run in view.runs] == ["done", "done"]
    assert view.preview is None


def test_a_run_without_an_end_is_stopped_with_what_it_had(timed):
    def generate(request, stop=None):
        yield Preview((Output("text", 0, "half"),))

    world = timed.world
    world.jobs.engine.generate = generate
    view = world.finished("ann", world.jobs.submit("ann", [ask("one")]))
    assert [(run.status, run.outputs[0].text, run.stats) for run in view.runs] == [("stopped", "half", {})]


def test_only_the_request_that_fails_fails_and_the_job_tells_the_last_error(timed):
    def generate(request, stop=None):
        if request.inputs["prompt"] != "two":
            raise PlaygroundError(f"{request.inputs['prompt']} went wrong.")
        yield Final((Output("text", 0, "fine"),), {"stopped": False})

    world = timed.world
    world.jobs.engine.generate = generate
    view = world.finished("ann", world.jobs.submit("ann", [ask("one"), ask("two")]))
    assert [run.status for run in view.runs] == ["failed", "done"]
    assert view.state == "failed"
    assert view.error["message"] == "one went wrong."
    assert sorted(run.status for run in world.store.runs("ann")) == ["done", "failed"]
