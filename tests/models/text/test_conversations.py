"""Conversations as files: what other programs write, what is written here, and what is refused."""

import json

import pytest

from models.errors import BadInput
from models.text import conversations
from models.text.conversations import (
    CONVERSATIONS_MAX,
    FILE_MAX_BYTES,
    Talk,
    read_conversations,
    read_input,
    talk_of,
    to_json,
    to_markdown,
)
from models.types import Request

HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be short."}
NODES = {
    "r": {"parent": None, "message": None},
    "s": {"parent": "r", "message": {"author": {"role": "system"}, "content": {"content_type": "text", "parts": [""]}}},
    "q": {"parent": "s", "message": {"author": {"role": "user"}, "content": {
        "content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer"}, "Hi"]}}},
    "t": {"parent": "q", "message": {"author": {"role": "assistant"}, "content": {
        "content_type": "thoughts", "thoughts": []}}},
    "a": {"parent": "t", "message": {"author": {"role": "assistant"}, "content": {
        "content_type": "text", "parts": ["Hello"]}, "metadata": None}},
    "b": {"parent": "q", "message": {"author": {"role": "assistant"}, "content": {
        "content_type": "text", "parts": ["Good day"]}}},
}  # fmt: skip
HISTORY = {
    "1": {"id": "1", "parentId": None, "childrenIds": ["2", "3"], **HI},
    "2": {"id": "2", "parentId": "1", "childrenIds": [], **HELLO},
    "3": {"id": "3", "parentId": "1", "childrenIds": [], "role": "assistant", "content": "Good day"},
}


def opened(content):
    return read_conversations(json.dumps(content).encode())


def said(talk):
    return [one["content"] for one in (*talk.messages, {"content": talk.question})]


@pytest.mark.parametrize("content", [
    [HI, HELLO], {"messages": [HI, HELLO]}, {"model": "x", "messages": [HI, HELLO], "temperature": 1},
    [HI, {**HELLO, "content": [{"type": "text", "text": "Hello"}]}], {"internal": [["Hi", "Hello"]], "visible": []},
    [{"chat": {"history": {"messages": HISTORY, "currentId": "2"}}}], {"chat": {"messages": [HI, HELLO]}},
    [{"title": "x", "mapping": NODES, "current_node": "a"}], {"mapping": NODES, "current_node": "a"},
    {"messages": [HI, {**HELLO, "made_by": {"model": "text/x", "params": {}, "seed": 1}}]},
])  # fmt: skip
def test_each_layout_opens_as_the_same_turns(content):
    assert opened(content)[0].talks[0].messages == (HI, HELLO)


@pytest.mark.parametrize("content", [
    {"mapping": NODES, "current_node": "a"}, {"history": {"messages": HISTORY, "currentId": "2"}}
])  # fmt: skip
def test_branches_of_a_tree_are_opened_too(content):
    assert [said(talk)[1] for talk in opened(content)[0].talks] == ["Hello", "Good day"]


def test_openings_questions_without_an_answer_and_system_prompts_are_kept():
    assert opened([SYSTEM, HELLO, HI])[0].talks[0] == Talk((SYSTEM, HELLO), "Hi")
    webui = {"internal": [["<|BEGIN-VISIBLE-CHAT|>", "Hello"], ["Hi", ""]]}
    assert opened(webui)[0].talks[0] == Talk((HELLO,), "Hi")
    assert opened([{**SYSTEM, "role": "developer"}, HI])[0].talks[0] == Talk((SYSTEM,), "Hi")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_file_is_no_conversation(text):
    with pytest.raises(BadInput, match="is empty"):
        conversations.read_input(text)


def test_what_is_no_text_is_left_out_and_told():
    (found,) = opened([HI, {"role": "tool", "content": "42"}, HELLO, HELLO, SYSTEM,
                       {"role": "user", "content": ["And?", {"type": "image_url", "image_url": {}}]}])  # fmt: skip
    assert found.talks[0] == Talk((HI, {**HELLO, "content": "Hello\n\nHello"}), "And?")
    assert [note.split(" were")[0] for note in found.notes] == [
        "Some messages of tools", "Messages of one role in a row", "Some system messages in the middle",
        "Parts that are not text, such as pictures,",
    ]  # fmt: skip


def test_a_conversation_comes_back_as_it_was_written():
    first = Request(model="text/x", inputs={"prompt": "Hi", "messages": "[]"}, params={"top_k": 3}, seed=7)
    inputs = {"prompt": "Hi", "messages": json.dumps([SYSTEM]), "forced": "[1]"}
    other = Request(model="text/y", inputs=inputs, seed=8)
    shown = Talk((SYSTEM, HI, HELLO), "And?", {2: first})
    branch = Talk((SYSTEM, HI, {**HELLO, "content": "Good day"}), "", {2: other})
    (found,) = read_conversations(to_json(shown, [branch, Talk((SYSTEM, HI, HELLO), "", {2: first})]).encode())
    assert found.talks == (shown, branch)
    assert found.notes == ()


