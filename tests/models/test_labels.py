"""Results named by what differs among them."""

from datetime import UTC

import pytest

from models.catalog import load_catalog
from models.labels import Named, labels, setting_words, shorten
from models.settings import Settings
from models.types import Output, Request, Run

CATALOG = load_catalog(Settings(), strict=False)
STORY, LSTM, PICTURE = "text/story-gpt", "text/story-lstm", "image/emoji-diffusion"


def named(model=STORY, prompt="Once", seed=0, says="", output=None, at=1_700_000_000.0, **params):
    request = Request(model=model, inputs={"prompt": prompt}, params=params, seed=seed)
    return Named(request, Run("id", "ann", "job", request, "done", at, [output] if output else []), output, says)


def told(*every, **more):
    return labels(CATALOG, every, zone=UTC, **more)


def test_a_setting_that_differs_is_named_in_its_slider_s_words():
    assert told(named(), named(temperature=1.2)) == ["Temperature 0.8", "Temperature 1.2"]
    assert told(named(top_k=None), named(top_k=40)) == ["Top-k off", "Top-k 40"]


def test_a_default_that_is_written_out_is_no_difference():
    found = told(named(temperature=0.8, seed=1), named(seed=2))
    assert found == ["seed 1", "seed 2"]


def test_a_setting_that_does_not_act_is_no_difference():
    found = told(named(PICTURE, variation_seed=3, seed=1), named(PICTURE, variation_seed=4, seed=2))
    assert found == ["seed 1", "seed 2"]


def test_in_a_long_list_the_default_is_silent():
    found = told(*(named(seed=seed, **({"temperature": 1.5} if seed == 3 else {})) for seed in range(6)))
    assert found[3] == "Temperature 1.5 · seed 3"
    assert found[2] == "seed 2"


def test_models_and_prompts_are_named_where_they_differ():
    found = told(named(), named(LSTM))
    assert found == ["Story GPT", "Story LSTM"]
    assert told(named(LSTM), page_model=STORY)[0].startswith("Story LSTM")
    assert told(named(prompt="one *two*"), named(prompt=""))[0] == "“one *two*”"


def test_an_output_s_own_seed_is_its_seed():
    pictures = [Output("image", place, meta={"seed": 7 + place}) for place in range(2)]
    assert told(*(named(PICTURE, seed=7, output=one) for one in pictures)) == ["seed 7", "seed 8"]


def test_the_same_again_is_told_by_its_time_and_never_twice_alike():
    found = told(named(), named(at=1_700_000_060.0))
    assert found == ["14 Nov 22:13", "14 Nov 22:14"]
    assert len(set(told(named(), named(), named()))) == 3


def test_a_model_that_is_gone_is_named_by_its_id():
    assert told(named("text/gone", temperature=3), named())[0].startswith("gone")


@pytest.mark.parametrize(("text", "chars", "short"), [
    ("There was a girl named Elisabeth", 25, "There was a girl named…"),
    ("short", 25, "short"), ("two\n lines", 25, "two lines"), ("x" * 30, 10, "xxxxxxxxx…"),
])  # fmt: skip
def test_no_word_is_cut_in_its_middle(text, chars, short):
    assert shorten(text, chars) == short
    assert len(short) <= chars


def test_values_are_said_as_widgets_show_them():
    fields = {item.name: item for item in CATALOG.family(PICTURE).fields(CATALOG[PICTURE])}
    assert setting_words(fields["scheduler"], "EulerAncestralDiscreteScheduler") == "Scheduler Euler a"
    assert setting_words(fields["width"], 64) == "Width 64 px"
    assert setting_words(fields["clip_skip"], None) == "Clip skip off" if "clip_skip" in fields else True
    stories = {item.name: item for item in CATALOG.family(STORY).fields(CATALOG[STORY])}
    assert setting_words(stories["do_sample"], False) == "Sampling off"
    assert setting_words(stories["stop"], ["The end", "!"]) == f"{stories['stop'].label} “The end” / “!”"
