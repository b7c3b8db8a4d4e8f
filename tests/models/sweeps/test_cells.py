"""Cells of a sweep: their requests, which are alike, what does nothing, what is refused."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalog import load_catalog
from models.errors import BadInput, BadParam, UnknownModel
from models.params import in_effect, values_in_effect
from models.settings import Settings
from models.sweeps.cells import plan, words
from models.sweeps.spec import Axis, Sweep
from models.types import Request

CATALOG = load_catalog(Settings(), strict=False)
STORY, LSTM, PICTURE = "text/story-gpt", "text/story-lstm", "image/emoji-diffusion"


def sweep(*axes, model=STORY, inputs=(("prompt", "Once"),), params=(), seed=3):
    request = Request(model=model, inputs=dict(inputs), params=dict(params), seed=seed)
    return Sweep(request, tuple(Axis(name, tuple(values)) for name, values in axes))


def test_each_combination_is_a_cell_the_last_axis_fastest():
    found = plan(CATALOG, sweep(("temperature", (0.5, 1.0)), ("seed", (0, 1)), params={"top_p": 0.5}))
    assert [cell.place for cell in found.cells] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [cell.number for cell in found.cells] == [0, 1, 2, 3]
    assert [cell.request.seed for cell in found.cells] == [0, 1, 0, 1]
    assert [cell.request.params for cell in found.cells] == [
        {"top_p": 0.5, "temperature": value} for value in (0.5, 0.5, 1.0, 1.0)
    ]
    assert {cell.request.inputs["prompt"] for cell in found.cells} == {"Once"}
    assert found.at((1, 0)) is found.cells[2]
    assert found.said == ()
    with pytest.raises(IndexError):
        found.at((0, 2))


def test_what_does_nothing_is_named_and_cells_that_are_alike_are_made_once():
    found = plan(CATALOG, sweep(("do_sample", (False, True)), ("top_p", (0.5, 0.7, 0.9))))
    assert [cell.same_as for cell in found.cells] == [0, 0, 0, 3, 4, 5]
    assert [cell.idle for cell in found.cells] == [("top_p",)] * 3 + [()] * 3
    assert found.cells[1].request.params == {"do_sample": False}
    assert len(found.distinct) == 4
    assert found.said == (
        "Top-p does nothing while Sampling is off: that is so in 3 of 6 cells.",
        "2 of 6 cells have the same result as another: each is made once.",
    )


def test_the_seed_does_nothing_where_chance_has_no_part():
    found = plan(CATALOG, sweep(("do_sample", (False, True)), ("seed", (0, 1, 2))))
    assert [cell.request.seed for cell in found.cells] == [3, 3, 3, 0, 1, 2]
    assert [cell.same_as for cell in found.cells] == [0, 0, 0, 3, 4, 5]


def test_a_neutral_value_is_alike_to_off():
    found = plan(CATALOG, sweep(("repetition_penalty", (1.0, 1.2)), ("top_p", (1.0, 0.5))))
    neutral = next(item for item in CATALOG.family(STORY).fields(CATALOG[STORY]) if item.name == "top_p").neutral
    assert (1.0 in neutral, [cell.same_as for cell in found.cells]) == (True, [0, 1, 2, 3])


def test_models_and_prompts_are_axes_too():
    found = plan(CATALOG, sweep(("model", (STORY, LSTM)), ("inputs.prompt", ("A", "B"))))
    told = [(cell.request.model, cell.request.inputs["prompt"]) for cell in found.cells]
    assert told == [(STORY, "A"), (STORY, "B"), (LSTM, "A"), (LSTM, "B")]
    assert {cell.is_first for cell in found.cells} == {True}


def test_a_setting_that_another_model_lacks_is_left_out_there():
    chat_only = {item.name for item in CATALOG.family(STORY).fields(CATALOG[STORY])}
    chat_only -= {item.name for item in CATALOG.family(LSTM).fields(CATALOG[LSTM])}
    if not chat_only:
        pytest.skip("every setting of the one is a setting of the other")
    name = sorted(chat_only)[0]
    item = next(one for one in CATALOG.family(STORY).fields(CATALOG[STORY]) if one.name == name)
    found = plan(CATALOG, sweep(("model", (STORY, LSTM)), params={name: item.default}))
    assert name not in found.cells[1].request.params


@pytest.mark.parametrize(("axes", "more", "error", "words"), [
    ([("nobody", (1, 2))], {}, BadParam, "nobody: Story GPT has no such setting"),
    ([("temperature", (0.5, 9, -1))], {}, BadParam, "temperature is 9; .*temperature is -1; "),
    ([("temperature", (0.5, 0.5))], {}, BadParam, "temperature has the value 0.5 more than once"),
    ([("temperature", (0.0, -0.0))], {}, BadParam, "temperature has the value 0 more than once"),
    ([("temperature", ("warm",))], {}, BadParam, "temperature is 'warm'"),
    ([("inputs.image", ("x",))], {}, BadParam, "takes no text input 'image'; it takes: "),
    ([("model", ("text/nobody",))], {}, UnknownModel, "no model 'text/nobody'"),
    ([("temperature", (0.5, 1.0))], {"params": {"do_sample": False}}, BadParam,
     "Temperature does nothing while Sampling is off. Change that"),
    ([("temperature", (0.5, 1.0))], {"params": {"gone": 1}}, BadParam, "gone: .* has no such setting"),
    ([("temperature", (0.5, 1.0))], {"params": {"top_p": {"\ud800": None}}}, BadParam, "top_p is"),
    ([("temperature", (0.5, 1.0))], {"inputs": ()}, BadParam, "The prompt is missing"),
    ([("seed", (-1, 2**32))], {}, BadParam, "seed is -1; .*seed is 4294967296; "),
    ([("temperature", tuple(at / 1000 for at in range(1, 50))), ("seed", (*range(50),))], {}, BadInput, "2,450 cells"),
])  # fmt: skip
def test_what_cannot_be_swept_is_a_sentence(axes, more, error, words):
    with pytest.raises(error, match=words):
        plan(CATALOG, sweep(*axes, **more))


def test_a_value_that_one_of_two_models_refuses_names_the_model():
    with pytest.raises(BadParam, match="Emoji .*no such setting|takes no"):
        plan(CATALOG, sweep(("model", (STORY, PICTURE)), ("temperature", (0.5, 1.0))))


def values_of(item):
    if item.type in ("number", "integer", "seed"):
        kind = st.floats(item.ge, item.le) if item.type == "number" else st.integers(int(item.ge), int(item.le))
        return st.lists(kind, min_size=1, max_size=3, unique=True)
    if item.type == "toggle":
        return st.just([False, True])
    return st.lists(st.sampled_from(item.choices), min_size=1, max_size=3, unique=True)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_cells_are_requests_that_the_model_takes_and_alike_only_where_nothing_acts(data):
    model = data.draw(st.sampled_from(sorted(name for name in CATALOG if name.startswith(("text/", "image/emoji")))))
    fields = CATALOG.family(model).fields(CATALOG[model])
    usable = [item for item in fields if item.type not in ("text", "tags")]
    items = data.draw(st.lists(st.sampled_from(usable), min_size=1, max_size=3, unique_by=lambda one: one.name))
    asked = sweep(*[(item.name, data.draw(values_of(item))) for item in items], model=model)
    try:
        found = plan(CATALOG, asked)
    except BadParam as error:  # settings that do not go together, or that do nothing in any cell
        refused = error.message
        assert refused.endswith(".")
        return
    assert len(found.cells) == len(list(itertools.product(*map(range, asked.shape))))
    for cell in found.cells:
        CATALOG.validate(cell.request)
        chosen = {axis.name: axis.values[at] for axis, at in zip(asked.axes, cell.place, strict=True)}
        full = {**{item.name: item.default for item in fields}, "seed": 3, **chosen}
        acting = set(in_effect(fields, full))
        assert set(cell.idle) == set(chosen) - acting
        for name, value in chosen.items():
            if name in acting:
                assert (cell.request.seed if name == "seed" else cell.request.params[name]) == value
        first = found.cells[cell.same_as]
        other = {axis.name: axis.values[at] for axis, at in zip(asked.axes, first.place, strict=True)}
        same = {**{item.name: item.default for item in fields}, "seed": 3, **other}
        assert values_in_effect(fields, full) == values_in_effect(fields, same)


def test_an_axis_value_is_said_as_its_slider_does():
    asked = sweep(("temperature", (0.5, 1.0)))
    assert words(CATALOG, asked, "temperature", 0.5) == "Temperature 0.5"
    assert words(CATALOG, asked, "seed", 4) == "seed 4"
    assert words(CATALOG, asked, "model", LSTM) == CATALOG[LSTM].name
    assert words(CATALOG, asked, "inputs.prompt", "A fox") == "“A fox”"
