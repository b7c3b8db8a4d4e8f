from models.runtime import job_view
from tests.stored import make_run


def test_stored_runs_are_a_finished_job_again():
    runs = [make_run(f"run-{place}", job="job", created_at=100.0 + place, stats={"seconds": 2.5}) for place in range(3)]
    for run in runs:
        run.purpose = "walk"
    view = job_view.of_runs(runs)
    assert (view.id, view.purpose, view.state, view.finished) == ("job", "walk", "done", True)
    assert view.runs == tuple(runs)
    assert view.requests == tuple(run.request for run in runs)
    assert (view.submitted_at, view.finished_at) == (100.0, 104.5)


def test_the_worst_end_of_its_runs_is_its_end():
    runs = [make_run("a"), make_run("b", status="stopped"), make_run("c")]
    assert job_view.of_runs(runs).state == "stopped"
    runs.append(make_run("d", status="failed", error={"message": "It died."}))
    view = job_view.of_runs(runs)
    assert (view.state, view.error) == ("failed", {"message": "It died."})
