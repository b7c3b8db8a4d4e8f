"""What a run is forecast to take: from its settings, and from what the machine has measured."""

import json

import pytest

from models.catalog import load_catalog
from models.runtime.forecasts import GUESS_S, KEPT, Rates, Work, costly, limit, patience, work, work_of
from models.settings import Settings
from models.types import Output, Request
from tests.stored import make_run

CATALOG = load_catalog(Settings())
PICTURE, STORY, TUNE = "image/emoji-diffusion", "text/story-gpt", "audio/folk-gpt"


def asked(model, study="", **params):
    return work_of(CATALOG, Request(model=model, inputs={"prompt": "x"}, params=params, study=study))


def ran(model=STORY, status="done", outputs=1, **stats):
    run = make_run("run", *["x"] * outputs, request=Request(model=model), status=status)
    run.outputs.append(Output("view", 0, "x"))
    run.stats = stats
    return run


@pytest.mark.parametrize(
    ("params", "times"),
    [
        ({}, 1),
        ({"num_images": 8}, 8),
        ({"num_images": 8, "num_inference_steps": 100}, 40),
        ({"num_images": 8, "num_inference_steps": 100, "width": 128, "height": 128}, 80),
        ({"guidance_scale": 9.0}, 1),
    ],
)
def test_the_work_of_a_picture_grows_with_steps_images_and_sides(params, times):
    assert asked(PICTURE, **params).amount == pytest.approx(times * asked(PICTURE).amount)
    assert asked(PICTURE, **params).guess_s == pytest.approx(times * asked(PICTURE).guess_s)


def test_the_work_of_a_text_is_its_length_and_of_tunes_their_number_too():
    assert asked(STORY, max_new_tokens=50).amount == 50
    assert asked(STORY, max_new_tokens=50, num_variants=4).amount == 50  # rows are written together
    assert asked(TUNE, max_new_tokens=50, num_variants=3).amount == 150
    assert asked(STORY).guess_s > GUESS_S


def test_the_work_of_a_translation_is_the_length_of_its_text_and_of_lines_their_number():
    def amount(model, text, **params):
        return work_of(CATALOG, Request(model=model, inputs={"prompt": text}, params=params)).amount

    short, book = (amount("text/translate-en-fr", text) for text in ("Hello there. " * 5, "Hello there. " * 5000))
    assert book == pytest.approx(1000 * short)
    assert amount("text/translate-en-fr", "Hello", num_beams=1) == pytest.approx(
        amount("text/translate-en-fr", "Hello") / 4
    )
    assert amount("text/sentiment", "good\n\nbad\n" * 50, by="lines") == 100
    assert amount("text/sentiment", "good") == 1
    rates, rows = Rates(), work_of(CATALOG, Request(model="text/sentiment", params={"by": "column"}))
    rates.learn(rows, ran("text/sentiment", seconds=10.0, steps=1000, counted="rows"))
    assert rates.seconds(rows.times(100_000)) == pytest.approx(1000.0)


def test_a_study_has_a_rate_of_its_own():
    look = asked(PICTURE, study="words")
    assert (look.of, look.amount) == ("image/emoji-diffusion:words", 1)


def test_a_rate_is_learnt_from_what_was_done_without_the_load():
    rates, task = Rates(), Work("m", 100.0, each=100.0, guess_s=7.0)
    assert (rates.knows(task), rates.seconds(task)) == (False, 7.0)
    rates.learn(task, ran(seconds=12.0, load_s=2.0))
    assert rates.knows(task)
    assert rates.seconds(Work("m", 50.0)) == pytest.approx(5.0)
    rates.learn(task, ran(seconds=20.0))  # slower now
    assert rates.seconds(Work("m", 1.0)) == pytest.approx(0.2)
    rates.learn(task, ran(seconds=19.0))
    rates.learn(task, ran(seconds=400.0))  # the machine was busy: one run moves it little
    assert rates.seconds(task) == pytest.approx(20.0)
    for _ in range(KEPT):
        rates.learn(task, ran(seconds=50.0))
    assert rates.seconds(task) == pytest.approx(50.0)  # what was long ago is forgotten


def test_a_fixed_part_and_a_part_per_unit_are_told_apart():
    rates = Rates()
    for amount in (1.0, 200.0, 10.0, 100.0):
        rates.learn(Work("m", amount), ran(seconds=0.05 + 0.004 * amount))
    for amount in (1.0, 3.0, 30.0, 400.0):
        assert rates.seconds(Work("m", amount)) == pytest.approx(0.05 + 0.004 * amount, rel=1e-6)


def test_a_thousand_short_runs_do_not_take_the_place_of_the_long_ones():
    rates = Rates()
    rates.learn(Work("m", 200.0), ran(seconds=1.0))
    for _ in range(1000):
        rates.learn(Work("m", 1.0), ran(seconds=0.05))
    assert rates.seconds(Work("m", 1.0)) == pytest.approx(0.05)
    assert rates.seconds(Work("m", 200.0)) == pytest.approx(1.0)
    assert len(rates._runs["m"]) == KEPT + 1


def test_no_part_is_below_nothing_and_amounts_that_are_about_the_same_tell_no_parts():
    rates = Rates()
    rates.learn(Work("m", 10.0), ran(seconds=2.0))
    rates.learn(Work("m", 100.0), ran(seconds=1.0))  # more work, less time: the machine was busy before
    for amount in (1.0, 10.0, 100.0, 1000.0):
        assert rates.seconds(Work("m", amount)) > 0
    near = Rates()
    near.learn(Work("m", 99.0), ran(seconds=1.0))
    near.learn(Work("m", 100.0), ran(seconds=1.001))
    assert near.seconds(Work("m", 400.0)) == pytest.approx(4.0, rel=0.02)


