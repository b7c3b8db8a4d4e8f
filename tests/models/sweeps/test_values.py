"""The values of an axis."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalog import load_catalog
from models.errors import BadParam
from models.params import check
from models.settings import Settings
from models.sweeps import values
from models.types import Request

CATALOG = load_catalog(Settings(), strict=False)
STORY, PICTURE = "text/story-gpt", "image/emoji-diffusion"


def fields(model):
    return CATALOG.family(model).fields(CATALOG[model])


def field(name, model=STORY):
    return next(item for item in fields(model) if item.name == name)


@pytest.mark.parametrize(("name", "now", "three"), [
    ("temperature", 0.8, (0.4, 0.8, 1.4)), ("temperature", 2.0, (0.0, 1.0, 2.0)), ("do_sample", True, (False, True)),
    ("seed", 2**32 - 1, (2**32 - 1, 0, 1)), ("num_variants", 1, (1, 3, 4)), ("stop", [], ()), ("json_schema", "", ()),
])  # fmt: skip
def test_three_values_lie_around_the_one_at_hand(name, now, three):
    assert values.three(field(name), now) == three


def test_a_setting_that_is_off_begins_with_off():
    found = values.three(field("top_k"), None)
    assert found[0] is None
    assert len(found) == 3


@settings(deadline=None)
@given(st.data())
def test_whatever_the_setting_and_its_value_the_model_takes_all_of_them(data):
    model = data.draw(st.sampled_from(sorted(CATALOG)))
    item = data.draw(st.sampled_from(fields(model)))
    if item.type not in ("number", "integer", "choice", "toggle"):
        return
    if item.type == "number":
        now = data.draw(st.floats(item.ge, item.le))
    elif item.type == "integer":
        now = data.draw(st.integers(int(item.ge), int(item.le)))
    else:
        now = data.draw(st.sampled_from(item.choices)) if item.type == "choice" else True
    found = values.three(item, now)
    assert len(set(found)) == len(found) != 1
    for value in found:
        check(CATALOG.family(model).Params, fields(model), {item.name: value}, model)


@settings(deadline=None)
@given(st.data())
def test_a_range_is_taken_by_the_model_and_keeps_its_ends(data):
    model = data.draw(st.sampled_from(sorted(CATALOG)))
    item = data.draw(st.sampled_from([one for one in fields(model) if one.type in ("number", "integer", "seed")]))
    ends = st.integers(int(item.ge), int(item.le)) if item.type != "number" else st.floats(item.ge, item.le)
    start, end = sorted((data.draw(ends), data.draw(ends)))
    if start == end:
        with pytest.raises(BadParam, match="no range"):
            values.between(item, start, end, 5)
        return
    found = values.between(item, start, end, 5)
    assert list(found) == sorted(set(found))
    assert len(found) <= 5
    check(CATALOG.family(model).Params, fields(model), {item.name: found[0]} if item.type != "seed" else {}, model)
    assert all(item.ge <= value <= item.le for value in found)


@pytest.mark.parametrize(("name", "start", "end", "count", "found"), [
    ("temperature", 0.2, 1.0, 5, (0.2, 0.4, 0.6, 0.8, 1.0)), ("num_variants", 1, 4, 9, (1, 2, 3, 4)),
    ("seed", 0, 9, 4, (0, 3, 6, 9)),
])  # fmt: skip
def test_a_range_has_equal_steps(name, start, end, count, found):
    assert values.between(field(name), start, end, count) == found


def test_a_logarithmic_range_has_equal_ratios():
    item = replace(field("temperature"), log=True, ge=0.01, le=100.0)
    assert values.between(item, 0.01, 100, 5) == (0.01, 0.1, 1, 10, 100)


@pytest.mark.parametrize(("start", "end", "count", "words"), [
    (1.0, 0.2, 3, "from 1 to 0.2 is no range"), (0.5, 0.5, 3, "is no range"), (-1, 1, 3, "temperature is -1"),
    (0.2, 99, 3, "temperature is 99; it must be"), (0.2, 1.0, 1, "has 1 values; from 2"),
    (0.2, 1.0, 10**6, "from 2 to 2,000 are allowed"), (float("nan"), 1.0, 3, "temperature is nan"),
])  # fmt: skip
def test_a_range_that_is_none_is_a_sentence(start, end, count, words):
    with pytest.raises(BadParam, match=words):
        values.between(field("temperature"), start, end, count)


@pytest.mark.parametrize(("name", "text", "found"), [
    ("temperature", "0.3, 0.8", (0.3, 0.8)), ("temperature", "0.3;1", (0.3, 1.0)), ("top_k", "off, 40", (None, 40)),
    ("do_sample", "on, off", (True, False)), ("seed", "1, 2 , 3", (1, 2, 3)),
    ("stop", "The end\nBye, now", (["The end"], ["Bye, now"])),
])  # fmt: skip
def test_values_are_read_as_a_person_writes_them(name, text, found):
    assert values.listed(field(name), text) == found


def test_a_choice_is_read_by_its_name_on_the_page():
    item = next(one for one in fields(PICTURE) if one.name == "scheduler")
    known, shown = next(iter(item.names.items()))
    assert values.listed(item, f"{known}, {shown.upper()}") == (known, known)


@pytest.mark.parametrize(("name", "text", "words"), [
    ("temperature", " , ", "Temperature has no values"), ("temperature", "warm", "temperature is 'warm'; it must be"),
    ("temperature", "0.5, 9", "temperature is 9.0"), ("top_k", "1.5", "top_k is '1.5'"), ("do_sample", "may", "on or"),
])  # fmt: skip
def test_what_is_no_value_is_named(name, text, words):
    with pytest.raises(BadParam, match=words):
        values.listed(field(name), text)


def test_one_value_is_no_sweep():
    with pytest.raises(BadParam, match="temperature has 1 value to compare; give 2 or more"):
        values.over(Request(model=STORY), "temperature", (1.0,))
