"""The menu of presets beside Reset."""

import json

import pytest

from components import state
from tests.components.page_steps import messages, said

STORY = "text/story-gpt"


def key(name):
    return state.key(STORY, "presets", name)


def found(page, kind, name):
    return next(item for item in page.get(kind) if item.key == key(name))


@pytest.fixture
def opened(pages):
    """Return the Text page with the menu open."""
    page = pages.open("pages/text.py")
    page.session_state[key("menu")] = True
    return page.run()


def value(page, name):
    return page.session_state[state.setting_key(STORY, name)]


def test_a_preset_says_what_it_changes_here_and_sets_no_more(opened):
    page = opened
    page.session_state[state.setting_key(STORY, "repetition_penalty")] = 1.3
    found(page, "selectbox", "chosen").set_value("Top-k")
    page.run()
    told = said(page)
    assert "Temperature 0.8 → 1" in told
    assert "Top-k off → 40" in told
    page.session_state["notices"] = [{"message": "What was done before.", "level": "info"}]
    found(page, "button", "set").click()
    page.run()
    (told,) = messages(page)
    assert "“Top-k” is set: Temperature 0.8 → 1" in told
    assert (value(page, "temperature"), value(page, "top_k"), value(page, "repetition_penalty")) == (1.0, 40, 1.3)


def test_what_differs_is_kept_under_a_name_and_found_by_the_owner(opened):
    page = opened
    assert found(page, "button", "keep").disabled
    page.session_state[state.setting_key(STORY, "temperature")] = 0.4
    found(page, "text_input", "name").set_value("Calm")
    page.run()
    found(page, "button", "keep").click()
    page.run()
    assert found(page, "selectbox", "chosen").value == "Calm"
    page.session_state[state.setting_key(STORY, "temperature")] = 1.2
    page.run()
    assert "Temperature 1.2 → 0.4" in said(page)
    found(page, "button", "delete").click()
    page.run()
    assert found(page, "selectbox", "chosen").value is None


def test_nothing_is_drawn_of_it_while_it_is_closed(pages):
    page = pages.open("pages/text.py")
    assert not [item for item in page.selectbox if item.key == key("chosen")]


def test_a_file_of_presets_is_taken_and_what_is_wrong_is_said(opened):
    page = opened
    body = {"v": 1, "family": "causal_lm", "presets": [{"name": "Odd", "params": {"odd": 1, "top_k": 3}}, 7]}
    uploader = next(item for item in page.get("file_uploader") if "presets" in item.key)
    uploader.set_value(("mine.json", json.dumps(body).encode(), "application/json"))
    page.run()
    told = said(page)
    assert "1 preset kept. Left out: Preset 2 is 7" in told
    found(page, "selectbox", "chosen").set_value("Odd")
    page.run()
    told = said(page)
    assert "Left out: odd: this model has no such setting." in told
    assert "Top-k off → 3" in told