def test_what_lies_around_a_run_counts_once_for_each_whatever_its_length():
    rates, task = Rates(), Work("m", 10.0)
    one = ran(seconds=1.0)
    rates.learn(task, one)
    rates.learn_around(task, [one], 1.25)
    assert rates.seconds(Work("m", 10.0)) == pytest.approx(1.25)
    assert rates.seconds(Work("m", 20.0)) == pytest.approx(2.25)
    four = [ran(seconds=2.0, together=4) for _ in range(4)]
    for run in four:
        rates.learn(task, run)
    rates.learn_around(task, four, 2.4)
    assert rates.seconds(task, together=True) == pytest.approx((2.0 + 0.4) / 4)
    assert rates.seconds(task) == pytest.approx(1.25)
    parts = [ran(seconds=2.0, together=2) for _ in range(4)]  # memory was short: two and two
    others = Rates()
    others.learn(task, parts[0])
    others.learn_around(task, parts, 4.4)
    assert others.seconds(task, together=True) == pytest.approx(1.1)


@pytest.mark.parametrize(
    "runs", [[], [ran(seconds=1.0, load_s=0.5)], [ran(seconds=1.0), ran(status="failed")], [ran(status="stopped")]]
)
def test_around_what_loaded_its_model_or_did_not_end_nothing_is_learnt(runs):
    rates = Rates()
    rates.learn(Work("m", 1.0), ran(seconds=1.0))
    rates.learn_around(Work("m", 1.0), runs, 99.0)
    assert rates.seconds(Work("m", 1.0)) == pytest.approx(1.0)


def test_so_many_are_done_at_once_as_end_in_the_seconds_that_are_left():
    rates, eight = Rates(), [Work("m", 10.0)] * 8
    rates.learn(Work("m", 10.0), ran(seconds=8.0, together=8))  # a second for each
    assert [rates.fitting(eight, left_s) for left_s in (100.0, 8.0, 5.5, 0.5, -3.0)] == [8, 8, 5, 1, 1]
    assert rates.fitting([], 9.0) == 0


def test_a_length_that_was_not_used_up_counts_by_its_tokens():
    rates, story = Rates(), Work("m", 400.0, each=1.0)
    rates.learn(story, ran(seconds=1.0, tokens=100))
    assert rates.seconds(story) == pytest.approx(4.0)
    rows = Rates()
    rows.learn(story, ran(seconds=1.0, tokens=400, outputs=4))  # four rows of 100, together
    assert rows.seconds(story) == pytest.approx(4.0)
    tunes, three = Rates(), Work("m", 1200.0, each=3.0)
    tunes.learn(three, ran(seconds=3.0, tokens=300, outputs=3))  # one after the other
    assert tunes.seconds(three) == pytest.approx(12.0)


@pytest.mark.parametrize(
    "run",
    [
        ran(status="stopped", seconds=1.0), ran(status="failed", seconds=1.0), ran(), ran(seconds="soon"),
        ran(seconds=0.0), ran(seconds=1.0, load_s=1.0), ran(seconds=float("nan")),
    ],
)  # fmt: skip
def test_what_tells_no_time_teaches_nothing(run):
    rates = Rates()
    rates.learn(Work("m", 10.0), run)
    assert not rates.knows(Work("m"))


def test_work_that_is_of_nothing_is_not_learnt():
    rates = Rates()
    rates.learn(Work(), ran(seconds=1.0))
    assert not rates.knows(Work())


def test_rates_are_kept_and_a_damaged_file_costs_only_them(tmp_path):
    file = tmp_path / "new" / "rates.json"
    Rates(file).learn(Work("m", 4.0), ran(seconds=2.0))
    assert Rates(file).seconds(Work("m", 8.0)) == pytest.approx(4.0)
    file.write_text(
        json.dumps(
            {
                "m": [[4, 2], [0, 1], ["x", 1], [1], None, [1, True]],
                "n": [[0, 1]],
                "o": None,
                "p": "x",
                "q": [1],
                "r": [],
            }
        )
    )
    kept = Rates(file)
    assert kept.knows(Work("m"))
    assert not any(kept.knows(Work(name)) for name in "nopqr")
    for damage in ("", "[1]", "{", "null", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")):
        file.write_text(damage)
        assert not Rates(file).knows(Work("m"))
    file.unlink()
    file.mkdir()  # cannot be written
    Rates(file).learn(Work("m", 4.0), ran(seconds=2.0))


def test_patience_is_asked_for_above_the_budget_with_what_to_lower():
    fields = CATALOG.family(PICTURE).fields(CATALOG[PICTURE])
    values = {item.name: item.default for item in fields} | {"num_inference_steps": 100, "width": 32}
    assert costly(fields, values) == ["Steps", "Height"]
    assert patience(60.0, 60.0, fields, values) == ""
    assert patience(240.0, 60.0, fields, values) == (
        "This run takes about 4 minutes; where others share the machine, a run should take at most 60 s. It pauses "
        "while shorter runs of others go first. Be patient, or lower Steps or Height."
    )
    assert patience(61.0, 60.0, (), {}).endswith("Be patient.")
    assert (limit(fields, values), work(fields, values)) == (None, pytest.approx(100 * (32 * 64) ** 0.5))
