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


def test_a_study_has_a_rate_of_its_own():
    look = asked(PICTURE, study="words")
    assert (look.of, look.amount) == ("image/emoji-diffusion:words", 1)


def test_a_rate_is_learnt_from_what_was_done_without_the_load():
    rates, task = Rates(), Work("m", 100.0, each=100.0, guess_s=7.0)
    assert (rates.knows(task), rates.seconds(task)) == (False, 7.0)
    rates.learn(task, ran(seconds=12.0, load_s=2.0))
    assert rates.knows(task)
    assert rates.seconds(Work("m", 50.0)) == pytest.approx(5.0)
    rates.learn(task, ran(seconds=20.0))  # slower now: (0.8 · 0.1 + 0.2) / 1.8 s per unit
    assert rates.seconds(Work("m", 1.0)) == pytest.approx(0.28 / 1.8)
    for _ in range(KEPT):
        rates.learn(task, ran(seconds=50.0))
    assert rates.seconds(task) == pytest.approx(50.0)  # what was long ago is forgotten


def test_small_runs_hardly_tell_of_large_ones():
    rates = Rates()
    rates.learn(Work("m", 1024.0), ran(seconds=102.4))
    rates.learn(Work("m", 1.0), ran(seconds=1.0))
    assert rates.seconds(Work("m", 1024.0)) == pytest.approx(1024 * (0.8 * 0.1 + 1.0 / 401) / (0.8 + 1 / 401))
    assert rates.seconds(Work("m", 1.0)) == pytest.approx((1.0 + 0.8 * 0.1 / 401) / (1 + 0.8 / 401))


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
