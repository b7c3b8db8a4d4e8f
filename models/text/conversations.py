"""Conversations as files: read from several programs' layouts, written as JSON in OpenAI's layout and as Markdown.

A file of ours is `{"format", "version", "messages": [{"role", "content", "made_by"}], "branches": [{"after",
"messages"}]}`: `messages` is the line of turns on show, as OpenAI's chat completions take it
(https://platform.openai.com/docs/api-reference/chat), `made_by` the rest of an answer's request. A branch goes on from
the first `after` turns of `messages`, the system message not counted. No torch, nothing drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from models import outside, plain_text
from models.amounts import size
from models.errors import BadInput
from models.text.layouts import DEVELOPER, FORMAT, SYSTEM, VERSION, Line, lines_of
from models.text.prompts import MESSAGES_MAX, Message, read_messages
from models.types import Request

FILE_MAX_BYTES = 4_000_000
CONVERSATIONS_MAX = 50  # of one file
MADE_MAX_CHARS = 20_000_000  # of the requests that made a file's answers: each holds all turns before it
_REFERENCE = "sha256:"


@dataclass(frozen=True)
class Talk:
    """Hold one line of turns: `messages` as a request's input has them, and the `question` after them, "" for none.

    `made` is the request of an answer by its place in `messages`.
    """

    messages: tuple[Message, ...]
    question: str = ""
    made: Mapping[int, Request] = field(default_factory=dict)

    @property
    def system(self) -> str:
        """Return the system prompt, "" for none."""
        return self.messages[0]["content"] if self.messages and self.messages[0]["role"] == SYSTEM else ""

    @property
    def turns(self) -> tuple[Message, ...]:
        """Return the messages without the system prompt."""
        return self.messages[bool(self.messages and self.messages[0]["role"] == SYSTEM) :]


@dataclass(frozen=True)
class Conversation:
    """Hold a conversation of a file: its branches, first the one on show, and `notes` on what was left out."""

    talks: tuple[Talk, ...]
    notes: tuple[str, ...] = ()


def talk_of(request: Request, answer: str = "") -> Talk:
    """Return the turns of a chat's request, `answer` behind them unless it is empty.

    Raises `BadInput` for a request that is not a turn of a chat, and for damaged messages.
    """
    before = read_messages(request.inputs.get("messages", ""))
    if before is None:
        raise BadInput(
            "Only a chat is a conversation: give its earlier turns as the input “messages” ([] for the first turn)."
        )
    if not answer:
        return Talk(tuple(before), request.inputs.get("prompt", ""))
    asked = {"role": "user", "content": request.inputs.get("prompt", "")}
    whole = (*before, asked, {"role": "assistant", "content": answer})
    return Talk(whole, made={len(whole) - 1: request})


def read_conversations(data: bytes) -> list[Conversation]:
    """Return the conversations of a file, at most `CONVERSATIONS_MAX`, each with at least one turn.

    Layouts: those of `to_json`, a list of `{"role", "content"}`, and the exports of ChatGPT (conversations.json), Open
    WebUI and text-generation-webui. What is no text (pictures, calls of tools) is left out and noted; messages of one
    role in a row become one. Raises `BadInput` above `FILE_MAX_BYTES` and for anything that cannot be read.
    """
    if len(data) > FILE_MAX_BYTES:
        raise BadInput(
            f"The file is {size(len(data))}; at most {size(FILE_MAX_BYTES)} are allowed. Export a single "
            "conversation.", bytes=len(data), limit=FILE_MAX_BYTES,
        )  # fmt: skip
    try:
        content = outside.read_json(data)
    except outside.Unreadable as error:
        raise BadInput(
            "The file is not JSON in UTF-8. Upload a conversation saved here as JSON, or a list of "
            '{"role", "content"} messages.'
        ) from error
    found = []
    whole = lines_of(content)
    makers = _Makers()
    for lines in whole[:CONVERSATIONS_MAX]:
        notes: dict[str, None] = {}
        talks = [talk for line in lines if (talk := _talk(line, notes, makers))]
        if talks:
            found.append(Conversation(tuple(talks), tuple(notes)))
    if not found:
        raise BadInput("The file has no conversation: it holds no message of a user or an assistant with text in it.")
    if len(whole) > CONVERSATIONS_MAX:
        told = f"The file holds {len(whole):,} conversations; the first {CONVERSATIONS_MAX} were opened."
        found[0] = Conversation(found[0].talks, (*found[0].notes, told))
    return found


def to_json(shown: Talk, others: Sequence[Talk] = ()) -> str:
    """Return a conversation as JSON that `read_conversations` reads: the turns on show, its other branches beside."""
    head = shown.messages[: len(shown.messages) - len(shown.turns)]
    whole = _written(shown, shown.system)
    branches = []
    for talk in others:
        turns = _written(talk, shown.system)
        after = 0
        while after < min(len(turns), len(whole)) and turns[after] == whole[after]:
            after += 1
        if after < len(turns):  # else it is a beginning of the turns on show
            branches.append({"after": after, "messages": turns[after:]})
    content = {"format": FORMAT, "version": VERSION, "messages": [*head, *whole]}
    return json.dumps({**content, **({"branches": branches} if branches else {})}, ensure_ascii=False, indent=2)


def to_markdown(talk: Talk, made_by: Callable[[Request], str] | None = None) -> str:
    """Return a conversation as Markdown to read: a heading for each turn, its text verbatim, what made it below.

    `made_by` says what made an answer, in plain words without line breaks; unless given, its model and seed.
    """
    parts = ["# Conversation"]
    if talk.system.strip():
        parts += ["## System prompt", talk.system]
    first = len(talk.messages) - len(talk.turns)
    for at, one in enumerate(talk.messages[first:], first):
        opens = at == first and one["role"] == "assistant"
        parts += [f"## {'You' if one['role'] == 'user' else 'Opening' if opens else 'Model'}", one["content"]]
        if at in talk.made:
            parts.append(f"*{(made_by or _made_by)(talk.made[at])}*")
    if talk.question:
        parts += ["## You", talk.question]
    return "\n\n".join(parts) + "\n"


def read_input(text: str) -> tuple[dict[str, str], str]:
    """Return the inputs that a file gives to a request, and a sentence on what was left out ("" for nothing).

    A list that the input `messages` takes stays as it is. Of any other file of `read_conversations` the first
    conversation counts; a question without an answer at its end is the prompt. Raises `BadInput`.
    """
    if not text.strip():
        raise BadInput(
            "The file of the conversation is empty. Give a list of messages; [] is a conversation that begins."
        )
    try:
        read_messages(text)
        return {"messages": text}, ""
    except BadInput:
        found = read_conversations(text.encode("utf-8", "surrogatepass"))
    talk, notes = found[0].talks[0], list(found[0].notes)
    if len(found) > 1:
        notes.append(f"The first of {len(found)} conversations was taken.")
    if len(found[0].talks) > 1:
        notes.append(f"The first of {len(found[0].talks)} branches was taken.")
    given = {"messages": json.dumps(talk.messages, ensure_ascii=False)}
    return {**given, **({"prompt": talk.question} if talk.question else {})}, " ".join(notes)


def _made_by(request: Request) -> str:
    return f"{request.model} · seed {request.seed}"


def _written(talk: Talk, system: str) -> list[dict[str, Any]]:
    """Return the turns of a talk as the file has them; `system` is the file's own system prompt."""
    first = len(talk.messages) - len(talk.turns)
    rows: list[dict[str, Any]] = []
    for at, one in enumerate(talk.messages[first:], first):
        row: dict[str, Any] = dict(one)
        if at in talk.made:
            request = talk.made[at]
            made = {"model": request.model, "params": request.params, "seed": request.seed}
            was = talk_of(request).system
            beside = {
                name: text for name, text in request.inputs.items()
                if name not in ("prompt", "messages") and not text.startswith(_REFERENCE)
            }  # fmt: skip
            row["made_by"] = {**made, **({"system": was} if was != system else {}),
                              **({"inputs": beside} if beside else {})}  # fmt: skip
        rows.append(row)
    return [*rows, {"role": "user", "content": talk.question}] if talk.question else rows


