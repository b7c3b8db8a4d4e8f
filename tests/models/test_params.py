from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model

from models.catalog import load_catalog
from models.errors import BadParam
from models.params import (
    Narrowing,
    Params,
    above,
    allowed,
    check,
    describe,
    hint,
    in_effect,
    neutral_values,
    values_in_effect,
)
from models.settings import Settings

CATALOG = load_catalog(Settings(), strict=False)


class Sample(Params):
    do_sample: bool = Field(True, description="Draw by chance.", json_schema_extra=hint(live=True))
    temperature: float = Field(
        0.8, ge=0.05, le=2, description="How bold.", json_schema_extra=hint(log=True, shown_if={"do_sample": [True]})
    )
    top_k: int | None = Field(
        None, ge=1, le=100, description="How many words.", json_schema_extra=hint(shown_if={"do_sample": [True]})
    )
    scheduler: Literal["ddim", "euler"] = Field("ddim", description="Which steps.")
    eta: float = Field(0, ge=0, le=1, description="Noise.", json_schema_extra=hint(shown_if={"scheduler": ["ddim"]}))
    deep: int = Field(1, ge=1, le=3, description="Depth.", json_schema_extra=hint(shown_if={"temperature": [0.8]}))
    stop: list[str] = Field([], max_length=3, description="Where to end.")
    note: str = Field("", max_length=10, description="A note.")


TABLE = describe(Sample, seed_shown_if={"do_sample": (True,)})


def test_the_table_says_all_that_a_widget_needs():
    by_name = {item.name: item for item in TABLE}
    assert [item.type for item in TABLE] == [
        "toggle", "number", "integer", "choice", "number", "integer", "tags", "text", "seed"]  # fmt: skip
    assert by_name["temperature"].log
    assert (by_name["top_k"].optional, by_name["top_k"].ge, by_name["top_k"].le) == (True, 1, 100)
    assert by_name["scheduler"].choices == ("ddim", "euler")
    assert by_name["do_sample"].live
    assert by_name["stop"].max_items == 3
    assert TABLE[-1].name == "seed"


def test_check_fills_in_defaults_and_keeps_what_is_given():
    params = check(Sample, TABLE, {"temperature": 1.5, "top_k": 5, "stop": ["a"]})
    assert (params.temperature, params.top_k, params.scheduler, params.stop) == (1.5, 5, "ddim", ["a"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": 9}, "temperature is 9; it must be 0.05 to 2"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": True}, "temperature is True"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"temperature": None}, "temperature is None"),
        ({"top_k": 2.5}, "top_k is 2.5; it must be a whole number from 1 to 100, or off (null)"),
        ({"scheduler": "dim"}, "it must be one of ddim, euler"),
        ({"do_sample": 1}, "on or off"),
        ({"stop": ["a"] * 4}, "at most 3"),
        ({"note": "x" * 11}, "at most 10 characters"),
        ({"temprature": 1}, "did you mean temperature?"),
        ({"seed": 1}, "no such setting"),
    ],
)
def test_a_wrong_value_gets_a_sentence_with_what_is_allowed(values, words):
    with pytest.raises(BadParam) as caught:
        check(Sample, TABLE, values)
    assert words in caught.value.message


def test_every_wrong_value_is_named_at_once():
    with pytest.raises(BadParam) as caught:
        check(Sample, TABLE, {"temperature": 9, "top_k": 0, "x": 1})
    assert len(caught.value.details["problems"]) == 3


def test_what_is_in_effect_follows_chains():
    full = check(Sample, TABLE, {}).model_dump()
    assert in_effect(TABLE, full) == tuple(item.name for item in TABLE)
    greedy = in_effect(TABLE, {**full, "do_sample": False, "scheduler": "euler"})
    # `deep` hangs on temperature, which does not act under greedy
    assert greedy == ("do_sample", "scheduler", "stop", "note")


