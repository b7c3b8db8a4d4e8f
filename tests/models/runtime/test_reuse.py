"""What was made before is taken in by a job and not computed again: cells of a sweep, single runs of a swept cell."""

import pytest

from models import causes
from models.catalog import load_catalog
from models.errors import PlaygroundError
from models.runtime import reuse
from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from models.types import Request
from tests.fakes import FakeWords
from tests.models.runtime.world import until

CATALOG = load_catalog(Settings(), strict=False)
MODEL = "text/story-gpt"


def ask(seed):
    return Request(model=MODEL, inputs={"prompt": "A hen"}, params={"max_new_tokens": 3}, seed=seed)


class Caused(FakeWords):
    """Tell the cause of each run, as an engine does."""

    def counted(self, request):
        return {"cause": causes.cause(CATALOG, request), "seconds": 9.0, "notes": ["A note."]}


@pytest.fixture
def jobs(tmp_path):
    settings = Settings(data_dir=tmp_path)
    store = Store(settings)
    found = Jobs(Caused(), store, settings, CATALOG.validate, made_before=reuse.made_before(store, lambda: CATALOG))
    yield found
    found.engine.gate.set()
    found.close()


def finished(jobs, job, owner="me"):
    return until(lambda: (view := jobs.view(owner, job)) and view.finished and view)


def seeds(jobs):
    return [request.seed for request in jobs.engine.ran]


def test_a_run_that_is_under_way_when_a_sweep_is_asked_for_is_not_made_twice(jobs):
    jobs.engine.hold_from = 0
    single = jobs.submit("me", [ask(1)])
    until(lambda: seeds(jobs) == [1])
    sweep = jobs.submit("me", [ask(0), ask(1), ask(2)], "sweep")  # nothing of it is kept yet
    jobs.engine.hold_from = None
    jobs.engine.gate.set()
    made = finished(jobs, single).runs[0]
    view = finished(jobs, sweep)
    assert seeds(jobs) == [1, 0, 2]
    assert (view.state, [run.request.seed for run in view.runs]) == ("done", [1, 0, 2])
    assert [one.sha256 for one in view.runs[0].outputs] == [one.sha256 for one in jobs.store.run(made.id, "me").outputs]
    assert {run.purpose for run in view.runs} == {"sweep"}
    assert view.runs[0].stats["notes"] == ["A note."]


def test_a_single_run_of_a_cell_that_was_swept_is_shown_at_once_and_says_so(jobs):
    swept = finished(jobs, jobs.submit("me", [ask(0), ask(1)], "sweep")).runs
    view = finished(jobs, jobs.submit("me", [ask(1)]))
    assert (seeds(jobs), view.state) == ([0, 1], "done")
    (run,) = view.runs
    assert run.id not in {one.id for one in swept}
    assert (run.purpose, run.job, run.stats["notes"]) == ("", view.id, [reuse.NOTE, "A note."])
    assert jobs.store.run(run.id, "me").output_sha256 == jobs.store.run(swept[1].id, "me").output_sha256
    again = finished(jobs, jobs.submit("me", [ask(1)])).runs[0]
    assert seeds(jobs) == [0, 1]
    assert again.stats["notes"].count(reuse.NOTE) == 1


def test_what_a_single_run_made_and_what_another_owner_has_is_computed(jobs):
    finished(jobs, jobs.submit("me", [ask(0)]))
    finished(jobs, jobs.submit("me", [ask(0)]))
    assert seeds(jobs) == [0, 0]
    finished(jobs, jobs.submit("me", [ask(1)], "sweep"))
    finished(jobs, jobs.submit("you", [ask(1)], "sweep"), "you")
    finished(jobs, jobs.submit("me", [ask(1)], "again"))  # to compare with what there is
    assert seeds(jobs) == [0, 0, 1, 1, 1]


def test_what_was_taken_in_teaches_no_time(jobs):
    finished(jobs, jobs.submit("me", [ask(0)], "sweep"))
    learnt = str(jobs.rates._runs)
    finished(jobs, jobs.submit("me", [ask(0)]))
    assert str(jobs.rates._runs) == learnt


def test_where_it_cannot_be_told_all_is_computed(jobs, monkeypatch):
    finished(jobs, jobs.submit("me", [ask(0)], "sweep"))

    def made(owner, causes):
        raise PlaygroundError("The index is locked.")

    monkeypatch.setattr(jobs.store, "made", made)
    assert finished(jobs, jobs.submit("me", [ask(0)])).state == "done"
    assert seeds(jobs) == [0, 0]
