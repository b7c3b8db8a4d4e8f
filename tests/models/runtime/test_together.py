"""Requests of a sweep's job that are made at once: who may, what becomes of each, and what comes in between."""

import threading
from dataclasses import replace

import pytest

from models.errors import NotEnoughMemory, PlaygroundError, WorkerDied
from models.events import Final, Preview, Progress
from models.runtime import sweeping, together
from models.runtime.engine import StopSignal
from models.runtime.forecasts import Rates, Work
from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.sweeps.cells import Cell
from models.tokens import together as reading
from models.types import Output, Request, Run
from tests.fakes import FakeWords
from tests.models.runtime.world import ask, until
from tests.same_texts import check_same
from tests.tiny import ask as ask_tiny
from tests.tiny import results, tiny_engine


class AtOnce(FakeWords):
    """Make requests at once: the last one ends first; a prompt "fails" fails, "breaks" ends all that is under way."""

    def __init__(self):
        super().__init__()
        self.batches = []
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def generate_together(self, requests, stop=None):
        return together.rest_alone(
            lambda one: self.generate(one, stop), requests, lambda: stop.asked, self._at_once(requests, stop)
        )

    def _at_once(self, requests, stop):
        self.batches.append([one.inputs["prompt"] for one in requests])
        yield 0, Progress("generate", 1, 3)
        yield 0, Preview((Output("text", 0, "so far"),))
        self.inside.set()
        self.go_on.wait(30)
        for index in reversed(range(len(requests))):
            prompt = requests[index].inputs["prompt"]
            if prompt == "breaks":
                raise WorkerDied("The worker process ended.", reason="crashed")
            if prompt == "fails":
                yield index, PlaygroundError("It cannot.")
                continue
            yield index, Final((Output("text", 0, prompt, prompt.encode()),), {"stopped": stop.asked, "together": 2})


class World:
    def __init__(self, folder, most=3):
        self.engine = AtOnce()
        settings = Settings(data_dir=folder, short_run_s=0.5)
        self.jobs = Jobs(
            self.engine, Store(settings), settings, lambda request: None,
            weigh=lambda request: Work("fake", 1.0, 1.0, 0.1 if request.seed == 7 else 5.0),
            group=lambda requests: min(most, len(requests)),
        )  # fmt: skip

    def finished(self, owner, job):
        return until(lambda: (view := self.jobs.view(owner, job)).finished and view)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.engine.go_on.set()
    made.jobs.close()


def test_a_view_tells_which_requests_are_being_made_at_once(world):
    world.engine.go_on.clear()
    job = world.jobs.submit("ann", [ask("a"), ask("b"), ask("c"), ask("d")], "sweep")
    assert world.engine.inside.wait(30)
    assert world.jobs.view("ann", job).at_once == (0, 1, 2)
    world.engine.go_on.set()
    view = world.finished("ann", job)
    assert (len(view.runs), view.at_once) == (4, ())


def told(view):
    return sorted((run.request.inputs["prompt"], run.status) for run in view.runs)


def test_a_sweeps_requests_are_made_at_once_and_each_appears_as_it_ends(world):
    view = world.finished("me", world.jobs.submit("me", [ask(one) for one in "abcde"], "sweep"))
    assert world.engine.batches == [["a", "b", "c"], ["d", "e"]]
    assert [run.request.inputs["prompt"] for run in view.runs] == ["c", "b", "a", "e", "d"]
    assert (view.state, [run.outputs[0].text for run in view.runs][0]) == ("done", "c")


def test_requests_of_other_jobs_stay_in_the_order_in_which_they_were_asked_for(world):
    view = world.finished("me", world.jobs.submit("me", [ask(one) for one in "ab"], "compare"))
    assert world.engine.batches == [] and [run.request.inputs["prompt"] for run in view.runs] == ["a", "b"]


def test_one_that_fails_says_why_and_the_others_are_made(world):
    view = world.finished("me", world.jobs.submit("me", [ask("a"), ask("fails"), ask("c"), ask("d")], "sweep"))
    assert told(view) == [("a", "done"), ("c", "done"), ("d", "done"), ("fails", "failed")]
    assert next(run.error["message"] for run in view.runs if run.error) == "It cannot."


def test_what_ends_all_of_them_leaves_those_that_had_ended_and_the_rest_is_made_alone(world):
    view = world.finished("me", world.jobs.submit("me", [ask("a"), ask("breaks"), ask("c")], "sweep"))
    assert told(view) == [("a", "done"), ("breaks", "done"), ("c", "done")]
    assert [one.inputs["prompt"] for one in world.engine.ran] == ["a", "breaks"]  # alone; c had ended


def test_stop_keeps_what_the_requests_at_hand_have_and_begins_no_other(world):
    world.engine.go_on.clear()
    job = world.jobs.submit("me", [ask(one) for one in "abcde"], "sweep")
    world.engine.inside.wait(30)
    until(lambda: world.jobs.view("me", job).preview)
    world.jobs.stop("me", job)
    world.engine.go_on.set()
    view = world.finished("me", job)
    assert (view.state, told(view)) == ("stopped", [("a", "stopped"), ("b", "stopped"), ("c", "stopped")])
    assert world.engine.batches == [["a", "b", "c"]]


def test_a_short_run_of_somebody_else_comes_between_two_batches(world):
    world.engine.go_on.clear()
    job = world.jobs.submit("me", [ask(one) for one in "abcd"], "sweep")
    world.engine.inside.wait(30)
    short = Request(model="text/fake", inputs={"prompt": "short"}, seed=7)
    run = world.engine.generate
    order = []
    world.engine.generate = lambda one, stop=None: (order.append(one.inputs["prompt"]), run(one, stop))[1]
    other = world.jobs.submit("you", [short])
    assert world.finished("you", other).state == "done"  # set aside for it, or between: never after the whole sweep
    world.engine.go_on.set()
    assert world.finished("me", job).state == "done"
    assert order == ["short", "d"]


