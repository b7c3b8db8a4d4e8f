"""The layouts in which programs write conversations, each taken apart into lines of messages.

ChatGPT: a tree in `mapping`, by id. Open WebUI: `chat.history`, a tree too. text-generation-webui: pairs in `internal`.
OpenAI's chat completions: `messages`, or the bare list.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from models.errors import BadInput

FORMAT, VERSION = "playground-conversation", 1
SYSTEM, DEVELOPER = "system", "developer"
BRANCHES_MAX = 200  # of one conversation
TOLD_MAX = 100_000  # messages of a file, each counted in every branch that it stands in
_WRAPPED_MAX = 4  # objects around one conversation
_SILENT = "<|BEGIN-VISIBLE-CHAT|>"  # text-generation-webui's question before an opening


class Told(NamedTuple):
    """Hold a message of a file; `made_by` is None where it does not say, `cut` tells of parts that are no text."""

    role: str
    text: str
    made_by: Any = None
    cut: bool = False


Line = list[Told]


def lines_of(content: Any) -> list[list[Line]]:
    """Return the conversations of a file's JSON, of each its branches, first the one on show. Raises `BadInput`."""
    try:
        if isinstance(content, list) and not (content and all(_is_whole(one) for one in content)):
            return [[[_message(one) for one in content]]]
        found: list[list[Line]] = []
        told = 0
        for one in content if isinstance(content, list) else [content]:
            found.append(_lines(one, TOLD_MAX - told))
            told += sum(map(len, found[-1]))
        return found
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            'The file holds no conversation that can be read. Allowed: a list of {"role", "content"} messages, a '
            "conversation saved here as JSON, and exports of ChatGPT, Open WebUI and text-generation-webui."
        ) from error


def _is_whole(one: Any) -> bool:
    return isinstance(one, dict) and any(name in one for name in ("mapping", "chat", "messages", "history", "internal"))


def _lines(found: dict[str, Any], room: int) -> list[Line]:
    """Return the branches of one conversation. Raises `BadInput` where they have more than `room` messages."""
    for _ in range(_WRAPPED_MAX):
        if "chat" not in found or "mapping" in found:
            break
        found = found["chat"]  # Open WebUI
    if "mapping" in found:  # ChatGPT
        nodes = {name: (node.get("parent"), _of_chatgpt(node)) for name, node in found["mapping"].items()}
        return _branches(nodes, found.get("current_node"), room)
    history = found.get("history")
    if isinstance(history, dict) and history.get("messages"):
        told = history["messages"].items()
        return _branches(
            {name: (one.get("parentId"), _message(one)) for name, one in told}, history.get("currentId"), room
        )
    if "internal" in found:  # text-generation-webui
        line: Line = []
        _check(2 * len(found["internal"]), room)
        for asked, answered in found["internal"]:
            line += [Told("user", "" if asked == _SILENT else _text(asked)[0]), Told("assistant", _text(answered)[0])]
        return [line]
    version = found.get("version", VERSION)
    if found.get("format") == FORMAT and version != VERSION:
        raise BadInput(
            f"The file has version {str(version)[:20]} of the layout; this playground reads {VERSION}. Save it again "
            "with this version."
        )
    shown = [_message(one) for one in found["messages"]]
    start = next((at for at, one in enumerate(shown) if one.role not in (SYSTEM, DEVELOPER)), len(shown))
    lines = [shown]
    for branch in found.get("branches", ())[:BRANCHES_MAX]:
        after = branch["after"]
        if type(after) is not int or not 0 <= after <= len(shown) - start:
            raise ValueError("a branch of nothing")
        lines.append([*shown[: start + after], *(_message(one) for one in branch["messages"])])
        _check(sum(map(len, lines)), room)
    return lines


def _check(told: int, room: int) -> None:
    if told > room:
        raise BadInput(
            f"The branches of the file have more than {TOLD_MAX:,} messages in all. Export a single conversation."
        )


def _message(one: dict[str, Any]) -> Told:
    role = one["role"]
    if not isinstance(role, str):
        raise TypeError("a role is text")
    text, cut = _text(one.get("content"))
    return Told(role, text, one.get("made_by"), cut)


def _text(content: Any) -> tuple[str, bool]:
    """Return the text of a message's content, as it is or its parts of text, and whether other parts were left out."""
    if content is None or isinstance(content, str):
        return content or "", False
    if not isinstance(content, list):
        raise TypeError("content is text or a list of parts")
    texts = [one if isinstance(one, str) else one.get("text") for one in content]
    return "\n\n".join(text for text in texts if isinstance(text, str) and text), not all(
        isinstance(text, str) for text in texts
    )


def _of_chatgpt(node: dict[str, Any]) -> Told | None:
    message = node.get("message")
    if message is None:
        return None
    content, metadata = message["content"], message.get("metadata") or {}
    hidden = metadata.get("is_visually_hidden_from_conversation")
    if hidden or content.get("content_type") not in ("text", "multimodal_text"):
        return None  # thoughts, code and what tools gave back
    text, cut = _text(content["parts"])
    return Told(message["author"]["role"], text, cut=cut)


def _branches(nodes: dict[str, tuple[Any, Told | None]], current: Any, room: int) -> list[Line]:
    """Return the lines from the root to each leaf of a tree, first the one to `current`.

    Raises `ValueError`, and `BadInput` as `_lines` does.
    """
    parents = {parent for parent, _ in nodes.values()}
    ends = [name for name in nodes if name not in parents and name != current]
    lines, told = [], 0
    for end in [*([current] if current in nodes else []), *ends][:BRANCHES_MAX]:
        line: Line = []
        at, seen = end, set[str]()
        while at in nodes:
            if at in seen:
                raise ValueError("a circle of messages")
            seen.add(at)
            told += 1
            _check(told, room)
            parent, message = nodes[at]
            line += [message] if message is not None else []
            at = parent
        lines.append(line[::-1])
    if not lines:
        raise ValueError("a tree without an end")
    return lines
