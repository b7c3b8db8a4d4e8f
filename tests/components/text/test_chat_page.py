"""Chat on the Text page as a reader meets it, over a fake engine: branches, edits, settings, links."""

import json
import random
import time
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from safetensors.numpy import save_file

from components import rooms
from components.links import link_to
from models.plain_text import text_artifact
from models.settings import PACKAGE_DIR
from models.types import Output, Request, Run
from tests.components.image.image_steps import upload
from tests.components.page_steps import links, messages, owner, press, settle, widget

PAGE = "pages/text.py"
ENTRY = """
id = "text/{name}"
name = "{name}"
family = "causal_lm"
summary = "Talks."
architecture = "none"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
order = {order}
collection = "talk"
examples = ["Tell me of a fox", "Sum it up"]
[weights]
path = "weights"
[facts]
context_length = 512
vocabulary_size = 300
{facts}
"""
TALKER = {"model": "text/talker"}
FACTS = {
    "talker": 'chat = true\nlearnt = "supervised"\n'
    "marks = {passed = 0.61, instructions = 300, bits_per_character = 0.7}",
    "base": "", "liked": 'chat = true\nlearnt = "preferred"\nmarks = {passed = 0.8, alike = 0.7, divergence = 0.25}',
}  # fmt: skip


@pytest.fixture(autouse=True)
def _talkers(tmp_path, monkeypatch):
    """Add two chat models and a plain one of their collection to the catalogue."""
    folder = tmp_path / "talkers"
    (folder / "weights").mkdir(parents=True)
    save_file({"weight": np.zeros(4, np.float32)}, folder / "weights" / "model.safetensors")
    for order, (name, facts) in enumerate(FACTS.items(), 500):
        (folder / f"{name}.toml").write_text(ENTRY.format(name=name, order=order, facts=facts))
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(PACKAGE_DIR / "catalog"), str(folder)]))


def send(pages, page, text):
    page.chat_input[0].set_value(text).run()
    return settle(pages, page)


def keys(page, start):
    return [button.key for button in page.button if button.key.startswith(start)]


def said(page):
    """Return the texts of the conversation in order."""
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return [one["text"] for one in found if "looks" in one]


def table(page):
    return next(one["rows"] for item in page.get("bidi_component") if "rows" in (one := json.loads(item.proto.json)))


def captions(page):
    return [item.value.replace("\\", "") for item in page.caption]


def test_a_model_with_a_template_talks_and_one_without_writes(pages):
    page = pages.open(PAGE)
    assert len(page.chat_input) == 0
    page = pages.open(PAGE, **TALKER)
    assert len(page.chat_input) == 1
    assert not keys(page, "run")
    page.get("button_group")[0].set_value("Write")
    page.run()
    assert len(page.chat_input) == 0
    assert keys(page, "run") == ["run"]


