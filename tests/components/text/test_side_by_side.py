"""Several models on one prompt: the requests, columns as they come, and what one finds of the other's words."""

import json

import pytest

from components.text import side_by_side
from models.catalog import load_catalog
from models.settings import Settings
from tests.components.page_steps import messages, owner, press, settle, stories, widget

CATALOG = load_catalog(Settings(), strict=False)
GPT, LSTM = "text/story-gpt", "text/story-lstm"
PAGE = "pages/text.py"


def test_the_page_s_own_model_comes_first_and_only_models_of_its_family():
    found = [spec.id for spec in side_by_side.members(CATALOG, CATALOG[LSTM])]
    assert found[0] == LSTM
    assert GPT in found
    assert len(set(found)) == len(found)
    assert {CATALOG[one].family for one in found} == {"causal_lm"}


def test_each_model_gets_the_same_prompt_seed_and_settings_and_what_it_cannot_take_is_named():
    specs = [CATALOG[GPT], CATALOG[LSTM]]
    requests, told = side_by_side.build(CATALOG, specs, "A", {"temperature": 0.4, "max_new_tokens": 9999}, 5, True)
    assert [request.model for request in requests] == [GPT, LSTM]
    assert {request.seed for request in requests} == {5}
    assert all(request.params == {"temperature": 0.4} for request in requests)
    assert len(told) == 2
    assert all("max_new_tokens" in sentence for sentence in told)
    for request in requests:
        CATALOG.validate(request)


@pytest.mark.parametrize("chat", [True, False])
def test_a_chat_model_is_asked_by_its_template_if_wanted(chat):
    spec = CATALOG[GPT].model_copy(update={"facts": {**CATALOG[GPT].facts, "chat": True}})
    requests, _ = side_by_side.build(CATALOG, [spec, CATALOG[LSTM]], "A", {}, 0, chat)
    assert requests[0].inputs == ({"prompt": "A", "messages": "[]"} if chat else {"prompt": "A"})
    assert requests[1].inputs == {"prompt": "A"}


def test_the_page_runs_all_in_one_job_and_shows_a_column_each(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A *b*")
    page.run()
    settle(pages, press(page, "side-by-side-run"))
    assert {GPT, LSTM} <= {request.model for request in pages.engine.ran}
    assert len({request.inputs["prompt"] for request in pages.engine.ran}) == 1
    job = pages.jobs.jobs_of(owner(pages))[-1]
    assert job.purpose == side_by_side.PURPOSE
    assert len(stories(page)) == len(job.requests) == len(pages.engine.ran)
    for request, (given, fresh) in zip(job.requests, stories(page), strict=True):
        assert given == ("" if "messages" in request.inputs else "A *b*")  # a chat model's answer stands alone
        assert fresh.endswith("word0 word1 word2")
    titles = [
        one["title"] for item in page.get("bidi_component") for one in json.loads(item.proto.json).get("texts", [])
    ]
    assert titles[0] == "Story GPT"
    assert "Story LSTM" in titles


def test_each_model_writes_one_text_however_many_variants_the_page_makes(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A")
    widget(page, "slider", "story-gpt.num_variants").set_value(3)
    page.run()
    settle(pages, press(page, "side-by-side-run"))
    assert len(pages.engine.ran) > 1
    assert all("num_variants" not in request.params for request in pages.engine.ran)


def test_the_divergence_of_two_models_is_drawn_token_by_token(monkeypatch):
    drawn = {}
    monkeypatch.setattr(side_by_side.token_map, "draw", lambda *given, **named: drawn.update(named, given=given))
    monkeypatch.setattr(side_by_side.st, "caption", lambda text: drawn.update(said=text))
    found = {"pieces": ["a", "b"], "kl": [0.5, 9.0], "rank": [1, 40], "bits": {"kl": 4.75, "theirs": 1.0, "ours": 3.5}}
    run = type("Run", (), {"id": "r"})()
    side_by_side._draw_distance({**found, "whole": False}, run, "key", "Story GPT")
    pieces, heat, told, _ = drawn["given"]
    assert pieces == ["a", "b"]
    assert heat == [0.125, 1.0]
    assert told[1] == "KL 9.00 bits · rank 40 for Story GPT"
    assert "Mean KL divergence 4.75 bits per token (at least" in drawn["said"]


def test_what_was_told_of_the_run_before_is_gone_with_the_next(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("word " * 600)
    page.run()
    press(page, "run")
    told = [said for said in messages(page) if "600 tokens" in said]
    assert told
    widget(page, "text_area", "text-prompt").set_value("A")
    page.run()
    settle(pages, press(page, "run"))
    assert not [said for said in messages(page) if "600 tokens" in said]