def test_a_conversation_is_written_to_be_read():
    request = Request(model="text/x", inputs={"prompt": "Hi", "messages": json.dumps([HELLO])}, seed=7)
    assert to_markdown(talk_of(request, "*Yes*")) == (
        "# Conversation\n\n## Opening\n\nHello\n\n## You\n\nHi\n\n## Model\n\n*Yes*\n\n*text/x · seed 7*\n"
    )
    assert "## System prompt\n\nBe short." in to_markdown(Talk((SYSTEM,), "Hi"))


@pytest.mark.parametrize(("data", "words"), [
    (b"", "not JSON"), (b"\xff", "not JSON"), (b"[" * 90_000, "not JSON"), (b"[]", "has no conversation"),
    (b"{}", "no conversation that can be read"), (b"3", "no conversation that can be read"),
    (b'[{"role": "user"}]', "has no conversation"), (b'[{"role": "user", "content": 3}]', "that can be read"),
    (b'[{"role": [], "content": "x"}]', "that can be read"), (b'{"internal": [["x"]]}', "that can be read"),
    (b'{"mapping": {"a": {"parent": "a"}}, "current_node": "a"}', "that can be read"),
    (b'{"messages": [], "branches": [{"after": 4, "messages": []}]}', "that can be read"),
    (b'{"format": "playground-conversation", "version": 9, "messages": []}', "version 9"),
    (b'[{"role": "user", "content": "a\\u0000"}]', "null byte"),
    (json.dumps([HI, HELLO] * 101).encode(), "at most 200"), (b" " * (FILE_MAX_BYTES + 1), "at most 4 MB"),
])  # fmt: skip
def test_a_bad_file_gets_a_sentence(data, words):
    with pytest.raises(BadInput, match=words) as caught:
        read_conversations(data)
    assert caught.value.message.endswith(".")


def test_a_history_of_many_conversations_is_opened_in_part_and_told():
    found = opened([{"messages": [HI, HELLO]}] * (CONVERSATIONS_MAX + 1))
    assert len(found) == CONVERSATIONS_MAX
    assert found[0].notes == ("The file holds 51 conversations; the first 50 were opened.",)


def test_a_request_takes_a_file_as_its_earlier_turns():
    plain = json.dumps([HI, HELLO], indent=1)
    assert read_input(plain) == ({"messages": plain}, "")  # byte for byte
    given, note = read_input(json.dumps([{"messages": [HI, HELLO, HI]}, {"messages": [HI]}]))
    assert json.loads(given.pop("messages")) == [HI, HELLO]
    assert given == {"prompt": "Hi"}
    assert note == "The first of 2 conversations was taken."
    with pytest.raises(BadInput, match="can be read"):
        read_input("{}")
    with pytest.raises(BadInput, match="Only a chat"):
        talk_of(Request(model="text/x", inputs={"prompt": "Hi"}))


def talk_of_many(turns, ends):
    """Return a conversation in Open WebUI's layout: one long line of turns with many ends."""
    nodes = {str(at): {"parentId": str(at - 1), "role": ("user", "assistant")[at % 2], "content": "x"}
             for at in range(turns)}  # fmt: skip
    nodes |= {f"end{at}": {"parentId": str(turns - 1), "role": "user", "content": f"{at}"} for at in range(ends)}
    return json.dumps({"chat": {"history": {"messages": nodes, "currentId": "0"}}}).encode()


def test_branches_that_share_a_long_line_are_counted_in_each():
    assert len(read_conversations(talk_of_many(150, 190))[0].talks) == 191
    with pytest.raises(BadInput, match="more than 100,000 messages in all"):
        read_conversations(talk_of_many(2000, 190))


def test_the_makers_of_a_file_s_answers_have_an_end(monkeypatch):
    monkeypatch.setattr(conversations, "MADE_MAX_CHARS", 3000)
    turns = [{"role": ("user", "assistant")[at % 2], "content": "x" * 100, "made_by": {"model": "text/m", "seed": 4}}
             for at in range(40)]  # fmt: skip
    (found,) = read_conversations(json.dumps({"messages": turns}).encode())
    assert len(found.talks[0].turns) == 40
    assert 0 < len(found.talks[0].made) < 20
    assert any("was left out" in note for note in found.notes)


def test_messages_of_one_role_are_joined_in_their_order():
    (found,) = read_conversations(json.dumps([{"role": "user", "content": f"{at}"} for at in range(500)]).encode())
    assert found.talks[0].question == "\n\n".join(str(at) for at in range(500))
