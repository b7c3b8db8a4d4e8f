from typing import Literal

import pytest
from pydantic import Field

from models.errors import BadParam
from models.params import Narrowing, Params, allowed, check, describe, hint, in_effect


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
        ({"temperature": 9}, "temperature is 9; allowed is 0.05 to 2"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": True}, "temperature is True"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"temperature": None}, "temperature is None"),
        ({"top_k": 2.5}, "top_k is 2.5; allowed is a whole number from 1 to 100, or off (null)"),
        ({"scheduler": "dim"}, "allowed is one of ddim, euler"),
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


def test_a_narrowing_sets_default_and_range():
    table = describe(Sample, {"temperature": Narrowing(default=1.0, ge=0.5, le=1.5), "eta": Narrowing(hidden=True)})
    by_name = {item.name: item for item in table}
    assert (by_name["temperature"].default, by_name["temperature"].ge, by_name["temperature"].le) == (1.0, 0.5, 1.5)
    assert "eta" not in by_name
    assert check(Sample, table, {}).temperature == 1.0
    with pytest.raises(BadParam, match=r"temperature is 1.8; allowed is 0.5 to 1.5"):
        check(Sample, table, {"temperature": 1.8})


@pytest.mark.parametrize(
    ("name", "narrowing", "words"),
    [
        ("temperature", {"le": 3}, "widens"),
        ("temperature", {"ge": 0.01}, "widens"),
        ("temperature", {"default": 5}, "allowed is"),
        ("temperature", {"ge": 1.0}, "allowed is 1 to 2"),  # the family's default falls out of the range
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
