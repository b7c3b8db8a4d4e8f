"""What a language model reads: a prompt alone or at the end of a conversation, and what its answer has to begin with.

No torch. Ids are those of the model's own tokenizer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from models import outside, plain_text
from models.errors import BadInput, PromptTooLong

if TYPE_CHECKING:
    from models.text.settings import CausalLMParams

ROLES = ("system", "user", "assistant")
MESSAGES_MAX = 200
_BLANK = "\ue000"  # of the private use area: stands for one character of a special token's name in a message

_NO_OPENING = "Leave out the opening (clear “Opening”, start a new conversation), or choose another model."

Message = dict[str, str]


def read_messages(text: str) -> list[Message] | None:
    """Return the turns before the prompt, `[{"role", "content"}]`; None for a prompt without a conversation.

    `text` is the input `messages`: a JSON array, at most `MESSAGES_MAX` long, a system message only as the first, then
    user and assistant in turn, the last one the assistant's. The assistant may speak first: an opening. `[]` begins a
    conversation. Raises `BadInput`.
    """
    if not text:
        return None
    try:
        found = outside.read_json(text, most=plain_text.TEXT_MAX_BYTES)
    except outside.Unreadable:
        found = None
    if not isinstance(found, list) or not all(_is_message(one) for one in found):
        raise BadInput(
            '“messages” must be a JSON list of {"role", "content"} objects with roles system, user and assistant.'
        )
    if len(found) > MESSAGES_MAX:
        raise BadInput(
            f"The conversation has {len(found)} messages; at most {MESSAGES_MAX} are allowed. Start a new conversation."
        )
    turns = found[1:] if found and found[0]["role"] == "system" else found
    if any(one["role"] != ("assistant", "user")[at % 2] for at, one in enumerate(reversed(turns))):
        raise BadInput(
            "Messages must alternate user and assistant and end with the assistant's, with at most one system message "
            "at the start."
        )
    for one in found:
        plain_text.check_text(one["content"], one["role"])
    return found


def _is_message(one: Any) -> bool:
    return (
        isinstance(one, dict) and set(one) == {"role", "content"} and one["role"] in ROLES
        and isinstance(one["content"], str)
    )  # fmt: skip


def read_forced(text: str, vocabulary: int) -> list[int]:
    """Return the token ids that an answer has to begin with, from JSON `[1, 2]`; [] for none. Raises `BadInput`."""
    if not text:
        return []
    try:
        ids = outside.read_json(text, most=plain_text.TEXT_MAX_BYTES)
    except outside.Unreadable:
        ids = None
    if not isinstance(ids, list) or not ids or not all(type(one) is int and 0 <= one < vocabulary for one in ids):
        raise BadInput(f"“forced” must be a JSON list of token ids from 0 to {vocabulary - 1:,}.")
    return ids


def read_negative(tokenizer: Any, messages: list[Message] | None, params: CausalLMParams) -> list[int]:
    """Return the ids of the negative prompt, read as the prompt is; [] where there is none or no guidance.

    In a conversation it stands in the prompt's place, behind the same messages. Raises `BadInput`.
    """
    if not params.negative_prompt.strip() or params.guidance_scale == 1:
        return []
    return encode(tokenizer, params.negative_prompt, messages)


def encode(tokenizer: Any, prompt: str, messages: list[Message] | None) -> list[int]:
    """Return the ids of a prompt, or of a conversation that ends in it by the tokenizer's chat template.

    A special token's name in what a person wrote is text like any other. Raises `BadInput` for a template that refuses.
    """
    if messages is None:
        plain: list[int] = tokenizer(prompt, split_special_tokens=True)["input_ids"]
        return plain
    whole = [*messages, {"role": "user", "content": prompt}]
    special = re.compile("|".join(map(re.escape, sorted(tokenizer.all_special_tokens, key=len, reverse=True))))
    # the same conversation with those names blotted out: what is left of them is the template's own
    blotted = [{**one, "content": special.sub(lambda at: _BLANK * len(at[0]), one["content"])} for one in whole]
    text, own = _render(tokenizer, whole), _render(tokenizer, blotted)
    if (opening := opening_of(messages).strip()) and opening not in text:
        raise BadInput(f"The model's chat template leaves out what the assistant says first. {_NO_OPENING}")
    ids: list[int] = []
    start = 0
    for found in [*special.finditer(own), None]:
        part = text[start : found.start() if found else len(text)]
        if part:
            ids += tokenizer(part, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if found:
            ids.append(tokenizer.convert_tokens_to_ids(found[0]))
            start = found.end()
    return ids


def opening_of(messages: list[Message]) -> str:
    """Return what the assistant says before the first question, "" for nothing."""
    first = next((one for one in messages if one["role"] != "system"), None)
    return first["content"] if first is not None and first["role"] == "assistant" else ""


def _render(tokenizer: Any, messages: list[Message]) -> str:
    from jinja2.exceptions import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except TemplateError as error:
        cure = f" {_NO_OPENING}" if opening_of(messages) else ""
        raise BadInput(f"The model's chat template refuses this conversation: {str(error)[:200]}.{cure}") from error


def encode_latest(
    tokenizer: Any, prompt: str, messages: list[Message], limit: int, room: int
) -> tuple[list[int], list[Message], int]:
    """Return the ids of a conversation without its oldest turns, the messages left, and how many turns were left out.

    Turns, an opening or a question with its answer, go from the front, the system message stays, until fewer than
    `limit` ids leave `room` for an answer. What is too long without any turn is returned so.
    """
    start = 1 if messages and messages[0]["role"] == "system" else 0
    kept, dropped = messages, 0
    ids = encode(tokenizer, prompt, kept)
    while len(ids) > limit - room and len(kept) > start:
        gone = 1 if kept[start]["role"] == "assistant" else 2
        kept, dropped = [*kept[:start], *kept[start + gone :]], dropped + 1
        ids = encode(tokenizer, prompt, kept)
    return ids, kept, dropped


def prompt_too_long(
    model: str, tokens: int, context_length: int, chat: bool = False, forced: int = 0
) -> PromptTooLong:  # fmt: skip
    """Return the error for a prompt (`chat`: a conversation) that leaves no room, in the same words everywhere.

    `forced` counts the tokens that the answer has to begin with, which share the context.
    """
    most = context_length - forced - 1
    what, cure = "prompt", "Shorten it, or turn on “Trim long prompts” to drop its beginning."
    if chat:
        what = "conversation"
        cure = "Start a new one, or turn on “Trim long prompts” to drop its oldest turns."
    return PromptTooLong(
        f"The {what} has {tokens:,} tokens; {model}'s context is {context_length:,}, shared with the answer, so at "
        f"most {most:,} fit. {cure}",
        tokens=tokens, limit=most,
    )  # fmt: skip
