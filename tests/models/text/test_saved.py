"""A saved story is a story first, and tells of its making wherever its settings stand."""

import json

import pytest

from models.errors import BadInput
from models.plain_text import text_artifact
from models.text.saved import read_settings
from models.types import Request

REQUEST = Request(model="text/story-gpt", inputs={"prompt": "Once 🐉\n"}, params={"stop": ["\n\n---\n{"]}, seed=7)
STAMP = {"request": REQUEST.model_dump(), "revision": "x"}
STORY = "Once 🐉\nupon a time.\n\n---\n{} is no end"
NOW = text_artifact(STORY, STAMP).decode()
BEFORE = f"---\n{json.dumps(STAMP, indent=2)}\n---\n{STORY}"


@pytest.mark.parametrize("text", [NOW, BEFORE])
@pytest.mark.parametrize("change", [
    lambda text: text, lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text,
    lambda text: text + "\n\n", lambda text: text.rstrip("\n"),
])  # fmt: skip
def test_the_request_is_read_back(text, change):
    found = read_settings(change(text).encode())
    assert found is not None
    assert found.own
    told = Request(model=found.model or "", inputs=found.inputs, params=found.params, seed=found.seed or 0)
    assert told == REQUEST


def test_the_story_comes_first():
    assert NOW.startswith(STORY)


@pytest.mark.parametrize("text", ["", "Once upon a time", "---\ntitle: x\n---\ntext", "a\n\n---\n{}\n---\n",
                                  "a\n\n---\n{broken\n---\n"])  # fmt: skip
def test_any_other_text_tells_of_none(text):
    assert read_settings(text.encode()) is None


@pytest.mark.parametrize("request_", ["x", {"model": "text/story-gpt"}, {**REQUEST.model_dump(), "seed": "x"}, []])
def test_damaged_settings_are_told(request_):
    with pytest.raises(BadInput, match="damaged"):
        read_settings(text_artifact("a", {"request": request_}))


def test_seed_minus_1_is_a_new_one():
    found = read_settings(text_artifact("a", {"request": {**REQUEST.model_dump(), "seed": -1}}))
    assert found is not None
    assert (found.seed, found.new_seed) == (None, True)
