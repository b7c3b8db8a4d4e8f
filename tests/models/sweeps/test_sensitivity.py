"""What a trial of a request's settings runs, and how it ranks what moved the result."""

import math

import pytest

from models.errors import BadParam
from models.measures import Measure
from models.measuring import Offer
from models.params import ParamField, problem
from models.sweeps import sensitivity
from models.sweeps.results import Result
from models.sweeps.values import nudged
from models.types import Output, Request, Run
from tests.fakes import catalog

MODEL = "text/story-gpt"
OFFER = Offer(Measure("gap", "Gap", lambda one, other: 0.0, kinds=("text",), takes="pair", apart=True))


def number(**more):
    given = {"type": "number", "default": 1.0, "help": "", "ge": 0.0, "le": 2.0, "step": 0.05, **more}
    return ParamField("t", "T", **given)


def test_a_step_is_a_tenth_of_the_slider_and_at_least_one_of_its_own():
    assert nudged(number(), 1.0)[0] == 1.2
    assert nudged(number(), 2.0)[0] == 1.8  # the end is reached: down
    assert nudged(number(), 1.9)[0] == 1.7
    assert nudged(number(step=0.5), 1.0)[0] == 1.5
    assert nudged(number(ge=0.1, le=10.0, log=True), 1.0)[0] == pytest.approx(10**0.2, rel=0.01)
    assert nudged(number(type="integer", ge=1, le=8, step=1, log=True), 1)[0] == 2
    assert nudged(number(optional=True), None) == (0.65,)
    assert nudged(number(type="toggle"), False) == (True,)
    assert nudged(number(type="choice", choices=("a", "b", "c")), "c") == ("a", "b")
    assert nudged(number(type="text"), "a") == nudged(number(type="seed"), 3) == ()


@pytest.mark.parametrize("model", sorted(catalog()))
def test_every_step_of_every_setting_is_taken_by_its_model(model):
    known = catalog()
    for item in known.family(known[model].id).fields(known[model]):
        for value in nudged(item, item.default):
            assert not problem(item, value), (item.name, value)
            assert value != item.default


def asked(**params):
    return Request(model=MODEL, inputs={"prompt": "A hen"}, params=params, seed=7)


def test_each_setting_that_acts_is_moved_alone_at_the_same_seeds():
    found = sensitivity.trial(catalog(), asked(), seeds=3)
    assert found.seeds == (7, 8, 9)
    moved = {nudge.item.name: nudge for nudge in found.nudges}
    assert {"temperature", "top_p", "max_new_tokens", "do_sample"} <= set(moved)
    assert not {"seed", "banned", "mirostat_eta"} & set(moved)  # no step, or nothing at hand
    assert "banned" in {item.name for item in found.still}
    base = found.cell(-1, 0).request
    for at, nudge in enumerate(found.nudges):
        for seed in range(3):
            request = found.cell(at, seed).request
            assert request.seed in (7 + seed, 7)
            apart = {name for name in {**base.params, **request.params}
                     if base.params.get(name) != request.params.get(name)}  # fmt: skip
            assert nudge.item.name in apart
    temperature = next(at for at, nudge in enumerate(found.nudges) if nudge.item.name == "temperature")
    assert found.nudges[temperature].words == "Temperature 0.8 → 1"
    warm = base.model_copy(update={"seed": 8, "params": {**base.params, "temperature": 1.0}})
    assert catalog().full(found.cell(temperature, 1).request) == catalog().full(warm)


COUNTS = ("Variants", "Tunes", "Images", "Takes", "Alternatives", "Captions", "Names listed", "Labels listed",
          "Texts listed")  # fmt: skip


@pytest.mark.parametrize("model", sorted(catalog()))
def test_how_many_outputs_are_made_is_no_setting_of_a_result(model):
    known = catalog()
    fields = known.family(known[model].id).fields(known[model])
    counts = {item.name for item in fields if item.counts}
    # what a room calls its number of outputs is declared so: a new family that forgets it fails here
    assert counts == {item.name for item in fields if item.label in COUNTS}
    if model != MODEL:
        return
    found = sensitivity.trial(known, asked())
    assert counts and not counts & {nudge.item.name for nudge in found.nudges}
    assert not counts & {item.name for item in found.still}


def test_a_model_that_has_no_other_setting_says_so():
    asked = Request(model="image/emoji-judge", inputs={"image": "sha256:" + "0" * 64}, params={}, seed=0)
    with pytest.raises(BadParam, match="has no setting here that can be moved by a step"):
        sensitivity.trial(catalog(), asked)


def test_where_a_step_ends_chance_its_result_is_made_once():
    found = sensitivity.trial(catalog(), asked(), seeds=4)
    at = next(at for at, nudge in enumerate(found.nudges) if nudge.item.name == "do_sample")
    assert [found.cell(at, seed).is_first for seed in range(4)] == [True, False, False, False]


