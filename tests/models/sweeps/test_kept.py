"""What is there already of a sweep, by the causes of its cells."""

from models import causes
from models.catalog import load_catalog
from models.settings import Settings
from models.sweeps.cells import plan
from models.sweeps.kept import causes_of, found
from models.sweeps.spec import Axis, Sweep
from models.types import Request, Run

CATALOG = load_catalog(Settings(), strict=False)


def planned():
    request = Request(model="text/story-gpt", inputs={"prompt": "Once"}, seed=3)
    # without sampling the temperature does nothing: two of the four cells are one
    axes = (Axis("do_sample", (False, True)), Axis("temperature", (0.5, 1.0)))
    return plan(CATALOG, Sweep(request, axes))


def test_each_cell_that_is_computed_has_the_cause_that_a_run_of_it_has():
    sweep = planned()
    assert [cell.number for cell in sweep.distinct] == [0, 2, 3]
    assert causes_of(CATALOG, sweep) == {
        cell.number: causes.cause(CATALOG, cell.request) for cell in sweep.distinct
    }  # fmt: skip


def test_a_run_with_the_cause_of_a_cell_is_its_result_whoever_asked_for_it():
    sweep = planned()
    known = causes_of(CATALOG, sweep)
    made = Run("r", "me", "another job", sweep.cells[2].request, "done", 0.0, [], {}, None)
    there = found(sweep, known, lambda wanted: {cause: made for cause in wanted if cause == known[2]})
    assert list(there) == [2]
    assert (there[2].run, there[2].cached, there[2].cell) == (made, True, sweep.cells[2])
