"""One setting at several values: which values, and the requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import sweeps
from models.catalog import load_catalog
from models.errors import BadParam
from models.params import check
from models.settings import Settings
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
    assert sweeps.three(field(name), now) == three


def test_a_setting_that_is_off_begins_with_off():
    found = sweeps.three(field("top_k"), None)
    assert found[0] is None
    assert len(found) == 3


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
    found = sweeps.three(item, now)
    assert len(set(found)) == len(found) != 1
    for value in found:
        check(CATALOG.family(model).Params, fields(model), {item.name: value}, model)


def test_requests_differ_in_the_setting_alone():
    request = Request(model=STORY, inputs={"prompt": "A"}, params={"top_p": 0.5}, seed=3)
    found = sweeps.build(fields(STORY), request, "temperature", (0.5, 1.0))
    assert [one.params for one in found] == [{"top_p": 0.5, "temperature": 0.5}, {"top_p": 0.5, "temperature": 1.0}]
    assert {(one.seed, one.inputs["prompt"]) for one in found} == {(3, "A")}
    assert [one.seed for one in sweeps.build(fields(STORY), request, "seed", (1, 2))] == [1, 2]


def test_what_does_not_act_at_a_value_is_left_out_of_its_request():
    request = Request(model=STORY, inputs={"prompt": "A"}, params={"temperature": 0.5})
    off, on = sweeps.build(fields(STORY), request, "do_sample", (False, True))
    assert (off.params, on.params) == ({"do_sample": False}, {"do_sample": True, "temperature": 0.5})


@pytest.mark.parametrize(("name", "values", "params", "words"), [
    ("nobody", (1, 2), {}, "no such setting"), ("temperature", (1,), {}, "give 2 to 8"),
    ("temperature", (0.5, 1.0), {"do_sample": False}, "Temperature has no effect"),
])  # fmt: skip
def test_what_cannot_be_swept_is_a_sentence(name, values, params, words):
    with pytest.raises(BadParam, match=words):
        sweeps.build(fields(STORY), Request(model=STORY, params=params), name, values)
