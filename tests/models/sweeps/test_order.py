"""In which order cells are made."""

import pytest

from models.catalog import load_catalog
from models.settings import Settings
from models.sweeps.cells import plan
from models.sweeps.order import coarse_first, level, middle_first
from models.sweeps.spec import Axis, Sweep
from models.types import Request

CATALOG = load_catalog(Settings(), strict=False)
STORY, LSTM = "text/story-gpt", "text/story-lstm"


def planned(*axes):
    request = Request(model=STORY, inputs={"prompt": "Once"})
    return plan(CATALOG, Sweep(request, tuple(Axis(name, tuple(values)) for name, values in axes)))


def test_the_middle_comes_first():
    found = planned(("temperature", (0.2, 0.4, 0.6)), ("seed", (0, 1, 2)))
    assert [cell.place for cell in middle_first(found)] == [
        (1, 1), (0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2),
    ]  # fmt: skip


def test_each_model_is_loaded_once():
    found = planned(("temperature", (0.2, 0.4, 0.6)), ("model", (STORY, LSTM)))
    models = [cell.request.model for cell in middle_first(found)]
    assert models == [STORY] * 3 + [LSTM] * 3


def test_alike_cells_are_made_once():
    found = planned(("do_sample", (False, True)), ("temperature", (0.2, 0.4, 0.6)))
    assert sorted(cell.number for cell in middle_first(found)) == [0, 3, 4, 5]
    assert sorted(cell.number for cell in coarse_first(found)) == [0, 3, 4, 5]


@pytest.mark.parametrize(("many", "levels"), [
    (1, [0]), (2, [0, 0]), (3, [0, 0, 0]), (4, [0, 0, 1, 0]), (5, [0, 1, 0, 1, 0]), (9, [0, 2, 1, 2, 0, 2, 1, 2, 0]),
])  # fmt: skip
def test_ends_and_middle_come_before_what_lies_between(many, levels):
    assert [level((many,), (at,)) for at in range(many)] == levels


def test_a_coarse_grid_is_whole_before_a_finer_one_begins():
    found = planned(("temperature", tuple(at / 10 for at in range(1, 10))), ("seed", tuple(range(5))))
    places = [cell.place for cell in coarse_first(found)]
    assert set(places[:9]) == {(row, column) for row in (0, 4, 8) for column in (0, 2, 4)}
    assert places[0] == (4, 2)
    assert len(places) == len(set(places)) == 45
    assert level((9, 5), (2, 1)) == 1
