"""The Text page as a reader meets it, over a fake engine."""

import json
import time
from dataclasses import replace

import pytest

from tests.components.page_steps import links, marked, messages, newest_job, owner, press, settle, stories, widget

PAGE = "pages/text.py"
STORY = "story-gpt"


def test_every_setting_of_the_model_is_drawn_with_a_help_text(pages):
    page = pages.open(PAGE)
    sliders = {slider.key for slider in page.slider}
    assert {f"{STORY}.max_new_tokens", f"{STORY}.temperature", f"{STORY}.top_p", f"{STORY}.repetition_penalty",
            f"{STORY}.num_variants"} <= sliders  # fmt: skip
    switches = {toggle.key for toggle in page.toggle}
    assert {f"{STORY}.{name}.on" for name in ("top_k", "min_p", "typical_p", "no_repeat_ngram_size")} <= switches
    for item in (*page.slider, *page.number_input):
        assert item.proto.help, item.key
    assert widget(page, "slider", f"{STORY}.max_new_tokens").max == 500  # narrowed by the catalogue


def test_an_optional_setting_shows_its_slider_when_switched_on(pages):
    page = pages.open(PAGE)
    assert f"{STORY}.top_k" not in {slider.key for slider in page.slider}
    widget(page, "toggle", f"{STORY}.top_k.on").set_value(True)
    page.run()
    assert widget(page, "slider", f"{STORY}.top_k").min == 1


def test_greedy_hides_what_it_makes_useless(pages):
    page = pages.open(PAGE)
    widget(page, "toggle", f"{STORY}.do_sample").set_value(False)
    page.run()
    keys = {item.key for kind in ("slider", "toggle", "number_input") for item in getattr(page, kind)}
    for name in ("temperature", "top_p", "num_variants", "seed", "top_k.on", "min_p.on", "typical_p.on"):
        assert f"{STORY}.{name}" not in keys, name
    assert f"{STORY}.repetition_penalty" in keys


def test_run_shows_the_result_with_its_facts(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("A *bold* <b>dragon</b>")
    settle(pages, press(page, "run"))
    assert ("A *bold* <b>dragon</b>", " word0 word1 word2") in stories(page)
    request = pages.engine.ran[0]
    assert request.inputs == {"prompt": "A *bold* <b>dragon</b>"}
    assert request.params["temperature"] == 0.8
    assert any("ended by itself" in item.value for item in page.caption)


def test_a_setting_moved_before_run_is_in_the_request_and_gets_a_dot(pages):
    page = pages.open(PAGE)
    slider = widget(page, "slider", f"{STORY}.temperature")
    assert not marked(page, f"{STORY}.temperature")
    slider.set_value(1.5)
    page.run()
    assert marked(page, f"{STORY}.temperature")
    assert widget(page, "slider", f"{STORY}.temperature").label == "Temperature"  # its name holds no mark
    settle(pages, press(page, "run"))
    assert pages.engine.ran[0].params["temperature"] == 1.5
    press(page, f"text/{STORY}-reset")
    assert widget(page, "slider", f"{STORY}.temperature").value == 0.8
    assert not marked(page, f"{STORY}.temperature")


def test_again_takes_the_next_seed_and_run_keeps_it(pages):
    page = pages.open(PAGE)
    settle(pages, press(page, "run"))
    settle(pages, press(page, "run"))
    settle(pages, press(page, "again"))
    assert [request.seed for request in pages.engine.ran] == [0, 0, 1]
    assert widget(page, "number_input", f"{STORY}.seed").value == 1


def test_a_seed_that_is_not_kept_is_drawn_anew(pages):
    page = pages.open(PAGE)
    widget(page, "toggle", f"{STORY}.seed-kept").set_value(False)
    seeds = set()
    for _ in range(4):
        settle(pages, press(page, "run"))
        seeds.add(pages.engine.ran[-1].seed)
    assert len(seeds) > 1


def test_continue_goes_on_from_the_result_and_edit_only_fills_the_prompt(pages):
    page = pages.open(PAGE)
    settle(pages, press(page, "run"))
    first = pages.engine.ran[0].inputs["prompt"] + " word0 word1 word2"
    key = next(button.key for button in page.button if button.key.startswith("continue-"))
    settle(pages, press(page, key))
    assert pages.engine.ran[1].inputs["prompt"] == first
    key = next(button.key for button in page.button if button.key.startswith("edit-"))
    press(page, key)
    assert widget(page, "text_area", "text-prompt").value == first + " word0 word1 word2"
    assert len(pages.engine.ran) == 2


def test_earlier_results_stay_and_can_be_restored(pages):
    page = pages.open(PAGE)
    for prompt in ("one", "two"):
        widget(page, "text_area", "text-prompt").set_value(prompt)
        settle(pages, press(page, "run"))
    one = next(row for row in page.expander if (row.key or "").startswith("row-"))
    assert not any(button.key.startswith("restore-") for button in page.button)  # what is folded costs nothing
    page.session_state[one.key] = True
    page.run()
    assert ("one", " word0 word1 word2") in stories(page)
    key = next(button.key for button in page.button if button.key.startswith("restore-"))
    press(page, key)
    assert widget(page, "text_area", "text-prompt").value == "one"


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "The prompt is empty"),
        (" \n", "The prompt is empty"),
        ("a\0b", "null byte at position 2"),
        ("x" * 1_000_001, "at most 1,000,000 bytes"),
    ],
)
def test_a_bad_prompt_gets_a_sentence_and_nothing_is_lost(pages, prompt, words):
    page = pages.open(PAGE)
    settle(pages, press(page, "run"))
    before = stories(page)
    widget(page, "text_area", "text-prompt").set_value(prompt)
    press(page, "run")
    assert any(words in message for message in messages(page)), messages(page)
    assert stories(page) == before
    assert len(pages.engine.ran) == 1


