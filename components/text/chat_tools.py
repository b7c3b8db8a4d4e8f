"""Above a conversation: how full the model's context is, the owner's others, a new one, share, import."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from components import copy_link, links, share_menu, state
from components.escape import plain
from components.session import Session
from components.text import chat_files
from components.text.chat_head import LINE_CHARS, SYSTEM
from components.text.conversation import Tree, Way, is_chat, messages_before, starts, system_of
from models import labels
from models.errors import BadInput, PlaygroundError, PromptTooLong
from models.runtime.job_view import JobView
from models.runtime.jobs import Jobs
from models.spec import ModelSpec
from models.types import Request, Run

_COUNTED: state.Slot[dict[tuple[str, str, str], dict[str, Any]]] = state.slot("chat-counted", {})
KEPT = 50  # counts that a session holds
NEARLY_FULL = 0.8
READ = 1000  # runs of an owner that the tree is made of


def system_effect(spec: ModelSpec) -> str:
    """Say what a system prompt was measured to do to this model's answers; "" where nobody measured."""
    marks = spec.facts.get("marks") or {}
    if "system_answers" not in marks:
        return ""
    share = {name.removeprefix("system_"): f"{value:.0%}" for name, value in marks.items() if value <= 1}
    named = ""
    if "name" in share:
        named = f" Told that the hero is Mia, {share['name']} named her ({share['name_without']} without it)."
    return (
        f"Measured on {marks['system_answers']:.0f} answers, each the first of a talk: “Keep every story short.” made "
        f"{share['short']} of them shorter, “Tell long stories.” {share['long']} longer (chance: 50%). Asked to end "
        f"sadly, {share['sad']} did ({share['sad_without']} without it); asked for a dragon, {share['dragon']} had one "
        f"({share['dragon_without']} without it).{named}"
    )


def count(jobs: Jobs, spec: ModelSpec, prompt: str, messages: str) -> dict[str, Any] | None:
    """Return what the tool `count_tokens` says of a conversation, asked once; None while it cannot be asked.

    Of a conversation that the model's chat template refuses it returns the sentence alone, as `problem`.
    """
    found = _COUNTED.held()
    key = (spec.id, prompt, messages)
    if key not in found:
        if jobs.engine.state().phase != "ready":
            return None
        try:
            found[key] = jobs.engine.call(spec.id, "count_tokens", {"text": prompt, "messages": messages})
        except BadInput as error:
            found[key] = {"problem": error.message}
        except PlaygroundError:
            return None
        for old in list(found)[:-KEPT]:
            del found[old]
    return found[key]


def check_length(jobs: Jobs, spec: ModelSpec, request: Request) -> None:
    """Refuse a turn that the model cannot read before it waits.

    Raises `PromptTooLong`, or `BadInput` where the chat template refuses the conversation.
    """
    counted = count(jobs, spec, request.inputs["prompt"], request.inputs["messages"])
    if counted is None or not counted["problem"]:
        return
    if "tokens" not in counted:
        raise BadInput(counted["problem"])
    if not request.params.get("cut_prompt"):
        raise PromptTooLong(counted["problem"], tokens=counted["tokens"])


def draw_line(
    session: Session, spec: ModelSpec, tree: Tree, way: Way, begin: Callable[[], None], walk: Callable[[Way], None],
    bring_in: Callable[[], None], *, locked: bool, trims: bool,
) -> None:  # fmt: skip
    """Draw the line of tools and the meter; `trims` says that a long conversation loses its oldest turns."""
    first = starts(tree)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if way or first:
            st.button(
                "New conversation", icon=":material/add_comment:", key="chat-new", disabled=locked or not way,
                on_click=begin, help="Starts a new conversation. This one is kept.",
            )  # fmt: skip
        if first:
            with st.popover(f"Conversations ({len(first)})", icon=":material/forum:"):
                st.caption("First messages of your conversations. All branches are kept.")
                for one in first:
                    st.button(
                        plain(labels.shorten(one[-1], LINE_CHARS)), key=f"chat-open-{tree.born[one]}", on_click=walk,
                        args=(one,), disabled=locked, width="stretch",
                        type="primary" if one == way[: len(one)] else "secondary",
                    )  # fmt: skip
        if way:
            _draw_share(session, tree, way)
        chat_files.draw_import(bring_in, locked=locked)
        if way:
            _draw_meter(session.jobs, spec, way, trims)


def _draw_meter(jobs: Jobs, spec: ModelSpec, way: Way, trims: bool) -> None:
    counted = count(jobs, spec, "", _json(messages_before((*way, ""), SYSTEM.get())))
    if counted is None or "tokens" not in counted:
        return
    tokens, whole = int(counted["tokens"]), int(counted["context_length"])
    words = f"{tokens:,} of {whole:,} tokens"
    if tokens >= whole:
        words += " · context full"
    elif tokens > NEARLY_FULL * whole:
        words += f" · {whole - tokens:,} left"
    st.progress(min(1.0, tokens / whole), text=words, width=210)
    if tokens > NEARLY_FULL * whole and trims:
        st.caption(":material/info: The context is nearly full: “Trim long prompts” is on, so the oldest turns are "
                   "dropped as needed.")  # fmt: skip
    elif tokens > NEARLY_FULL * whole:
        st.caption(
            ":material/info: The context is nearly full. Start a new conversation, go back to an earlier turn, or turn "
            "on “Trim long prompts” to drop the oldest turns."
        )


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)


def _draw_share(session: Session, tree: Tree, way: Way) -> None:
    with st.popover("Share", icon=":material/link:"):
        makers = tree.makers.get(way, [])
        system = system_of(tree, way) if makers else SYSTEM.get().strip()
        if makers:
            request = makers[-1].run.request
            st.caption("A link opens the conversation just before the last answer, same settings and seed; sending "
                       "gives the same answer. Anyone with the link can read it all.")  # fmt: skip
            copy_link.draw(
                links.link_to(st.context.url or "", request), f"chat-link-{makers[-1].run.id}",
                hint="Copies a link to this conversation.", said="Copied. Anyone with the link can read it all.",
                too_long=f"This conversation is too long for a link (at most {links.LINK_MAX_CHARS:,} characters in "
                "all). Press “Share the answer”, or download it.",
            )  # fmt: skip
            share_menu.draw_run(session, makers[-1].run, state.key("chat-share", makers[-1].run.id), "Share the answer")
        chat_files.draw_downloads(tree, way, system)


def newest_turn(session: Session) -> JobView | None:
    """Return the newest turn at hand, living or over."""
    turns = [view for view in session.jobs.jobs_of(session.owner) if not view.purpose]
    return next((view for view in reversed(turns) if is_chat(view.requests[0])), None)


def runs_of(session: Session) -> list[Run]:
    """Return the owner's runs, with those of jobs that could not be stored."""
    try:
        runs = session.jobs.store.runs(session.owner, limit=READ)
    except PlaygroundError as error:
        if error.message not in [notice["message"] for notice in state.notices()]:
            state.notify(error.message, "warning")
        runs = []
    known = {run.id for run in runs}
    return [*runs, *(run for view in session.jobs.jobs_of(session.owner) for run in view.runs if run.id not in known)]