def test_two_turns_go_to_the_model_with_all_that_was_said(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello *you* <b>")
    page = send(pages, page, "And then?")
    first, second = pages.engine.ran
    assert first.inputs == {"prompt": "Hello *you* <b>", "messages": "[]"}
    assert json.loads(second.inputs["messages"]) == [
        {"role": "user", "content": "Hello *you* <b>"}, {"role": "assistant", "content": "0: word0 word1 word2"},
    ]  # fmt: skip
    assert said(page) == ["Hello *you* <b>", "0: word0 word1 word2", "And then?", "0: word0 word1 word2"]
    assert any("talker · seed 0 · 3 tokens" in line and "ended by itself" in line for line in captions(page))


def test_an_example_is_asked_with_one_press(pages):
    page = pages.open(PAGE, **TALKER)
    group = next(one for one in page.get("button_group") if "Sum it up" in str(one.proto))
    group.set_value("Sum it up")
    page.run()
    assert said(settle(pages, page))[0] == "Sum it up"


def test_again_makes_a_sibling_with_the_next_seed_and_arrows_walk(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    settle(pages, press(page, keys(page, "again-")[0]))
    settle(pages, press(page, keys(page, "again-")[0]))
    assert [request.seed for request in pages.engine.ran] == [0, 1, 2]
    assert said(page) == ["Hello", "2: word0 word1 word2"]
    assert "3 of 3" in captions(page)
    press(page, keys(page, "back-")[0])
    press(page, keys(page, "back-")[0])
    assert said(page) == ["Hello", "0: word0 word1 word2"]
    # a press of Again under the first answer never repeats a seed
    settle(pages, press(page, keys(page, "again-")[0]))
    assert pages.engine.ran[-1].seed == 3


def test_an_edited_question_is_a_branch_and_the_old_one_is_walked_back_to(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    page = send(pages, page, "And then?")
    press(page, keys(page, "edit-")[0])
    widget(page, "text_area", "chat-edit").set_value("Goodbye")
    settle(pages, press(page, "chat-edit-run"))
    assert said(page) == ["Goodbye", "0: word0 word1 word2"]
    assert pages.engine.ran[-1].inputs == {"prompt": "Goodbye", "messages": "[]"}
    press(page, keys(page, "back-")[0])
    assert said(page) == ["Hello", "0: word0 word1 word2", "And then?", "0: word0 word1 word2"]


def test_cancel_leaves_a_question_as_it_was(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    press(page, keys(page, "edit-")[0])
    widget(page, "text_area", "chat-edit").set_value("Goodbye")
    press(page, "chat-edit-cancel")
    assert said(page)[0] == "Hello"
    assert len(pages.engine.ran) == 1


def test_settings_of_a_turn_act_are_told_and_can_be_taken_over(pages):
    page = pages.open(PAGE, **TALKER)
    widget(page, "slider", "talker.temperature").set_value(1.5)
    page.run()
    page = send(pages, page, "Hello")
    assert pages.engine.ran[0].params["temperature"] == 1.5
    assert any("Temperature 1.5" in line for line in captions(page))
    widget(page, "slider", "talker.temperature").set_value(0.5)
    page.run()
    press(page, keys(page, "use-")[0])
    assert widget(page, "slider", "talker.temperature").value == 1.5
    assert said(page) == ["Hello", "0: word0 word1 word2"]  # the conversation stays


def test_an_answer_is_run_again_with_settings_as_they_are_unless_they_have_answered(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    press(page, keys(page, "now-")[0])
    assert len(pages.engine.ran) == 1
    assert any("Same settings and seed give this same answer" in message for message in messages(page))
    widget(page, "number_input", "talker.seed").set_value(9)
    page.run()
    settle(pages, press(page, keys(page, "now-")[0]))
    assert said(page) == ["Hello", "9: word0 word1 word2"]


def test_the_system_prompt_is_sent_first_and_its_change_is_told(pages):
    page = pages.open(PAGE, **TALKER)
    widget(page, "text_area", "chat-system").set_value("Keep every story short.")
    page = send(pages, page, "Hello")
    assert json.loads(pages.engine.ran[0].inputs["messages"]) == [
        {"role": "system", "content": "Keep every story short."}
    ]
    assert not any("a different system prompt" in line for line in captions(page))
    widget(page, "text_area", "chat-system").set_value("Tell long stories.")
    page.run()
    assert any("a different system prompt" in line for line in captions(page))
    settle(pages, press(page, keys(page, "now-")[0]))
    assert "Tell long stories." in pages.engine.ran[1].inputs["messages"]


def test_a_new_conversation_begins_empty_and_the_old_one_is_kept(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    press(page, "chat-new")
    assert said(page) == []
    page = send(pages, page, "Second")
    assert pages.engine.ran[-1].inputs["messages"] == "[]"
    press(page, next(button.key for button in page.button if button.label == "Hello"))
    assert said(page) == ["Hello", "0: word0 word1 word2"]


def test_an_answer_of_one_model_is_gone_on_from_by_another(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    widget(page, "selectbox", "text-model").set_value("text/liked")
    page.run()
    page = send(pages, page, "And then?")
    assert [request.model for request in pages.engine.ran] == ["text/talker", "text/liked"]
    assert len(said(page)) == 4
    assert any(line.startswith("liked · seed") for line in captions(page))


def test_a_stopped_answer_is_kept_and_marked(pages):
    page = pages.open(PAGE, **TALKER)
    pages.engine.step_s, pages.engine.steps = 0.02, 500
    page.chat_input[0].set_value("Hello").run()
    assert page.chat_input[0].disabled
    press(page, keys(page, "stop-")[0])
    settle(pages, page)
    assert said(page)[0] == "Hello"
    assert any("stopped by you" in line for line in captions(page))


def test_a_turn_stopped_while_it_waits_comes_back_into_the_box(pages):
    from models.types import Request

    page = pages.open(PAGE, **TALKER)
    pages.engine.gate.clear()
    pages.jobs.submit("other", [Request(model="text/story-gpt", inputs={"prompt": "x"})])
    page.chat_input[0].set_value("Hello").run()
    press(page, keys(page, "stop-")[0])
    for _ in range(150):  # the queue hears of it in its own time
        if page.run() and any("Your message is back in the box" in message for message in messages(page)):
            break
        time.sleep(0.1)
    assert any("Your message is back in the box" in message for message in messages(page))
    assert said(page) == []


def test_a_failed_answer_is_told_and_can_be_run_again(pages):
    page = pages.open(PAGE, **TALKER)
    pages.engine.steps = 0
    pages.engine.die()
    page = send(pages, page, "Hello")
    assert any("worker process was ended" in message for message in messages(page))
    page = send(pages, page, "And then?")
    assert any("The answer before this turn is empty" in message for message in messages(page))
    pages.engine.fail_with, pages.engine.steps = None, 3
    settle(pages, press(page, keys(page, "now-")[0]))
    assert said(page) == ["Hello", "0: word0 word1 word2"]


@pytest.mark.parametrize(
    ("text", "words"), [(" ", "The prompt is empty"), ("a\0b", "null byte"), ("word " * 600, "has 600 tokens")]
)
def test_a_bad_turn_gets_a_sentence_and_nothing_runs(pages, text, words):
    page = send(pages, pages.open(PAGE, **TALKER), text)
    assert any(words in message for message in messages(page)), messages(page)
    assert pages.engine.ran == []


def test_the_meter_counts_the_whole_conversation_and_warns_when_it_is_nearly_full(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    meter = next(item.proto.text for item in page.get("progress") if "tokens" in item.proto.text)
    assert meter == "5 of 512 tokens"
    page = send(pages, page, "word " * 450)
    assert any("The context is nearly full" in line for line in captions(page))


def test_a_link_opens_the_conversation_before_its_last_answer(pages):
    page = pages.open(PAGE, **TALKER)
    widget(page, "text_area", "chat-system").set_value("Be brief.")
    page = send(pages, page, "Hello")
    page = send(pages, page, "And then?")
    link = links(page)[0]
    other = pages.open(PAGE, r=link.split("?r=")[1])
    assert said(other) == ["Hello", "0: word0 word1 word2"]
    assert any("Press Enter" in message for message in messages(other))
    other.chat_input[0].set_value("And then?").run()
    settle(pages, other)
    assert pages.engine.ran[2] == pages.engine.ran[1]


def test_what_starts_a_request_of_a_link_or_a_file_is_what_its_input_says(pages, monkeypatch):
    inputs = rooms.room("text").inputs
    monkeypatch.setitem(inputs, "messages", replace(inputs["messages"], press="Clap to begin."))
    asked = Request(model="text/talker", inputs={"prompt": "Hello", "messages": "[]"})
    page = pages.open(PAGE, r=link_to("", asked).split("?r=")[1])
    assert any(message.endswith("Clap to begin.") for message in messages(page)), messages(page)
    page = pages.open(PAGE, **TALKER)
    upload(page, "Text with settings", text_artifact("Hi.", {"request": asked.model_dump()}), "hi.txt")
    assert any(message.endswith("Clap to begin.") for message in messages(page)), messages(page)


def test_a_link_of_plain_writing_opens_in_write(pages):
    plain = link_to("", Request(model="text/talker", inputs={"prompt": "Once"}))
    page = pages.open(PAGE, r=plain.split("?r=")[1])
    assert widget(page, "text_area", "text-prompt").value == "Once"


def test_a_conversation_too_long_for_a_link_says_so(pages):
    chance = random.Random(7)  # what cannot be compressed
    page = send(pages, pages.open(PAGE, **TALKER), " ".join(f"{chance.randrange(16**16):x}" for _ in range(300)))
    assert links(page) == [""]


def test_going_away_and_coming_back_keeps_the_conversation_and_a_turn_that_ended_meanwhile(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    pages.engine.gate.clear()
    page.chat_input[0].set_value("And then?").run()
    page.switch_page("start.py").run()
    pages.engine.gate.set()
    settle(pages, page)
    page.switch_page("text.py").run()
    assert len(said(page)) == 4


def test_the_table_tells_how_each_model_of_the_collection_learnt(pages):
    rows = table(pages.open(PAGE, **TALKER))
    assert [row[0] for row in rows] == ["base", "talker", "liked"]
    assert rows[0][3:] == ["–", "–", "–", "–", ""]
    assert rows[1][3:] == ["61% of 300", "–", "0.700", "–", ""]
    assert rows[2][3:7] == ["80%", "70%", "–", "0.361 bits per token"]
    assert "Supervised" in rows[1][1] and "Preference" in rows[2][1]


def test_one_instruction_goes_to_all_of_them_each_in_its_own_way(pages):
    page = pages.open(PAGE, **TALKER)
    widget(page, "text_input", "lesson-instruction").set_value("Tell me of an owl")
    settle(pages, press(page, "lesson-ask"))
    ran = {request.model: request for request in pages.engine.ran}
    assert {name.split("/")[1] for name in ran} == {"base", "talker", "liked"}
    assert ran["text/base"].inputs == {"prompt": "Tell me of an owl"}
    assert ran["text/liked"].inputs == {"prompt": "Tell me of an owl", "messages": "[]"}
    assert len({request.seed for request in ran.values()}) == 1
    assert [row[-1] for row in table(page)] == ["… word0 word1 word2", "0: word0 word1 word2", "0: word0 word1 word2"]
    assert said(page) == []  # the conversation on show stays
    page.get("button_group")[0].set_value("Write")
    page.run()
    assert not page.exception
    page = send(pages, _back_to_chat(page), "Hello")  # takes the job's place: the table keeps its answers
    assert [row[-1] for row in table(page)][1] == "0: word0 word1 word2"
    assert owner(pages) is not None


def test_lists_are_drawn_in_chat_and_for_all_models(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Tell me of a {fox|fox}")
    assert pages.engine.ran[-1].inputs["prompt"] == "Tell me of a fox"
    assert said(page)[0] == "Tell me of a fox"
    widget(page, "text_input", "lesson-instruction").set_value("Tell me of an {owl|owl}")
    settle(pages, press(page, "lesson-ask"))
    assert {request.inputs["prompt"] for request in pages.engine.ran[1:]} == {"Tell me of an owl"}


def test_values_are_compared_where_a_prompt_is_written_and_not_in_chat(pages):
    page = pages.open(PAGE, **TALKER)
    assert not page.get("menu_button")
    page.get("button_group")[0].set_value("Write")
    assert page.run().get("menu_button")


def test_a_shared_question_is_not_answered_by_the_example(pages, monkeypatch):
    request = Request(model="text/talker", inputs={"prompt": "Tell me of a fox", "messages": "[]"})
    ran = Run("1", "", "", request, "done", 0.0, [Output("text", 0, text="A stock answer.")])
    monkeypatch.setattr("components.text.chat.example_run", lambda spec: ran)
    assert any("An example" in line for line in captions(pages.open(PAGE, **TALKER)))
    page = pages.open(PAGE, **dict(parse_qsl(urlsplit(link_to("", request)).query)))
    assert not any("An example" in line for line in captions(page))


def _back_to_chat(page):
    page.get("button_group")[0].set_value("Chat")
    return page.run()
