"""Which models the button "Use as input" finds."""

from types import SimpleNamespace

import pytest

from components.image import page
from models.family import InputField
from models.params import ParamField
from models.types import SEED_MAX, Request

TASK = ParamField("task", "Task", "choice", "draw", "", choices=("draw", "redraw"))


@pytest.mark.parametrize(
    ("items", "starts"),
    [
        ((InputField("image", "image"),), True),  # it has no tasks, and always takes one
        ((InputField("image", "image", shown_if={"task": ("redraw",)}),), True),
        ((InputField("image", "image", shown_if={"task": ("gone",)}),), False),
        ((InputField("image", "text"), InputField("mask", "mask")), False),
    ],
)
def test_a_model_starts_from_a_picture_in_a_task_or_always(items, starts):
    desk = SimpleNamespace(family=SimpleNamespace(inputs=items), fields=(TASK,))
    assert page._starts_from_one(desk) is starts


@pytest.mark.parametrize(("seed", "index", "found"), [(7, 0, 7), (7, 2, 9), (SEED_MAX, 1, 0), (SEED_MAX - 1, 3, 1)])
def test_a_close_variation_begins_from_the_seed_of_its_picture(seed, index, found):
    asked = []
    request = Request(model="image/x", params={"num_images": 4, "steps": 9, "variation_strength": 0.9}, seed=seed)
    page._vary(SimpleNamespace(submit=asked.append), request, index)
    params = dict(asked[0].params)
    assert asked[0].seed == found
    assert 0 <= params.pop("variation_seed") <= SEED_MAX
    assert params == {"num_images": 1, "steps": 9, "variation_strength": 0.3}
