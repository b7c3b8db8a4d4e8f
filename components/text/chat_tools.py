"""Above a conversation: how full the model's context is, the owner's others, a new one, share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from components import copy_link, links, state
from components.escape import plain
from components.text.conversation import Tree, Way, messages_before, read, starts, transcript
from models import labels
from models.errors import PlaygroundError
from models.runtime.jobs import Jobs
from models.spec import ModelSpec

# what the system prompt box of the conversation holds
SYSTEM = state.slot("chat-system", "")
_COUNTED: state.Slot[dict[tuple[str, str, str], dict[str, Any]]] = state.slot("chat-counted", {})
KEPT = 50  # counts that a session holds
NEARLY_FULL = 0.8
LINE_CHARS = 60


def gist(text: str) -> str:
    """Return ": first words" for markdown, "" for no text."""
    words = " ".join(text.split())
    return f": {plain(labels.shorten(words, LINE_CHARS))}" if words else ""


def count(jobs: Jobs, spec: ModelSpec, prompt: str, messages: str) -> dict[str, Any] | None:
    """Return what the tool `count_tokens` says of a conversation, asked once; None while it cannot be asked."""
    found = _COUNTED.held()
    key = (spec.id, prompt, messages)
    if key not in found:
        if jobs.engine.state().phase != "ready":
            return None
        try:
            found[key] = jobs.engine.call(spec.id, "count_tokens", {"text": prompt, "messages": messages})
        except PlaygroundError:
            return None
        for old in list(found)[:-KEPT]:
            del found[old]
    return found[key]


def draw_line(
    jobs: Jobs, spec: ModelSpec, tree: Tree, way: Way, begin: Callable[[], None], walk: Callable[[Way], None], *,
    locked: bool,
) -> None:  # fmt: skip
    """Draw the line of tools and the meter."""
    first = starts(tree)
    if not way and not first:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "New conversation", icon=":material/add_comment:", key="chat-new", disabled=locked or not way,
            on_click=begin, help="Starts a new conversation. This one is kept.",
        )  # fmt: skip
        if first:
            with st.popover(f"Conversations ({len(first)})", icon=":material/forum:"):
                st.caption("First messages of your conversations. All branches are kept.")
                for one in first:
                    st.button(
                        plain(labels.shorten(one[0], LINE_CHARS)), key=f"chat-open-{tree.born[one]}", on_click=walk,
                        args=(one,), disabled=locked, width="stretch",
                        type="primary" if one == way[:1] else "secondary",
                    )  # fmt: skip
        if way:
            _draw_share(tree, way)
            _draw_meter(jobs, spec, way)


def _draw_meter(jobs: Jobs, spec: ModelSpec, way: Way) -> None:
    counted = count(jobs, spec, "", _json(messages_before((*way, ""), SYSTEM.get())))
    if counted is None:
        return
    tokens, whole = int(counted["tokens"]), int(counted["context_length"])
    words = f"{tokens:,} of {whole:,} tokens"
    if tokens >= whole:
        words += " · context full"
    elif tokens > NEARLY_FULL * whole:
        words += f" · {whole - tokens:,} left"
    st.progress(min(1.0, tokens / whole), text=words, width=210)
    if tokens > NEARLY_FULL * whole:
        st.caption(
            ":material/info: The context is nearly full. Start a new conversation, go back to an earlier turn, or turn "
            "on “Trim long prompts” to drop the oldest turns."
        )


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)


def _draw_share(tree: Tree, way: Way) -> None:
    with st.popover("Share", icon=":material/link:"):
        makers = tree.makers.get(way, [])
        system = ""
        if makers:
            request = makers[-1].run.request
            system = read(request)[0]
            st.caption("A link opens the conversation just before the last answer, same settings and seed; sending "
                       "gives the same answer. Anyone with the link can read it all.")  # fmt: skip
            copy_link.draw(
                links.link_to(st.context.url or "", request), f"chat-link-{makers[-1].run.id}",
                hint="Copies a link to this conversation.", said="Copied. Anyone with the link can read it all.",
                too_long=f"This conversation is too long for a link (at most {links.LINK_MAX_CHARS:,} characters in "
                "all). Download it instead.",
            )  # fmt: skip
        st.download_button(
            "Download as text", transcript(way, system), "conversation.txt", "text/plain", icon=":material/download:",
            key="chat-download-text", on_click="ignore", width="stretch",
        )  # fmt: skip
        st.download_button(
            "Download as JSON", as_json(tree, way, system), "conversation.json", "application/json",
            icon=":material/data_object:", key="chat-download-json", on_click="ignore", width="stretch",
        )  # fmt: skip


def as_json(tree: Tree, way: Way, system: str) -> str:
    """Return a conversation as JSON: its messages, each answer with the model, settings and seed that made it."""
    messages: list[dict[str, Any]] = [{**one} for one in messages_before((*way, ""), system)]
    head = len(messages) - len(way)
    for at in range(1, len(way), 2):
        for maker in tree.makers.get(way[: at + 1], [])[-1:]:
            request = maker.run.request
            made = {"model": request.model, "params": request.params, "seed": request.seed}
            messages[head + at]["made_by"] = made
    return json.dumps({"messages": messages}, ensure_ascii=False, indent=2)