def test_without_chance_one_seed_is_tried_and_what_sampling_alone_uses_is_not():
    found = sensitivity.trial(catalog(), asked(do_sample=False))
    assert found.seeds == (7,)
    assert not {"temperature", "top_p"} & {nudge.item.name for nudge in found.nudges}
    assert "do_sample" in {nudge.item.name for nudge in found.nudges}


def test_a_request_that_cannot_run_is_refused():
    with pytest.raises(BadParam, match="temperature"):
        sensitivity.trial(catalog(), asked(temperature=99))


def test_a_beginning_of_the_runs_tells_of_the_form_s_own_settings_with_two_seeds():
    found = sensitivity.trial(catalog(), asked())
    ordered = found.ordered()
    assert len(ordered) == len(found.plan.distinct) == len({cell.number for cell in ordered})
    assert [cell.place for cell in ordered[:4]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    rows = list(dict.fromkeys(cell.place[0] for cell in ordered))
    advanced = [found.nudges[at - 1].item.advanced for at in rows[1:]]
    assert advanced == sorted(advanced)


def test_seeds_are_as_many_as_the_time_allows_and_two_at_least():
    whole = sensitivity.trial(catalog(), asked())
    runs = len(whole.plan.distinct)
    for budget_s, seeds in ((runs * 2, 4), (runs * 0.8, 3), (1, 2)):
        assert sensitivity.seeds_fitting(whole, budget_s, lambda cell: 1.0) == seeds
    found = sensitivity.fitting(catalog(), asked(), 1, lambda cell: 1.0)
    assert len(found.seeds) == 2
    words = sensitivity.cost_words(found, 5, 30.0, 10.0)
    assert words.endswith("5 of them to make, about 30 s in all, and it stops after 10 s")
    assert sensitivity.cost_words(found, 0, 0.0, 10.0).endswith("all here already")


def made(found, told=lambda cell: True):
    """Return a run for each cell that is told."""
    return {
        cell.number: Result(cell, Run(
            id=f"run{cell.number}", owner="me", job="", request=cell.request, status="done", created_at=0.0,
            outputs=[Output("text", text="x")], stats={}, error=None, purpose="sweep",
        ))
        for cell in found.plan.distinct if told(cell)
    }  # fmt: skip


def rank(found, results, between, moved):
    """Rank what moves by `moved` (by a setting's name), while two seeds of the request are `between` apart."""
    pairs = sensitivity.pairs(found, results, OFFER)
    values = {one.key: between for one in pairs.noise}
    for nudge, wanted in zip(found.nudges, pairs.nudges, strict=True):
        values |= {one.key: moved.get(nudge.item.name, 0.0) for one in wanted}
    return sensitivity.ranked(found, pairs, OFFER, values)


def test_what_moves_the_result_most_stands_first_in_units_of_seed_noise():
    found = sensitivity.trial(catalog(), asked())
    ranked = rank(found, made(found), 0.5, {"temperature": 0.4, "top_p": 0.1, "max_new_tokens": 0.01})
    assert [one.nudge.item.name for one in ranked[:3]] == ["temperature", "top_p", "max_new_tokens"]
    assert [one.said for one in ranked[:4]] == [
        "0.8 × seed noise (gap 0.40)", "0.2 × seed noise (gap 0.10)", "less than 0.1 × seed noise (gap 0.01)",
        "no change",
    ]  # fmt: skip
    assert {one.seeds for one in ranked} == {4}
    said = sensitivity.told(found, ranked)
    assert said[0] == "1 × seed noise: the step moves the result as far as another seed does, 0.50 here."
    assert "too few" not in " ".join(said)
    assert ranked[0].to_plain()["ratio"] == pytest.approx(0.8)


def test_what_has_not_come_yet_is_left_out_and_named():
    found = sensitivity.trial(catalog(), asked())
    some = rank(found, made(found, lambda cell: cell.place[0] < 3 and cell.place[1] < 2), 0.5, {})
    assert [one.nudge for one in some] == list(found.nudges[:2])
    said = " ".join(sensitivity.told(found, some))
    assert "with 2 seeds only: too few to tell close ones apart" in said
    assert f"Not tried yet: {found.nudges[2].item.label}" in said


def test_without_seed_noise_the_distance_itself_is_told():
    found = sensitivity.trial(catalog(), asked(do_sample=False))
    ranked = rank(found, made(found), 0.0, {"max_new_tokens": 0.25})
    assert ranked[0].said == "gap 0.25"
    assert math.isnan(ranked[0].noise)
    assert ranked[0].to_plain()["ratio"] is None
    assert "Chance has no part here" in sensitivity.told(found, ranked)[0]
    whole = sensitivity.trial(catalog(), asked())
    same = rank(whole, made(whole), 0.0, {"max_new_tokens": 0.25})
    assert same[0].said == "gap 0.25"
    assert "All seeds give the same result" in sensitivity.told(whole, same)[0]