def test_no_more_are_made_at_once_than_end_in_what_is_left_of_a_budget(world):
    world.jobs.rates.learn(Work("fake", 1.0), sized(2.0))  # each of them takes two seconds
    world.finished("me", world.jobs.submit("me", [ask(one) for one in "abcde"], "sweep", 4.5))
    assert world.engine.batches[0] == ["a", "b"]


def sized(seconds):
    run = Run(id="1", owner="", job="", request=ask("a"), status="done", created_at=0.0)
    run.stats = {"seconds": seconds}
    return run


def test_what_was_done_at_once_is_learnt_as_the_part_that_it_took(tmp_path):
    rates, work = Rates(), Work("fake", 10.0, 10.0, 99.0)
    run = Run(id="1", owner="", job="", request=ask("a"), status="done", created_at=0.0)
    run.stats = {"seconds": 8.0, "together": 4}
    rates.learn(work, run)
    assert rates.knows(work) and rates.seconds(work, together=True) == pytest.approx(2.0)
    run.stats = {"seconds": 6.0}
    rates.learn(work, run)
    assert (rates.seconds(work), rates.seconds(work, together=True)) == (pytest.approx(6.0), pytest.approx(2.0))


# -- over the real families, in this process ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return tiny_engine(tmp_path_factory.mktemp("together"))


def cells(requests):
    return [Cell(number, (number,), request, number) for number, request in enumerate(requests)]


def may_go_together(engine):
    """Say whether this machine's kernels give rows that are read together the numbers that each has alone."""
    return reading.can_read(engine._registry._entries["text/llama"].loaded.parts)


def swept(engine, requests, **more):
    group = lambda some: together.how_many(engine.catalog, some)
    return {one.cell.number: one.run for one in sweeping.run(engine, cells(requests), group=group, **more)}


def test_a_sweep_at_once_has_the_results_of_single_runs_whatever_stands_between(engine):
    requests = [
        ask_tiny("the cat", "llama", 1, max_new_tokens=9), ask_tiny("the cat", "llama", 2, max_new_tokens=20),
        ask_tiny("the cat", "gpt2", 1, max_new_tokens=9), ask_tiny("the cat", "llama", 3, num_variants=2),
        ask_tiny("the cat", "llama", 4, temperature=0.0), ask_tiny("rain", "llama", 5),
    ]  # fmt: skip
    runs = swept(engine, requests)
    if may_go_together(engine):
        assert {number: run.stats.get("together") for number, run in runs.items()} == {
            0: 2, 1: 2, 2: None, 3: None, 4: 2, 5: 2
        }  # fmt: skip
    for number, request in enumerate(requests):
        single = list(engine.generate(request))[-1]
        check_same(runs[number].outputs, single.outputs)
        assert runs[number].stats["cause"] == single.stats["cause"]
        assert runs[number].stats["in_effect"] == single.stats["in_effect"]


def test_no_more_go_together_than_a_family_takes_and_only_those_of_one_model(engine):
    many = engine.catalog.family("text/llama").together_most
    assert together.how_many(engine.catalog, [ask_tiny("a", "llama", seed) for seed in range(many + 3)]) == many
    assert together.how_many(engine.catalog, [ask_tiny("a", "llama"), ask_tiny("a", "gpt2")]) == 1
    assert together.how_many(engine.catalog, [ask_tiny("a", "llama", num_variants=2), ask_tiny("a")]) == 1


def test_rows_count_in_the_forecast_of_memory_and_what_does_not_fit_is_made_in_parts(engine, monkeypatch):
    requests = [ask_tiny("the cat", "llama", seed, max_new_tokens=4) for seed in range(4)]
    one = together.run_bytes(engine.catalog, requests[:1])
    assert together.run_bytes(engine.catalog, requests) == 4 * one
    registry = engine._ready()
    whole = registry.forecast

    def small(model, run_bytes=0):
        found = whole(model, run_bytes)
        return replace(found, fits=found.fits and run_bytes <= 2 * one)

    monkeypatch.setattr(registry, "forecast", small)
    runs = swept(engine, requests)
    if may_go_together(engine):
        assert [runs[number].stats["together"] for number in range(4)] == [2, 2, 2, 2]


def test_where_all_at_once_find_no_memory_each_is_made_alone(engine, monkeypatch):
    family = engine.catalog.family("text/llama")

    def full(*given):
        raise NotEnoughMemory("There is no room.", midway=True)
        yield

    monkeypatch.setattr(family, "generate_together", full)
    runs = swept(engine, [ask_tiny("the cat", "llama", seed, max_new_tokens=4) for seed in range(2)])
    assert [run.status for run in runs.values()] == ["done", "done"] and all(results(run) for run in runs.values())


def test_stop_of_a_sweep_at_once_keeps_the_texts_so_far_and_makes_no_other(engine):
    stop, seen = StopSignal(), []
    family = engine.catalog.family("text/llama")
    whole = family.generate_together

    def pressed(*given):
        for index, event in whole(*given):
            if not isinstance(event, PlaygroundError) and event.kind == "preview":
                stop.request()
            seen.append(index)
            yield index, event

    family.generate_together = pressed
    try:
        runs = swept(engine, [ask_tiny("the cat", "llama", seed, max_new_tokens=50) for seed in range(12)], stop=stop)
    finally:
        del family.generate_together
    assert sorted(runs) == list(range(8)) and {run.status for run in runs.values()} <= {"stopped", "done"}
