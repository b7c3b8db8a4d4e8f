"""The file that describes a sweep: what is read, and what each wrong part is told."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BadInput, PlaygroundError
from models.sweeps import spec
from models.sweeps.spec import Axis, Sweep
from models.types import Request

GOOD = {
    "v": 1,
    "request": {"model": "text/story-gpt", "inputs": {"prompt": "Once"}, "params": {"top_k": 5}, "seed": 3},
    "axes": [{"name": "temperature", "values": [0.3, 0.8]}, {"name": "seed", "values": [0, 1, 2]}],
}


def changed(**parts):
    return json.dumps({**GOOD, **parts})


def test_a_file_is_the_request_and_its_axes():
    sweep = spec.read(json.dumps(GOOD).encode())
    assert sweep.request == Request(model="text/story-gpt", inputs={"prompt": "Once"}, params={"top_k": 5}, seed=3)
    assert sweep.axes == (Axis("temperature", (0.3, 0.8)), Axis("seed", (0, 1, 2)))
    assert sweep.shape == (2, 3)
    assert spec.read(sweep.to_json()) == sweep


JSON_VALUE = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=9
)  # fmt: skip
ITEM = JSON_VALUE.filter(lambda value: value not in (float("inf"), float("-inf")))


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.lists(ITEM, min_size=1, max_size=4)), min_size=1, max_size=4,
                unique_by=lambda one: one[0]), st.integers(0, 2**32 - 1))  # fmt: skip
def test_any_sweep_comes_back_from_its_file(axes, seed):
    request = Request(model="a/b", inputs={"prompt": "é\n"}, seed=seed)
    sweep = Sweep(request, tuple(Axis(name, tuple(values)) for name, values in axes))
    assert spec.read(sweep.to_json()) == sweep
    assert spec.read(sweep.to_json().encode()) == sweep


@pytest.mark.parametrize(("data", "words"), [
    ("", "not valid JSON"), (b"\xff\xfe", "not text in UTF-8"), ("[1]", "cannot be used"), ("null", "cannot be used"),
    ("{\n}x", "line 2"), (changed(v=2), 'version v = 2; this playground reads "v": 1'),
    ("{}", "does not say its version"), (changed(v="1"), 'version v = "1"'), (changed(more=1), "more is not known"),
    (changed(axes=[]), "axes is empty; at least one is needed"), (changed(request={}), "request.model is missing"),
    (changed(axes=[{"name": "a", "values": [1]}] * 5), "axes has 5; it must have at most 4"),
    (changed(request={"model": "a/b", "inputs": {"\ud800": "x"}}), "request.inputs has a name"),
    (changed(request={"model": "a/b", "params": {"": 1}}), "request.params has a name that is empty"),
    (changed(axes=[{"name": "a", "values": []}]), "axes.0.values is empty"),
    (changed(axes=[{"name": "a"}]), "axes.0.values is missing"),
    (changed(axes=3, request=[]), r"request is \[\]; it must be an object with names and values; axes is 3; it must"),
    (changed(axes=[{"name": 3, "values": {}}]), "name is 3; it must be a text; axes.0.values is {}; it must be a list"),
    (changed(axes=[{"name": "x" * 101, "values": [1]}]), "has 101 characters; it must have at most 100"),
    (changed(request={"model": "a/b", "seed": -1}), "request.seed is -1; it must be 0 or more"),
    (changed(request={"model": "a/b", "seed": "x"}), 'request.seed is "x"; it must be a whole number'),
    (changed(request={"model": "a/b", "seed": 1.5}), "request.seed is 1.5; it must be a whole number"),
    (changed(request={"model": "a/b", "inputs": {"prompt": None}}), "request.inputs.prompt is null; it must be a text"),
    (changed(axes=[{"name": "a", "values": [1]}, {"name": "a", "values": [2]}]), r"axes.1 \(a\) is there twice"),
    (changed(axes=[{"name": "inputs.", "values": ["x"]}]), "names no input"),
    (changed(axes=[{"name": "inputs.prompt", "values": [1]}]), "must have texts"),
    (changed(axes=[{"name": "model", "values": [None]}]), "must have models' names"),
    (changed(axes=[{"name": "a", "values": [{"b": 1}]}]), "an object among its values"),
    (changed(request={**GOOD["request"], "seed": 10**400}), "request.seed is a huge number"),
    (json.dumps(GOOD).replace("0.3", "NaN"), "not JSON that can be read"),
    (json.dumps(GOOD).replace("0.3", "9" * 9999), "JSON"),
    ("[" * 100_000 + "]" * 100_000, "more than 100 deep"), (" " * (spec.FILE_MAX_BYTES + 1), "at most 1,000,000"),
])  # fmt: skip
def test_each_wrong_part_is_named(data, words):
    with pytest.raises(BadInput, match=words):
        spec.read(data)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["v", "request", "axes", "name", "values", "model", "inputs", "params", "seed", "x"]), inner,
        max_size=5), max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_word_of_the_library_that_checks_stands_in_a_sentence(data):
    content = {**GOOD, **data.draw(st.dictionaries(st.sampled_from(["request", "axes"]), TREES, min_size=1))}
    told = ""
    try:
        spec.read(json.dumps(content))
    except PlaygroundError as error:
        told = error.message
    for word in ("instance", "Input", "input should", "List should", "String", "_File", "_Axis", "None"):
        assert word not in told or word in json.dumps(content)


def test_all_wrong_parts_are_told_up_to_a_limit():
    axes = [{"name": f"inputs.{at}", "values": [at]} for at in range(4)]
    with pytest.raises(BadInput) as caught:
        spec.read(changed(axes=axes))
    assert [caught.value.message.count(f"axes.{at}") for at in range(4)] == [1, 1, 1, 1]
    many = {f"k{at}": 1 for at in range(20)}
    with pytest.raises(BadInput, match="and 12 more"):
        spec.read(changed(**many))


@pytest.mark.parametrize(("shape", "words"), [
    ((1000, 1000), r"1,000,000 cells \(1,000 × 1,000\)"), ((2001,), "2,001 cells; at most 2,000"),
    ((2000, 2), "Give the longest axis 1,000 values or fewer"), ((1500, 1000, 2), "Give each axis 12 values or fewer"),
])  # fmt: skip
def test_too_many_cells_are_refused_with_what_would_fit(shape, words):
    with pytest.raises(BadInput, match=words):
        spec.check_size(shape)
    spec.check_size((40, 50))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_a_file_holds_it_is_read_or_refused_in_a_sentence(data):
    content = {**GOOD, **data.draw(st.dictionaries(st.sampled_from(["v", "request", "axes", "y"]), TREES, max_size=2))}
    text = data.draw(st.sampled_from([json.dumps(content), json.dumps(content)[:-3], json.dumps(content) * 2]))
    try:
        spec.read(text)
    except PlaygroundError as error:
        refused = error.message
        assert (refused[-1], len(refused) < 2000) == (".", True)
