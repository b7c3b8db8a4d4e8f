"""Where time is short, cells are made where outputs change: by a fake engine, over any place of the change."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import measuring
from models.catalog import load_catalog
from models.runtime import sweeping
from models.settings import Settings
from models.sweeps.cells import plan
from models.sweeps.order import coarse_first, level
from models.sweeps.refining import Refiner, apart_by
from models.sweeps.spec import Axis, Sweep
from models.types import Output, Request, Run
from tests.fakes import FakeEngine

CATALOG = load_catalog(Settings(), strict=False)
STORY, LSTM = "text/story-gpt", "text/story-lstm"


class Steps(FakeEngine):
    """Write what a rule says of a request."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def play(self, turn):
        yield Output("text", 0, self.rule(turn.request))

    def generate_together(self, requests, stop=None):
        for index, request in enumerate(requests):
            yield from ((index, event) for event in self.generate(request, stop))


def planned(*axes):
    request = Request(model=STORY, inputs={"prompt": "Once"})
    return plan(CATALOG, Sweep(request, tuple(Axis(name, tuple(values)) for name, values in axes)))


def words_apart(pairs):
    return [float(one.outputs[0].text != other.outputs[0].text) for one, other in pairs]


def made(found, rule, budget, apart=words_apart, group=lambda requests: 1):
    """Return the cells that are made within a budget of so many runs, in their order."""
    engine, refiner, done = Steps(rule), Refiner(found, apart), []
    for result in sweeping.run(engine, coarse_first(found), budget_s=budget, clock=lambda: len(engine.ran),
                               choose=refiner.order, group=group):  # fmt: skip
        refiner.take(result.cell.number, result.run)
        done.append(result.cell)
    return done


def warm(values):
    return [round(0.1 + 0.02 * at, 2) for at in range(values)]


@settings(deadline=None, max_examples=60)
@given(st.integers(5, 65), st.data())
def test_a_change_anywhere_is_closed_in_by_halving(many, data):
    values = warm(many)
    edge = data.draw(st.integers(1, many - 1))
    found = planned(("temperature", values))
    budget = 3 + math.ceil(math.log2(many))
    rule = lambda one: str(one.params["temperature"] >= values[edge])
    done = {cell.place[0] for cell in made(found, rule, budget - 1)}  # the first run is spent before the clock starts
    assert {0, many - 1, edge - 1, edge} <= done
    assert len(done) <= budget


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_every_cell_is_made_once_whatever_differs(seed):
    found = planned(("temperature", warm(7)), ("seed", (0, 1)), ("top_p", (0.5, 0.7, 0.8, 0.9, 1.0)))
    done = made(found, lambda one: str(hash((seed, one.canonical())) % 3), 1e9)
    assert sorted(cell.number for cell in done) == [cell.number for cell in found.distinct]
    coarse = [level(found.sweep.shape, cell.place) for cell in done]
    assert coarse[: coarse.count(0)] == [0] * coarse.count(0)  # all over the grid first


@pytest.mark.parametrize("group", [lambda requests: 1, lambda requests: min(4, len(requests))])
def test_in_a_plane_most_of_a_budget_goes_to_the_boundary(group):
    values, many = warm(17), 17
    found = planned(("temperature", values), ("top_p", [round(0.2 + 0.05 * at, 2) for at in range(many)]))
    rule = lambda one: str(one.params["temperature"] > one.params.get("top_p", 1.0) / 2)

    def near(cells):
        places = {cell.place for cell in cells}
        told = {cell.place: rule(cell.request) for cell in found.cells}
        return sum(
            any(told.get((row + a, column + b), told[row, column]) != told[row, column]
                for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0)))
            for row, column in places
        )  # fmt: skip

    budget = 70
    refined, coarse = made(found, rule, budget, group=group), coarse_first(found)[:budget]
    assert near(refined) > 1.8 * near(coarse)


def test_between_seeds_models_and_words_there_is_no_middle():
    found = planned(("model", (STORY, LSTM)), ("seed", range(9)))
    done = made(found, lambda one: str(one.seed > 4), 1e9)
    assert [cell.number for cell in done] == [cell.number for cell in coarse_first(found)]


def test_what_failed_closes_no_gap_and_what_cannot_be_compared_is_unlike():
    found = planned(("temperature", warm(9)))
    refiner = Refiner(found, lambda pairs: [None if one.id == "4" else 0.25 for one, _ in pairs])
    for number, status in ((0, "done"), (4, "done"), (8, "done"), (2, "failed")):
        refiner.take(number, Run(str(number), "me", "j", found.cells[number].request, status, 0.0))
    left = [cell for cell in found.cells if cell.number not in (0, 2, 4, 8)]
    # 2 failed: its gap is as long as the other one, whose ends cannot be compared and count as the most unlike
    assert [cell.number for cell in refiner.order(left)][0] in (6, 1)
    assert {cell.number for cell in refiner.order(left)} == {1, 3, 5, 6, 7}


def test_a_distance_is_asked_for_once():
    asked = []

    def apart(pairs):
        asked.extend((one.request.canonical(), other.request.canonical()) for one, other in pairs)
        return words_apart(pairs)

    made(planned(("temperature", warm(33))), lambda one: str(one.params["temperature"] > 0.33), 20, apart)
    assert len(asked) == len(set(asked)) > 5


@pytest.mark.parametrize("kind, expected", [("text", [0.0, 1.0, 0.5]), ("strange", [None, None, None])])
def test_the_distance_is_the_room_s_own(kind, expected):
    found = planned(("temperature", warm(3)))
    texts = ("a b c d", "a b c d", "w x y z", "a b y z")
    runs = [Run(str(at), "me", "j", found.cells[0].request, "done", 0.0, [Output(kind, 0, text, text.encode())])
            for at, text in enumerate(texts)]  # fmt: skip
    apart = apart_by(CATALOG, Settings(), found, lambda one: one.data, measuring.here)
    assert apart([(runs[0], one) for one in runs[1:]]) == pytest.approx(expected)
    if kind == "text":
        assert apart([(runs[0], runs[0])]) == [0.0]
