"""A job with a budget of seconds begins no further request once they are used."""

import pytest

from models.runtime.job import Job
from tests.models.runtime.world import World, ask


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.jobs.close()


def test_a_budget_is_spent_by_the_time_that_a_job_ran_itself_after_its_first_request():
    job = Job("one", "me", (ask("a"), ask("b")), budget_s=10.0, began=100.0, rested_s=5.0)
    assert not job.is_spent(200.0)  # the first request is made whatever the budget is
    job.runs.append("a run")
    assert (job.is_spent(114.9), job.is_spent(115.0)) == (False, True)
    assert not Job("two", "me", (ask("a"),), began=100.0, runs=["a run"]).is_spent(1e9)


def test_what_the_budget_leaves_is_not_made_and_the_job_is_done(world):
    view = world.finished("me", world.jobs.submit("me", [ask("a b"), ask("c d"), ask("e f")], "sweep", 0.0))
    assert (view.state, [run.request.inputs["prompt"] for run in view.runs]) == ("done", ["a b"])
    view = world.finished("me", world.jobs.submit("me", [ask("a b"), ask("c d")], "sweep", 600.0))
    assert (view.state, len(view.runs)) == ("done", 2)


def texts(view):
    return [run.request.inputs["prompt"] for run in view.runs]


def test_what_is_left_comes_in_the_order_that_is_chosen_before_each(world):
    told = []

    def choose(runs, left):
        told.append(([run.request.inputs["prompt"] for run in runs], list(left)))
        return sorted(left, reverse=True)

    requests = [ask("a b"), ask("c d"), ask("e f")]
    view = world.finished("me", world.jobs.submit("me", requests, "sweep", 600.0, choose))
    assert texts(view) == ["e f", "c d", "a b"]
    assert told == [([], [0, 1, 2]), (["e f"], [0, 1])]  # of the last one there is no choice


def test_a_choice_that_fails_leaves_the_order_as_it_was(world):
    def choose(runs, left):
        raise RuntimeError("no distance")

    view = world.finished("me", world.jobs.submit("me", [ask("a b"), ask("c d")], "sweep", 600.0, choose))
    assert (view.state, texts(view)) == ("done", ["a b", "c d"])