def _talk(line: Line, notes: dict[str, None], makers: _Makers) -> Talk | None:
    """Return the turns of one line as a request takes them, None where there are none; say in `notes` what went."""
    system: list[str] = []
    turns: list[Message] = []
    joined: list[str] = []  # the texts of the last turn
    made_by: dict[int, Any] = {}
    for role, text, made, cut in line:
        if cut:
            notes["Parts that are not text, such as pictures, were left out."] = None
        if role in (SYSTEM, DEVELOPER) and not turns:
            system += [text] if text.strip() else []
        elif role not in ("user", "assistant"):
            if text.strip():
                what = "system messages in the middle" if role in (SYSTEM, DEVELOPER) else "messages of tools"
                notes[f"Some {what} were left out."] = None
        elif text.strip():
            plain_text.check_text(text, "question" if role == "user" else "answer")
            if turns and turns[-1]["role"] == role:
                joined.append(text)
                made_by.pop(len(turns) - 1, None)
                notes["Messages of one role in a row were joined."] = None
            else:
                if turns:
                    turns[-1]["content"] = "\n\n".join(joined)
                turns.append({"role": role, "content": text})
                joined = [text]
                made_by[len(turns) - 1] = made
    if not turns:
        return None
    turns[-1]["content"] = "\n\n".join(joined)
    said = plain_text.check_text("\n\n".join(system), "system prompt")
    head: tuple[Message, ...] = ({"role": SYSTEM, "content": said},) if said else ()
    question = turns.pop()["content"] if turns[-1]["role"] == "user" else ""
    if len(head) + len(turns) > MESSAGES_MAX:
        raise BadInput(
            f"The conversation has {len(head) + len(turns)} messages; at most {MESSAGES_MAX} are allowed. Remove its "
            "oldest messages from the file."
        )
    made_of = {}
    for at, given in made_by.items():
        if isinstance(given, dict) and at < len(turns) and at and turns[at]["role"] == "assistant":
            request = makers.request(given, turns[:at], said)
            if request is not None:
                made_of[len(head) + at] = request
    if makers.full:
        notes["The file is long: which settings made some of its answers was left out."] = None
    return Talk((*head, *turns), question, made_of)


class _Makers:
    """Make the requests of a file's answers, as long as they do not grow over `MADE_MAX_CHARS`; then `full`."""

    def __init__(self) -> None:
        self.full = False
        self._left = MADE_MAX_CHARS

    def request(self, given: dict[str, Any], before: list[Message], system: str) -> Request | None:
        """Return the request that made an answer; None where the file does not tell it whole, and when full."""
        self._left -= len(system) + sum(len(one["content"]) for one in before)
        self.full = self.full or self._left < 0
        return None if self.full else _request(given, before, system)


def _request(given: dict[str, Any], before: list[Message], system: str) -> Request | None:
    """Return the request that made an answer; None where the file does not tell it whole."""
    was = given.get("system", system)
    beside = given.get("inputs", {})
    if not isinstance(was, str) or not isinstance(beside, dict):
        return None
    head = [{"role": SYSTEM, "content": was}] if was else []
    own = {"prompt": before[-1]["content"], "messages": json.dumps([*head, *before[:-1]], ensure_ascii=False)}
    try:
        return Request(
            model=given["model"], inputs={**beside, **own}, params=given.get("params", {}), seed=given.get("seed", 0)
        )
    except (ValidationError, KeyError, TypeError):
        return None
