"""The page "Text tasks" over tiny random models: its segments, what it shows of a result, bad input."""

import json
import time

import pytest

from components import links, rooms, runtime
from models.catalog import Catalog, load_catalog
from models.settings import Settings
from models.sweeps.spec import Axis, Sweep
from models.types import Request
from tests.components.page_steps import messages, press, said, settle_all, widget
from tests.components.text.task_steps import FEELINGS, PAGE, TRANSLATE, look, model, opened, ran, segment, shown
from tests.components.toy_app import OWNER

PLACE = "text/text_tasks"  # what the page's names begin with


def test_the_models_of_the_families_stand_on_this_page_and_not_on_text(jobs):
    catalog, room = runtime.catalog(), rooms.room("text")
    found = [[spec.id for spec in rooms.models_on(catalog, page)] for page in room.pages]
    names = ("bart", "bert", "both", "electra", "inference", "marian", "nairam", "t5")
    assert {f"text/{one}" for one in names} <= set(found[1])
    assert not set(found[0]) & set(found[1])
    assert "text/story-gpt" in found[0]


def test_a_segment_lists_its_own_models_and_keeps_its_own_prompt(jobs):
    page = opened()
    assert [item.value for item in page.title] == ["Text tasks"]
    assert {"marian", "nairam", "t5", "bart"} <= set(model(page).options)
    widget(page, "text_area", TRANSLATE).set_value("the dog")
    segment(page).set_value("Feelings and intentions")
    page.run()
    assert {"bert", "both", "electra", "inference"} <= set(model(page).options)
    assert "marian" not in model(page).options
    assert widget(page, "text_area", FEELINGS).value == "A warm, funny film that stays with you."  # its example
    model(page).set_value("text/electra")
    page.run()
    segment(page).set_value("Translate")
    page.run()
    assert widget(page, "text_area", TRANSLATE).value == "the dog"
    segment(page).set_value("Feelings and intentions")
    page.run()
    assert model(page).value == "text/electra"  # as it was left


def test_an_address_and_a_link_open_the_segment_of_their_model(jobs):
    page = opened(model="text/electra")
    assert (segment(page).value, model(page).value) == ("Feelings and intentions", "text/electra")
    link = links.link_to("http://x/", Request(model="text/bart", inputs={"prompt": "a sea"}, params={"num_beams": 2}))
    page = opened(r=link.partition("r=")[2])
    assert (segment(page).value, model(page).value) == ("Translate", "text/bart")
    assert widget(page, "text_area", TRANSLATE).value == "a sea"


def test_a_result_is_shown_in_its_own_segment(jobs):
    page = ran(jobs, opened(model="text/marian"), "the cat sat.")
    assert shown(page, "pairs")
    segment(page).set_value("Feelings and intentions")
    page.run()
    assert not shown(page, "pairs")
    page = ran(jobs, page, "the cat")
    assert page.get("vega_lite_chart")
    segment(page).set_value("Translate")
    page.run()
    assert shown(page, "pairs")
    assert not page.get("vega_lite_chart")


def test_what_stands_in_one_segment_stands_in_no_other(jobs):
    sweep = Sweep(Request(model="text/marian", inputs={"prompt": "the cat"}, params={"max_new_tokens": 3}),
                  (Axis("num_beams", (1, 2)),))  # fmt: skip
    note = {"spec": sweep.to_json(), "at": time.time(), "job": ""}
    jobs.store.save_note(OWNER, f"{PLACE}-Translate-sweep", note)
    page = opened(model="text/marian")
    assert "of 2 cells are there" in said(page)
    segment(page).set_value("Feelings and intentions")
    page.run()
    assert "of 2 cells are there" not in said(page)
    assert "cells are there" not in said(opened(model="text/electra"))


def test_without_models_each_segment_says_what_to_do(pages, monkeypatch):
    bare = load_catalog(Settings())
    mine = ("seq2seq_lm", "text_classifier", "zero_shot_classifier")
    monkeypatch.setattr(
        runtime, "catalog", lambda: Catalog([one for one in bare.values() if one.family not in mine], bare.families)
    )
    page = pages.open(PAGE)
    assert "There is no translator in the catalogue yet" in said(page)
    segment(page).set_value("Feelings and intentions")
    page.run()
    assert not page.exception
    assert "There is no classifier in the catalogue yet" in said(page)
    assert not page.error


