"""Which models the button "Use as input" finds."""

from types import SimpleNamespace

import pytest

from components.image import page
from models.family import InputField
from models.params import ParamField

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
