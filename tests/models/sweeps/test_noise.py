"""The noise floor on made data: no alarm where nothing acts, and what acts is told."""

import math

import numpy as np
import pytest

from models.sweeps.noise import ALPHA, Effect, effects, seed_noise, seeds_needed, words


def alarm(found):
    return any(one.verdict == "real" for one in found)


@pytest.mark.parametrize("shape", [(6, 4), (3, 3, 4), (2, 8), (2, 4, 5)])
def test_without_an_effect_at_most_five_in_a_hundred_sweeps_raise_any_alarm(shape):
    random = np.random.default_rng(1)
    sweeps, alarms = 200, 0
    for turn in range(sweeps):
        seeds = random.normal(size=shape[-1]) * 2  # what a seed shares over all cells is no effect
        made = {"a": random.normal(size=shape) + seeds, "b": random.lognormal(size=shape)}
        alarms += alarm(effects(made, len(shape) - 1, seed=turn, draws=199))
    # 200 sweeps at 5 %: more than 19 alarms come in less than 1 of 200 cases
    assert alarms <= 19, alarms


def test_an_effect_of_two_sigma_is_nearly_always_found_and_of_one_often():
    random = np.random.default_rng(2)
    found = {}
    for size in (1.0, 2.0):
        hits = 0
        for turn in range(60):
            made = random.normal(size=(4, 10))
            made[2:] += size
            told = effects({"a": made}, 1, seed=turn, draws=399)
            hits += alarm(told)
            assert [(one.axis, one.start, one.end) for one in told] == [(0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 0, 3)]
        found[size] = hits / 60
    print("power with ten seeds, of 1 and 2 sigma:", found)
    assert found[2.0] > 0.9, found
    assert found[1.0] > 0.3, found


def test_the_step_that_acts_is_told_and_the_others_are_not():
    random = np.random.default_rng(3)
    made = random.normal(size=(4, 3, 8)) * 0.1
    made[3] += 5
    told = effects({"a": made}, 2)
    assert [(one.axis, one.start, one.end) for one in told if one.verdict == "real"] == [(0, 2, 3), (0, 0, 3)]
    assert len(told) == 4 + 3
    step = told[2]
    assert step.difference == pytest.approx(5, abs=0.1)
    assert step.ratio == pytest.approx(50, rel=0.3)
    assert words(step).endswith("× seed noise")


@pytest.mark.parametrize("shape", [(3, 4), (5, 4), (2, 7), (4, 3, 5)])
def test_of_two_steps_of_a_measure_along_an_axis_the_larger_is_never_the_less_sure(shape):
    random = np.random.default_rng(6)
    told = 0
    for turn in range(40):
        made = {name: random.normal(size=shape) * random.lognormal(size=(shape[0], *[1] * (len(shape) - 1)))
                + random.normal(size=(shape[0], *[1] * (len(shape) - 1))) * 2 for name in "ab"}  # fmt: skip
        found = effects(made, len(shape) - 1, seed=turn, draws=199)
        for axis, measure in {(one.axis, one.measure) for one in found}:
            steps = sorted(
                (one for one in found if (one.axis, one.measure) == (axis, measure)), key=lambda one: one.ratio
            )
            assert [one.p for one in steps] == sorted((one.p for one in steps), reverse=True)
            verdicts = [one.verdict for one in steps]
            assert verdicts == sorted(verdicts)  # "noise" before "real", or "few" alone
            told += len(set(verdicts)) > 1
    assert told or shape[0] == 2


def test_a_trend_that_every_seed_shows_is_real_in_each_of_its_steps_with_four_seeds():
    random = np.random.default_rng(7)
    made = np.array([[4.0], [8.0], [12.0]]) + np.array([0.0, 1.0, 0.0, 1.0]) + random.normal(size=(3, 4)) * 0.2
    assert {one.verdict for one in effects({"a": made, "b": random.normal(size=(3, 4))}, 1) if one.measure == "a"} == {
        "real"
    }


def test_the_values_at_which_a_measure_has_none_are_left_out_of_its_steps():
    random = np.random.default_rng(8)
    far = random.normal(size=(4, 6)) + np.array([[0.0], [0.0], [0.0], [30.0]])
    far[0] = np.nan  # the reference of a measure of pairs
    told = effects({"far": far, "words": random.normal(size=(4, 6))}, 1)
    assert [(one.start, one.end, one.verdict) for one in told if one.measure == "far"] == [
        (1, 2, "noise"), (2, 3, "real"), (1, 3, "real")
    ]  # fmt: skip
    assert [(one.start, one.end) for one in told if one.measure == "words"] == [(0, 1), (1, 2), (2, 3), (0, 3)]
    assert effects({"far": far[[0, 3]]}, 1) == []  # the reference and one other value: nothing to compare