def test_a_segment_without_models_is_left_out_where_another_has_some(pages, monkeypatch):
    whole = load_catalog(Settings())
    alone = Catalog([one for one in whole.values() if one.family != "text_classifier"], whole.families)
    monkeypatch.setattr(runtime, "catalog", lambda: alone)
    page = pages.open(PAGE)
    assert not [item for item in page.get("button_group") if item.key == "text/text_tasks-segment"]
    assert "English to French" in model(page).options


def test_a_translation_stands_beside_its_text_sentence_by_sentence(jobs):
    page = ran(jobs, opened(model="text/marian"), "# the cat sat.\n\n- a dog ran! the sea fell.")
    [data] = shown(page, "pairs")
    assert [one["source"] for one in data["pairs"]] == ["the cat sat.", "a dog ran!", "the sea fell."]
    assert [one["before"] for one in data["pairs"]] == ["# ", "\n\n- ", " "]
    assert data["titles"] == ["English", "French"]
    assert all(0 <= p <= 1 for one in data["pairs"] for _, p in one["words"])
    keys = [item.key for item in page.button]
    assert not [key for key in keys if key.startswith("continue-")]  # a translation is not continued
    page = look(jobs, page, "Alignment")
    [links_shown] = shown(page, "weights")
    assert len(links_shown["weights"]) == len(links_shown["target"])
    assert len(links_shown["weights"][0]) == len(links_shown["source"])


def test_of_alternatives_it_is_said_that_they_are_without_the_glossary(jobs):
    link = links.link_to("http://x/", Request(model="text/marian", inputs={"prompt": "the Zorro sat."}, params={
        "alternatives": 2, "num_beams": 2, "max_new_tokens": 8, "glossary": ["Zorro"]}))  # fmt: skip
    page = settle_all(jobs, OWNER, press(opened(r=link.partition("r=")[2]), "run"))
    assert "before words of the glossary were put in" in said(page)
    assert "before words of the glossary" not in said(ran(jobs, opened(model="text/t5"), "the cat sat."))


def test_a_translation_is_translated_back_beside_the_first_text(jobs):
    page = ran(jobs, opened(model="text/marian"), "the cat sat.")
    there = jobs.jobs_of(OWNER)[-1].runs[0].outputs[0].text
    next(item for item in page.button if item.key.startswith("back-")).click()
    page.run()
    page = settle_all(jobs, OWNER, page)
    assert jobs.jobs_of(OWNER)[-1].requests[0].model == "text/nairam"
    titles = [(one["title"], one["fresh"]) for data in shown(page, "texts") for one in data["texts"]]
    assert titles[:2] == [("Text (English)", "the cat sat."), ("Translation (French)", there)]
    assert "of the words came back" in said(page)


def test_a_text_of_another_script_or_language_is_told_before_run(jobs):
    page = opened(model="text/marian")
    for text, words in (("Кошка сидит на коврике.", "Most letters of this text are Cyrillic"),
                        ("le chat est sur le lit et il dort", "This text looks like French")):  # fmt: skip
        widget(page, "text_area", TRANSLATE).set_value(text)
        page.run()
        assert words in said(page)


def test_a_label_shows_the_whole_distribution_and_which_words_pushed_it(jobs):
    page = ran(jobs, opened(model="text/electra"), "the cat sat on the mat")
    scores = jobs.jobs_of(OWNER)[-1].runs[0].outputs[0].meta["scores"]
    spec = json.loads(page.get("vega_lite_chart")[0].proto.spec)
    drawn = [row["said"] for layer in spec["layer"] for row in layer["data"]["values"] if "label" in row]
    assert set(drawn) == {f"{chance:.1%}" for chance in scores.values()}
    assert spec["config"]["text"]["color"] == "#23202e"  # the theme's own: Vega's black is unreadable in the dark
    page = look(jobs, page, "Reasons")
    [data] = shown(page, "pushes")
    assert data["words"] == ["the", "cat", "sat", "on", "the", "mat"]
    assert "the words add up to" in said(page)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "There is no text"), (" \n", "There is no text"), ("a\0b", "null byte"),
     ("a" * 1_000_001, "at most 1,000,000 bytes")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["marian", "electra"])
def test_bad_input_is_a_sentence(jobs, name, text, words):
    page = opened(model=f"text/{name}")
    next(item for item in page.text_area if item.key in (TRANSLATE, FEELINGS)).set_value(text)
    page.run()
    press(page, "run")
    assert any(words in one for one in messages(page))
    assert not jobs.jobs_of(OWNER)
