"""Files of conversations and openings on the Text page, over a fake engine."""

import json

import pytest

from components.text import chat_files
from components.text.conversation import grow
from models.errors import BadInput
from tests.components.image.image_steps import upload
from tests.components.page_steps import links, messages, press, settle, widget
from tests.components.text.test_chat_page import PAGE, TALKER, _talkers, captions, keys, said, send  # noqa: F401

FILE = [
    {"role": "system", "content": "Be short."}, {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "A story"},
]  # fmt: skip


def bring(page, content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return upload(page, "Conversation", data, "talk.json")


def test_a_file_opens_as_a_conversation_that_can_be_gone_on_with(pages):
    page = bring(pages.open(PAGE, **TALKER), FILE)
    assert said(page) == ["Hello.", "Hi", "Yes?"]
    assert any("came with a link or a file" in line for line in captions(page))
    page = send(pages, page, "A story")  # what stands in the box
    assert pages.engine.ran[0].inputs == {"prompt": "A story", "messages": json.dumps(FILE[:-1])}
    assert said(page) == ["Hello.", "Hi", "Yes?", "A story", "0: word0 word1 word2"]


def test_a_file_of_ours_brings_branches_and_what_made_its_answers(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hello")
    settle(pages, press(page, keys(page, "again-")[0]))
    tree = grow(pages.jobs.store.runs(next(iter(pages.jobs._jobs.values())).owner, limit=9))
    data = chat_files.as_json(tree, ("Hello", "1: word0 word1 word2"), "").encode()
    data = data.replace(b"word0", b"WORD")  # else the answers of the session are these
    other = bring(pages.open(PAGE, **TALKER), data)
    assert said(other) == ["Hello", "1: WORD word1 word2"]
    assert any("Made by text/talker, seed 1" in line for line in captions(other))
    press(other, keys(other, "back-")[0])
    assert said(other) == ["Hello", "0: WORD word1 word2"]


def test_other_conversations_stay_beside_an_opened_one(pages):
    page = bring(send(pages, pages.open(PAGE, **TALKER), "Mine"), [{"messages": FILE}, {"messages": FILE[2:4]}])
    assert said(page) == ["Hello.", "Hi", "Yes?"]
    assert any("2 conversations were opened" in message for message in messages(page))
    press(page, next(button.key for button in page.button if button.label == "Mine"))
    assert said(page) == ["Mine", "0: word0 word1 word2"]


def test_a_bad_file_gets_a_sentence_and_what_was_shown_stays(pages):
    page = bring(send(pages, pages.open(PAGE, **TALKER), "Mine"), b"no json")
    assert any("not JSON" in message for message in messages(page))
    assert said(page) == ["Mine", "0: word0 word1 word2"]


def test_the_assistant_speaks_first_in_request_branches_and_link(pages):
    page = pages.open(PAGE, **TALKER)
    widget(page, "text_area", "chat-opening").set_value("Hello.")
    page.run()
    assert said(page) == ["Hello."]
    page = send(pages, page, "Hi")
    assert json.loads(pages.engine.ran[0].inputs["messages"]) == [FILE[1]]
    press(page, keys(page, "edit-")[0])
    widget(page, "text_area", "chat-edit").set_value("Ho")
    settle(pages, press(page, "chat-edit-run"))
    assert said(page) == ["Hello.", "Ho", "0: word0 word1 word2"]
    link = links(page)[0]
    other = pages.open(PAGE, r=link.split("?r=")[1])
    assert said(other) == ["Hello."]
    assert widget(other, "text_area", "chat-opening").value == "Hello."


def test_a_new_opening_waits_for_the_next_conversation(pages):
    page = send(pages, pages.open(PAGE, **TALKER), "Hi")
    widget(page, "text_area", "chat-opening").set_value("Hello.")
    page.run()
    assert said(page) == ["Hi", "0: word0 word1 word2"]
    assert any("next new conversation begins with this opening" in line for line in captions(page))
    assert said(press(page, "chat-new")) == ["Hello."]


def test_a_conversation_that_the_template_refuses_is_told_before_it_runs(pages, monkeypatch):
    def refuse(data):
        raise BadInput("The model's chat template refuses this conversation: no.")

    page = pages.open(PAGE, **TALKER)
    monkeypatch.setattr(pages.engine, "tool_count_tokens", refuse)
    page = send(pages, page, "Hi")
    assert any("template refuses" in message for message in messages(page))
    assert pages.engine.ran == []


@pytest.mark.parametrize("title", [":material/home: here", "**bold**"])
def test_the_title_of_a_conversation_is_text(pages, title):
    page = send(pages, pages.open(PAGE, **TALKER), title)
    label = next(button.label for button in page.button if (button.key or "").startswith("chat-open-"))
    read = label.replace("\\", "")
    assert read.replace("\u2060", "") == title
    assert ":material/" not in read
    assert not label.startswith("*")