def test_where_no_p_can_be_small_enough_there_are_too_few_seeds():
    random = np.random.default_rng(9)
    # of 2⁵ arrangements two are the most extreme ones: p is 2/32 at least
    apart = random.normal(size=(2, 5)) + np.array([[0.0], [99.0]])
    assert [one.verdict for one in effects({"a": apart}, 1)] == ["few"]
    for values, axes, others in ((2, 1, 1), (2, 2, 1), (2, 2, 3), (3, 2, 1), (3, 1, 1), (4, 1, 1)):
        seeds = seeds_needed(values, axes, others)
        least = (2 if values == 2 else 2 * values) / math.factorial(values) ** (seeds * others)
        assert axes * least <= ALPHA
        assert seeds == 4 or axes * least * math.factorial(values) ** others > ALPHA


def test_a_difference_is_paired_by_seed():
    seeds = np.array([0.0, 100.0, -50.0, 7.0, 30.0, -80.0])
    made = np.stack([seeds, seeds + 1, seeds + 1])
    told = effects({"a": made}, 1)
    assert [one.difference for one in told] == pytest.approx([1, 0, 1])
    assert told[0].noise == pytest.approx(np.std(seeds, ddof=1))


def test_fewer_than_four_seeds_are_too_few_and_two_values_need_more():
    made = np.arange(6.0).reshape(2, 3)
    assert {one.verdict for one in effects({"a": made}, 1)} == {"few"}
    assert {one.verdict for one in effects({"a": made}, None)} == {"few"}
    random = np.random.default_rng(0)
    apart = random.normal(size=(2, 4)) + np.array([[0.0], [99.0]])
    assert [words(one) for one in effects({"a": apart}, 1)] == ["too few seeds to tell"]  # 16 arrangements alone
    assert seeds_needed(2, 1) == 6
    apart = random.normal(size=(2, 6)) + np.array([[0.0], [99.0]])
    assert [one.verdict for one in effects({"a": apart}, 1)] == ["real"]
    assert seeds_needed(6, 1) == seeds_needed(2, 1, others=9) == 4


def test_the_spread_between_seeds_is_pooled_over_cells():
    made = np.array([[0.0, 2.0], [10.0, 14.0]])  # variances 2 and 8
    assert seed_noise(made, 1) == pytest.approx(math.sqrt(5))
    assert math.isnan(seed_noise(made, None))
    assert math.isnan(seed_noise(made[:, :1], 1))


def test_cells_that_are_missing_leave_their_block_out():
    random = np.random.default_rng(4)
    made = random.normal(size=(3, 8))
    made[1] += 9
    holes = made.copy()
    holes[0, 3] = np.nan
    told, whole = effects({"a": holes}, 1), effects({"a": np.delete(made, 3, axis=1)}, 1)
    assert [one.difference for one in told] == pytest.approx([one.difference for one in whole])
    assert [one.verdict for one in told] == ["real", "real", "noise"]
    nothing = effects({"a": np.full((3, 8), np.nan)}, 1)
    assert [(one.verdict, math.isnan(one.difference)) for one in nothing] == [("few", True)] * 3


def test_a_measure_that_no_seed_changes_is_told_as_it_is():
    made = np.repeat([[1.0], [1.0], [3.0]], 5, axis=1)
    told = effects({"a": made}, 1)
    assert [one.verdict for one in told] == ["noise", "real", "real"]
    assert [words(one) for one in told] == ["within seed noise"] + ["the same for every seed"] * 2


def test_a_large_difference_that_chance_may_have_made_is_told_as_both():
    said = {ratio: words(Effect(0, "a", 0, 1, ratio, 1.0, 0.3, "noise")) for ratio in (0.9, 2.5)}
    assert said == {0.9: "within seed noise", 2.5: "2.5 × seed noise, but may be chance"}


def test_no_measures_have_no_effects():
    assert effects({}, None) == []
    assert effects({"a": np.zeros((1, 5))}, 1) == []


@pytest.mark.parametrize(("difference", "noise", "ratio"), [(-0.2, 0.1, 2.0), (0.0, 0.0, 0.0), (1.0, 0.0, math.inf)])
def test_the_ratio_is_the_size_of_the_difference_in_seed_noise(difference, noise, ratio):
    assert Effect(0, "a", 0, 1, difference, noise, ALPHA, "real").ratio == pytest.approx(ratio)
