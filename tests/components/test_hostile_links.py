"""Addresses that were made to break a page: each is told in a sentence, and the page is whole."""

import base64
import json

import pytest

from tests.components.page_steps import press, widget

PAGE = "pages/text.py"
DIGITS = "9" * 400


def packed(**changed):
    body = {"v": 1, "model": "text/story-gpt", "inputs": {"prompt": "Once"}, "params": {}, "seed": 1, **changed}
    return {"r": base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")}


def told(page):
    return " ".join(item.value for kind in ("warning", "error") for item in getattr(page, kind))


@pytest.mark.parametrize("seed", [DIGITS, f"-{DIGITS}", "1e400", "9" * 5000, "nan", "Infinity", "[" * 3000])
def test_a_seed_that_is_none_is_told_and_its_box_drawn(pages, caplog, seed):
    page = pages.open(PAGE, **{"story-gpt.seed": seed, "story-gpt.temperature": "1.5"})
    assert "seed is" in told(page)
    assert "cannot be drawn" not in told(page)
    assert [record for record in caplog.records if record.exc_info] == []
    assert widget(page, "number_input", "story-gpt.seed").value == 0
    assert widget(page, "slider", "story-gpt.temperature").value == 1.5
    widget(page, "number_input", "story-gpt.seed").set_value(7).run()
    assert page.query_params["story-gpt.seed"] == "7"  # a link of it can be copied from the address all the same
    press(page, "run")
    assert pages.jobs.jobs_of(next(iter(pages.jobs._jobs.values())).owner)[-1].requests[0].seed == 7


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (packed(params={"stop": ["\ud800"]}), "stop is"),
        (packed(params={"\ud800": 1}), "no such setting"),
        (packed(params={"x" * 900: 1}), "no such setting"),
        (packed(params={"temperature": int(DIGITS)}), "temperature is 999"),
        (packed(params={"temperature": float("nan")}), "temperature is nan"),
        (packed(seed=int(DIGITS)), "damaged"),
        (packed(inputs={"prompt": "\ud800"}), "half of a character"),
        (packed(v=int(DIGITS)), "another version"),
    ],
)
def test_a_link_that_was_made_to_break_a_page_is_a_short_sentence(pages, caplog, address, words):
    page = pages.open(PAGE, **address)
    assert words in told(page)
    assert len(told(page)) < 600
    assert [record for record in caplog.records if record.exc_info] == []
    press(page, "run")
