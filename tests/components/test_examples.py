"""The results that pages show before a first run are real: the shipped model gives them again."""

import pytest

import models
from components import home, playground

FILES = sorted(playground.EXAMPLES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_what_the_model_writes(file):
    example = playground.read_run(file)
    *_, final = models.generate(example.request)
    assert [output.text for output in final.outputs] == [output.text for output in example.outputs]


def test_there_is_an_example_for_every_place_that_shows_one():
    names = {file.stem for file in FILES}
    assert {spec.id.replace("/", "-") for spec in models.list_models()} <= names
    assert {f"temperature-{value}" for value in home.TEMPERATURES} <= names