class Acting(Params):
    warm: bool = Field(True, description="Warm.", json_schema_extra=hint(neutral=False))
    level: float = Field(
        1.0, ge=0, le=2, description="Level.",
        json_schema_extra=hint(neutral=(1.0, 0.0), neutral_unless={"spread": above(0)}),
    )  # fmt: skip
    spread: float = Field(0.0, ge=0, le=1, description="Spread.", json_schema_extra=hint(neutral=0.0))
    shape: Literal["any", "round"] = Field("any", description="Shape.", json_schema_extra=hint(neutral="any"))
    steps: int = Field(5, ge=1, le=9, description="Steps.", json_schema_extra=hint(cost="each"))
    length: int = Field(5, ge=1, le=9, description="Length.", json_schema_extra=hint(cost="limit", neutral=9))
    cut: int | None = Field(None, ge=1, le=9, description="Cut.", json_schema_extra=hint(shown_if={"warm": [True]}))
    stop: list[str] = Field([], description="Where to end.")
    note: str = Field("", description="A note.")


ACTING = describe(Acting, seed_shown_if={"warm": (True,)})


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"warm", "steps", "length", "seed"}),
        ({"warm": False, "cut": 3}, {"steps", "length"}),  # seed and cut hang on warm
        ({"level": 0.0}, {"warm", "steps", "length", "seed"}),
        ({"level": 0.5, "cut": 3}, {"warm", "level", "cut", "steps", "length", "seed"}),
        ({"spread": 0.5}, {"warm", "level", "spread", "steps", "length", "seed"}),
        ({"shape": "round", "length": 9}, {"warm", "shape", "steps", "seed"}),
        ({"stop": ["x"], "note": "y"}, {"warm", "stop", "note", "steps", "length", "seed"}),
    ],
)
def test_what_has_an_effect_leaves_out_the_neutral(changes, names):
    values = {**{item.name: item.default for item in ACTING}, **changes}
    found = values_in_effect(ACTING, values)
    assert set(found) == names
    assert all(found[name] == values[name] for name in found)
    assert list(found) == [item.name for item in ACTING if item.name in names]


def test_a_hidden_setting_keeps_no_neutral_value_alive():
    table = describe(Acting, {"spread": Narrowing(hidden=True)})
    assert "level" not in values_in_effect(table, {**Acting().model_dump(), "seed": 0})


def test_neutral_values_are_read_from_the_declaration():
    assert neutral_values(Acting) == {"warm": False, "level": 1.0, "spread": 0.0, "shape": "any", "length": 9}
    assert {item.name: item.cost for item in ACTING if item.cost} == {"steps": "each", "length": "limit"}
    hotter = describe(Acting, {"level": Narrowing(default=0.5, ge=0.2)})
    assert next(item for item in hotter if item.name == "level").neutral == (1.0, 0.0)


@pytest.mark.parametrize(
    ("annotation", "default", "hints", "words"),
    [
        (bool, True, {"neutral": "no"}, "neutral: x is 'no'; it must be on or off"),
        (Literal["a", "b"], "a", {"neutral": ("a", "c")}, "neutral: x is 'c'; it must be one of a, b"),
        (bool, True, {"neutral": False, "neutral_unless": {"y": [1]}}, r"neutral_unless names unknown fields \['y'\]"),
        (bool, True, {"cost": "each"}, "only a number has a cost, not a toggle"),
    ],
)
def test_a_neutral_value_or_cost_that_cannot_be_fails_when_the_class_is_made(annotation, default, hints, words):
    extra = hint(**hints)
    with pytest.raises(TypeError, match=words):
        create_model("Bad", __base__=Params, x=(annotation, Field(default, description="X.", json_schema_extra=extra)))
    with pytest.raises(TypeError, match="cost is 'much'; allowed: each, limit"):
        hint(cost="much")


def _some_value(item):
    """Return a strategy of values that a setting takes, its neutral ones among them."""
    if item.type in ("integer", "seed"):
        found = st.integers(int(item.ge), int(item.le))
    elif item.type == "number":
        found = st.floats(item.ge, item.le)
    else:
        found = {"toggle": st.booleans(), "choice": st.sampled_from(item.choices or ("",)),
                 "tags": st.sampled_from([[], ["a"]]), "text": st.sampled_from(["", "x"])}[item.type]  # fmt: skip
    if item.optional:
        found |= st.none()
    return found | st.sampled_from((*item.neutral, item.default))


