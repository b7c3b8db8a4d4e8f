"""The page "Text tasks" over tiny random models: its segments, what it shows of a result, bad input."""

import json
import time
from types import SimpleNamespace

import pytest

from components import desk as desks
from components import links, rooms, runtime
from models.catalog import Catalog, load_catalog
from models.settings import Settings
from models.sweeps.spec import Axis, Sweep
from models.types import Request
from tests.components.page_steps import messages, press, said, settle_all, widget
from tests.components.text.task_steps import (
    FEELINGS,
    MEANING,
    PAGE,
    TRANSLATE,
    look,
    model,
    opened,
    ran,
    segment,
    shown,
)
from tests.components.toy_app import OWNER

PLACE = "text/text_tasks"  # what the page's names begin with


def test_the_models_of_the_families_stand_on_this_page_and_not_on_text(jobs):
    catalog, room = runtime.catalog(), rooms.room("text")
    found = [[spec.id for spec in rooms.models_on(catalog, page)] for page in room.pages]
    names = ("bart", "bert", "both", "electra", "inference", "marian", "nairam", "near", "t5")
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
    mine = ("seq2seq_lm", "text_classifier", "zero_shot_classifier", "text_embedding")
    monkeypatch.setattr(
        runtime, "catalog", lambda: Catalog([one for one in bare.values() if one.family not in mine], bare.families)
    )
    page = pages.open(PAGE)
    assert "There is no translator in the catalogue yet" in said(page)
    segment(page).set_value("Feelings and intentions")
    page.run()
    assert not page.exception
    assert "There is no classifier in the catalogue yet" in said(page)
    segment(page).set_value("Meaning")
    page.run()
    assert "There is no model of sentence embeddings in the catalogue yet" in said(page)
    assert not page.error


def test_a_segment_without_models_is_left_out_where_another_has_some(pages, monkeypatch):
    whole = load_catalog(Settings())
    alone = Catalog([one for one in whole.values() if one.family == "seq2seq_lm"], whole.families)
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


def test_the_next_seed_is_offered_only_where_tokens_are_sampled(jobs):
    page = opened(model="text/marian")
    assert "Next seed" not in [button.label for button in page.button]  # beam search: the same text at every seed
    widget(page, "toggle", "marian.do_sample").set_value(True)
    page.run()
    assert "Next seed" in [button.label for button in page.button]
    assert "Next seed" not in [button.label for button in opened(model="text/electra").button]


def test_the_page_is_drawn_again_when_the_seed_begins_to_act(jobs):
    desk = desks.of(SimpleNamespace(catalog=runtime.catalog()), rooms.room("text"), "text/marian")
    values = {item.name: item.default for item in desk.fields}
    sampled = {**values, "do_sample": True}
    assert (desk.by_chance(values), desk.by_chance(sampled)) == (False, True)
    assert desk.depends(values) != desk.depends(sampled)


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


def charts(page):
    return [json.loads(item.proto.spec) for item in page.get("vega_lite_chart")]


def test_texts_are_ranked_by_their_nearness_with_bars_and_a_map(jobs):
    page = opened(model="text/near")
    assert segment(page).value == "Meaning"
    others = ["a dog ran", "the cat sat", "is this *good*?"]
    widget(page, "text_area", "text/text_tasks-input-texts").set_value("\n".join(others))
    page = ran(jobs, page, "the cat sat")
    made = jobs.jobs_of(OWNER)[-1].runs[0].outputs[0]
    bars, grid = charts(page)
    rows = bars["layer"][0]["data"]["values"]
    assert [(row["score"], row["text"]) for row in rows] == [tuple(one) for one in made.meta["top"]]
    assert rows[0]["said"] == "1.00"
    assert len(grid["layer"][0]["data"]["values"]) == 16
    [table] = [one for one in shown(page, "rows") if one["columns"] == ["Rank", "Cosine similarity"]]
    assert [row[2] for row in table["rows"]] == [text for _, text in made.meta["top"]]
    keys = [item.key for item in page.button]
    assert not [key for key in keys if key.startswith(("continue-", "edit-"))]  # a ranking is not continued


def test_texts_that_are_all_too_far_are_told_and_not_drawn(jobs):
    page = opened(model="text/near")
    next(item for item in page.slider if item.label == "Threshold").set_value(1.0)
    page = ran(jobs, page, "the cat sat\na dog ran")
    assert "No text is as near as 1.00" in said(page)
    assert not charts(page)


def test_an_example_of_several_lines_is_a_pill_of_its_first(jobs, monkeypatch):
    page = opened(model="text/near")
    spec = runtime.catalog()["text/near"]
    several = spec.model_copy(update={"examples": ("the cat\na *dog*", "one line")})
    whole = runtime.catalog()
    catalog = Catalog([several if one.id == spec.id else one for one in whole.values()], whole.families)
    monkeypatch.setattr(runtime, "catalog", lambda: catalog)
    page.run()
    pills = next(item for item in page.get("button_group") if item.key.endswith("examples"))
    assert [option.content for option in pills.proto.options] == ["the cat …", "one line"]
    pills.set_value("the cat …")
    page.run()
    assert widget(page, "text_area", MEANING).value == "the cat\na *dog*"


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "There is no text"), (" \n", "There is no text"), ("a\0b", "null byte"),
     ("a" * 1_000_001, "at most 1,000,000 bytes")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["marian", "electra", "near"])
def test_bad_input_is_a_sentence(jobs, name, text, words):
    page = opened(model=f"text/{name}")
    next(item for item in page.text_area if item.key in (TRANSLATE, FEELINGS, MEANING)).set_value(text)
    page.run()
    press(page, "run")
    assert any(words in one for one in messages(page))
    assert not jobs.jobs_of(OWNER)
