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
    limited,
    neutral_values,
    problem,
    taken,
    values_in_effect,
)
from models.settings import Settings
from models.types import SEED_MAX

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
        ({"top_k": True}, "top_k is True; it must be a whole number from 1 to 100, or off (null)"),
        ({"deep": False}, "deep is False; it must be a whole number from 1 to 3"),
        ({"deep": None}, "deep is None"),
        ({"top_k": 101}, "top_k is 101"),
        ({"top_k": 0}, "top_k is 0"),
        ({"stop": ["a", 1]}, "stop is"),
        ({"note": None}, "note is None"),
        ({"top_k": 2.5}, "top_k is 2.5; it must be a whole number from 1 to 100, or off (null)"),
        ({"scheduler": "dim"}, "it must be one of ddim, euler"),
        ({"do_sample": 1}, "on or off"),
        ({"stop": ["a"] * 4}, "at most 3"),
        ({"note": "x" * 11}, "at most 10 characters"),
        ({"temprature": 1}, "has no such setting; did you mean temperature?"),
        ({"seed": 1}, "no such setting"),
    ],
)
def test_a_wrong_value_gets_a_sentence_with_what_is_allowed(values, words):
    with pytest.raises(BadParam) as caught:
        check(Sample, TABLE, values)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", 0.05), ("temperature", 2), ("top_k", 1), ("top_k", 100), ("top_k", 5.0), ("top_k", None),
     ("stop", ["a"] * 3), ("stop", []), ("note", "x" * 10), ("deep", 1), ("deep", 3)],
)  # fmt: skip
def test_the_ends_of_what_is_allowed_are_allowed(name, value):
    assert getattr(check(Sample, TABLE, {name: value}), name) == value


@pytest.mark.parametrize(
    ("value", "good"), [(0, True), (SEED_MAX, True), (5.0, True), (-1, False), (SEED_MAX + 1, False), (True, False),
                        (0.5, False), (None, False), ("1", False)],
)  # fmt: skip
def test_a_seed_is_a_whole_number_from_0_to_the_last(value, good):
    assert (problem(TABLE[-1], value) == "") == good


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
    with pytest.raises(TypeError, match="cost is 'much'; allowed: each, side, limit"):
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


class Older(Params):
    size: int = Field(8, ge=4, le=16, description="Size.", json_schema_extra=hint(was=(0, 64)))
    share: float = Field(0.5, ge=0.2, le=0.8, description="Share.", json_schema_extra=hint(was=(0.0, 1.0)))
    plain: float = Field(0.5, ge=0.2, le=0.8, description="Plain.")


OLDER = {item.name: item for item in describe(Older)}


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [("size", 0, 4), ("size", 3, 4), ("size", 4, 4), ("size", 9, 9), ("size", 17, 16), ("size", 64, 16),
     ("size", 65, 65), ("size", -1, -1), ("size", True, True), ("size", "3", "3"), ("share", 0.9, 0.8),
     ("share", 0.1, 0.2), ("plain", 0.9, 0.9)],
)  # fmt: skip
def test_a_value_of_a_range_that_was_wider_becomes_its_nearest_end(name, value, found):
    assert taken(OLDER[name], value) == found


def test_a_narrowing_from_before_is_todays_too_and_stays_a_whole_number():
    narrowed = describe(Older, {"size": Narrowing(ge=2, le=40.0, default=50)})[0]
    assert (narrowed.ge, narrowed.le, narrowed.default) == (4, 16, 16)
    assert all(type(value) is int for value in (narrowed.ge, narrowed.le))
    stepped = describe(
        Sample, {"temperature": Narrowing(step=0.25), "scheduler": Narrowing(choices=("euler",), default="euler")}
    )
    assert (stepped[1].step, stepped[1].ge, stepped[1].le, stepped[3].choices) == (0.25, 0.05, 2, ("euler",))


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("top_k", {"le": 50.7}, (1, 50, None)),
        ("deep", {"ge": 2}, (2, 3, 2)),
        ("deep", {"ge": 9}, (3, 3, 3)),
        ("deep", {"le": 0}, (0, 0, 0)),
        ("temperature", {"le": 0.5}, (0.05, 0.5, 0.5)),
        ("temperature", {"ge": 0.0, "le": 9.0}, (0.05, 2, 0.8)),
    ],
)
def test_a_setting_is_limited_to_what_files_allow_with_its_default_inside(name, given, found):
    by_name = {item.name: item for item in TABLE}
    item = limited(by_name[name], **given)
    assert (item.ge, item.le, item.default) == found


def test_choices_are_limited_to_those_that_are_left_and_never_to_none():
    scheduler = TABLE[3]
    assert (limited(scheduler, choices=["euler", "x"]).choices, limited(scheduler, choices=["euler"]).default) == (
        ("euler",), "euler")  # fmt: skip
    assert limited(scheduler, choices=["ddim"]).default == "ddim"
    assert limited(scheduler, choices=["x"]) == scheduler


@pytest.mark.parametrize(("name", "narrowing", "found"), [("eta", {"le": 0}, (0, 0)), ("eta", {"ge": 0}, (0, 1))])
def test_nought_is_a_bound_like_any_other(name, narrowing, found):
    item = next(one for one in describe(Sample, {name: Narrowing(**narrowing)}) if one.name == name)
    assert (item.ge, item.le) == found
    with pytest.raises(BadParam, match=r"params\.temperature\.ge = 0 widens what is allowed: 0\.05 to 2"):
        describe(Sample, {"temperature": Narrowing(ge=0)})
    with pytest.raises(BadParam, match=r"params\.deep\.le = 0 .*|params\.deep: ge 1 is above le 0"):
        describe(Sample, {"deep": Narrowing(le=0)})


class Optional(Params):
    mood: Literal["happy", "sad", "odd"] | None = Field(None, description="Mood.")
    level: float | None = Field(None, ge=0, le=1, description="Level.")


def test_what_is_off_stays_off_when_it_is_limited():
    mood, level, _ = describe(Optional)
    assert (limited(mood, choices=["sad"]).default, limited(mood, choices=["sad"]).choices) == (None, ("sad",))
    assert (limited(level, le=0.5).default, limited(level, le=0.5).le) == (None, 0.5)
    assert limited(describe(Optional, {"mood": Narrowing(default="odd")})[0], choices=["sad"]).default == "sad"