EMBEDDED = [spec for spec in CATALOG.values() if spec.embedded]


@pytest.mark.parametrize("spec", EMBEDDED, ids=lambda spec: spec.id)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_neutral_setting_of_a_shipped_model_is_in_effect(spec, data):
    fields = CATALOG.family(spec.id).fields(spec)
    values = {item.name: data.draw(_some_value(item), item.name) for item in fields}
    found, acting = values_in_effect(fields, values), in_effect(fields, values)
    for item in fields:
        kept_alive = item.neutral_unless and all(
            other in acting and values[other] in listed for other, listed in item.neutral_unless.items()
        )
        neutral = values[item.name] in (None, "", []) or (values[item.name] in item.neutral and not kept_alive)
        assert (item.name in found) == (item.name in acting and not neutral), item.name


def test_every_shipped_model_says_what_its_time_follows():
    for spec in EMBEDDED:
        names = {item.name: item.cost for item in CATALOG.family(spec.id).fields(spec)}
        for name, cost in {"max_new_tokens": "limit", "num_inference_steps": "each", "num_images": "each"}.items():
            assert names.get(name, cost) == cost, (spec.id, name)


def test_a_narrowing_sets_default_and_range():
    table = describe(Sample, {"temperature": Narrowing(default=1.0, ge=0.5, le=1.5), "eta": Narrowing(hidden=True)})
    by_name = {item.name: item for item in table}
    assert (by_name["temperature"].default, by_name["temperature"].ge, by_name["temperature"].le) == (1.0, 0.5, 1.5)
    assert "eta" not in by_name
    assert check(Sample, table, {}).temperature == 1.0
    with pytest.raises(BadParam, match=r"temperature is 1.8; it must be 0.5 to 1.5"):
        check(Sample, table, {"temperature": 1.8})


@pytest.mark.parametrize(
    ("name", "narrowing", "words"),
    [
        ("temperature", {"le": 3}, "widens"),
        ("temperature", {"ge": 0.01}, "widens"),
        ("temperature", {"default": 5}, "it must be"),
        ("temperature", {"ge": 1.0}, "it must be 1 to 2"),  # the family's default falls out of the range
        ("scheduler", {"choices": ["ddim", "lms"]}, "lms"),
        ("scheduler", {"choices": []}, "is empty"),
        ("note", {"le": 3}, "widens"),
        ("nothing", {"default": 1}, "no such setting"),
    ],
)
def test_a_narrowing_never_widens(name, narrowing, words):
    with pytest.raises(BadParam) as caught:
        describe(Sample, {name: Narrowing(**narrowing)})
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("annotation", "field"),
    [
        (int, Field(1, description="x", ge=1)),
        (float, Field(1, description="x")),
        (float, Field(1.0, ge=0, le=1)),
        (float, Field(1.0, ge=0, le=1, description="x", json_schema_extra=hint(log=True))),
        (dict, Field({}, description="x")),
        (int, Field(ge=0, le=1, description="x")),
        (bool, Field(True, description="x", json_schema_extra=hint(shown_if={"other": [1]}))),
    ],
)
def test_a_bad_declaration_fails_when_the_class_is_made(annotation, field):
    with pytest.raises(TypeError):
        type("Bad", (Params,), {"__annotations__": {"x": annotation}, "x": field, "__module__": __name__})


def test_an_unknown_hint_is_refused():
    with pytest.raises(TypeError, match="unknown hint"):
        hint(colour="red")


def test_allowed_reads_well():
    words = {item.name: allowed(item) for item in TABLE}
    assert words["temperature"] == "0.05 to 2"
    assert words["seed"] == "a whole number from 0 to 4294967295"
    assert words["do_sample"].startswith("on or off")