def test_a_death_of_the_worker_is_told_with_what_there_was(pages):
    page = pages.open(PAGE)
    pages.engine.die()
    settle(pages, press(page, "run"))
    assert any("worker process was ended" in message for message in messages(page))
    assert any(fresh == " word0 word1 word2" for _, fresh in stories(page))
    pages.engine.fail_with = None
    settle(pages, press(page, "run"))
    assert newest_job(pages).state == "done"


def test_a_prompt_that_is_too_long_is_counted_before_it_waits(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("word " * 600)
    press(page, "run")
    assert any("The prompt has 600 tokens" in message for message in messages(page))
    assert pages.engine.ran == []
    widget(page, "toggle", f"{STORY}.cut_prompt").set_value(True)
    page.run()
    settle(pages, press(page, "run"))
    assert pages.engine.ran[0].params["cut_prompt"] is True


def test_a_full_queue_is_told_and_the_prompt_stays(pages):
    from models.types import Request

    page = pages.open(PAGE)
    pages.engine.gate.clear()
    for number in range(41):
        pages.jobs.submit(f"other{number}", [Request(model="text/story-gpt", inputs={"prompt": "x"})])
        if not number:
            while pages.jobs.waiting():  # the first one runs
                time.sleep(0.01)
    widget(page, "text_area", "text-prompt").set_value("mine")
    limit = time.monotonic() + 5
    while pages.jobs.waiting() < 40 and time.monotonic() < limit:
        time.sleep(0.01)
    press(page, "run")
    assert any("40 runs wait already; at most 40 may" in message for message in messages(page))
    assert widget(page, "text_area", "text-prompt").value == "mine"


def test_a_refused_model_can_be_tried_anyway(pages):
    from models.errors import ModelRefused

    page = pages.open(PAGE)
    pages.engine.fail_with = ModelRefused("It ended the worker process 2 times in a row.", reason="refused")
    settle(pages, press(page, "run"))
    press(page, next(button.key for button in page.button if button.key.startswith("allow-")))
    assert pages.engine.allowed["text/story-gpt"] == 1


def test_a_living_job_shows_its_stop_and_run_is_off(pages):
    page = pages.open(PAGE)
    pages.engine.gate.clear()
    press(page, "run")
    assert widget(page, "button", "run").disabled
    stop = next(button for button in page.button if button.key.startswith("stop-"))
    assert stop.label == "Stop"
    stop.click()
    page.run()
    settle(pages, page)
    assert not widget(page, "button", "run").disabled


def test_bad_parts_of_the_address_are_named(pages):
    page = pages.open(
        PAGE, **{f"{STORY}.temperature": "9", f"{STORY}.temprature": "1", f"{STORY}.top_k.on": "maybe", "spam": "1",
                 "model": "text/nobody"}
    )  # fmt: skip
    said = " ".join(messages(page))
    for words in ("temperature is 9; it must be 0 to 2", "did you mean temperature?", "'maybe'", "'spam'",
                  "There is no model 'text/nobody'"):  # fmt: skip
        assert words in said, (words, said)
    assert widget(page, "slider", f"{STORY}.temperature").value == 0.8


def test_a_good_address_sets_the_settings_quietly(pages):
    page = pages.open(PAGE, **{f"{STORY}.temperature": "1.2", f"{STORY}.seed": "7"})
    assert messages(page) == []
    assert widget(page, "slider", f"{STORY}.temperature").value == 1.2
    assert widget(page, "number_input", f"{STORY}.seed").value == 7


def test_a_link_restores_the_whole_request(pages):
    page = pages.open(PAGE)
    widget(page, "text_area", "text-prompt").set_value("Prompt with “quotes” & ümlauts")
    widget(page, "slider", f"{STORY}.temperature").set_value(1.1)
    widget(page, "toggle", f"{STORY}.min_p.on").set_value(True)
    page.run()
    widget(page, "slider", f"{STORY}.min_p").set_value(0.1)
    widget(page, "multiselect", f"{STORY}.stop").set_value(["The end"])
    settle(pages, press(page, "run"))
    link = links(page)[0]
    other = pages.open(PAGE, r=link.split("?r=")[1])
    settle(pages, press(other, "run"))
    assert pages.engine.ran[1] == pages.engine.ran[0]


def test_a_link_from_when_a_setting_was_an_input_still_sets_it(pages):
    from components.links import link_to
    from models.types import Request

    old = Request(
        model="text/story-gpt", inputs={"prompt": "Once", "negative_prompt": "The sad dog"},
        params={"guidance_scale": 2.0},
    )  # fmt: skip
    page = pages.open(PAGE, r=link_to("", old).split("?r=")[1])
    assert widget(page, "text_area", f"{STORY}.negative_prompt").value == "The sad dog"
    settle(pages, press(page, "run"))
    assert pages.engine.ran[0].inputs == {"prompt": "Once"}
    assert pages.engine.ran[0].params["negative_prompt"] == "The sad dog"


def test_a_damaged_link_and_one_out_of_range_are_told(pages):
    from components.links import link_to
    from models.types import Request

    page = pages.open(PAGE, r="!!!")
    assert any("This link is damaged" in message for message in messages(page))
    request = Request(model="text/story-gpt", inputs={"prompt": "x"}, params={"temperature": 99, "top_p": 0.5})
    page = pages.open(PAGE, r=link_to("", request).split("?r=")[1])
    assert any("temperature is 99; it must be 0 to 2" in message for message in messages(page))
    assert widget(page, "slider", f"{STORY}.top_p").value == 0.5
    request = Request(model="text/gone", inputs={"prompt": "x"})
    page = pages.open(PAGE, r=link_to("", request).split("?r=")[1])
    assert any("There is no model 'text/gone'" in message for message in messages(page))


def test_the_download_holds_the_settings(pages):
    from models.plain_text import read_text_artifact

    page = pages.open(PAGE)
    settle(pages, press(page, "run"))
    run = pages.store.runs(owner(pages), load=True)[0]
    stamp, text = read_text_artifact(run.outputs[0].data)
    assert stamp == {"seed": 0}
    assert text.endswith("word2")
    settings = next(json.loads(code.value) for code in page.code if code.value.startswith("{"))
    assert settings["request"]["seed"] == 0


def test_a_store_out_of_reach_is_told_and_results_stay(pages, monkeypatch):
    from models.errors import PlaygroundError

    page = pages.open(PAGE)
    settle(pages, press(page, "run"))

    def gone(*args, **kwargs):
        raise PlaygroundError("The run index is in use by another process. Try again in a moment.")

    for name in ("runs", "find", "kinds"):
        monkeypatch.setattr(pages.store, name, gone)
    monkeypatch.setattr(pages.store, "get_bytes", gone)
    page.run()
    assert not page.exception
    assert any("in use by another process" in message for message in messages(page))
    assert ("Once upon a time a small dragon", " word0 word1 word2") in stories(page)


def test_an_example_is_shown_before_the_first_run(pages):
    page = pages.open(PAGE)
    assert any("An example" in item.value for item in page.caption)
    assert len(stories(page)) == 1


def test_an_example_prompt_is_taken_by_its_pill(pages):
    page = pages.open(PAGE)
    pills = page.get("button_group")[0]
    pills.set_value("One day, Mia found a red key")
    page.run()
    assert widget(page, "text_area", "text-prompt").value == "One day, Mia found a red key"


def test_a_blank_at_the_prompt_s_end_is_warned_of_before_run(pages):
    page = pages.open(PAGE)
    warned = [caption.value for caption in page.caption if "ends with a blank" in caption.value]
    assert warned == []
    prompt = next(area for area in page.text_area if area.label == "Prompt")
    page = prompt.set_value("Once upon a time ").run()
    assert [caption.value for caption in page.caption if "ends with a blank" in caption.value]


def test_before_a_run_the_page_says_what_it_needs_of_memory_where_that_is_more_than_there_is(pages, monkeypatch):
    told = pages.engine.state()
    monkeypatch.setattr(pages.engine, "state", lambda: replace(told, budget_bytes=20_000_000))
    page = pages.open(PAGE)
    assert any(
        "first loads the model (17.1 MB of memory) · needs about " in item.value
        and "of memory; at most 20 MB is free for it" in item.value
        for item in page.caption
    )
    monkeypatch.setattr(pages.engine, "state", lambda: replace(told, budget_bytes=500_000_000))
    page.run()
    assert any(item.value.endswith("first loads the model (17.1 MB of memory)") for item in page.caption)
