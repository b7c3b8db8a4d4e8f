"""Draw the turns of a conversation: what was asked, what was answered, by whom, and what can be done with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st

from components import frontend, job_panel, result
from components.desk import Desk
from components.escape import plain
from components.session import Session
from components.text.conversation import Maker, Tree, Way, siblings
from models import labels
from models.catalog import Catalog
from models.runtime.job_view import JobView
from models.stamps import file_name
from models.text.prompts import read_messages
from models.types import Output, Request

ASKED, ANSWERED = ":material/person:", ":material/auto_stories:"
_component = frontend.component("playground_said", __file__, html='<p class="said"></p>')


@dataclass(frozen=True)
class Acts:
    """What the page does with a turn.

    `walk(way)` shows another branch; `again(maker)` answers again with the next seed and all else as it was;
    `again_now(way)` answers a question with model, system prompt and settings as they are now; `edit(way)` opens a
    question for changing, `run_edit()` and `cancel()` end that; `restore(request)` takes a turn's settings over.
    """

    walk: Callable[[Way], None]
    again: Callable[[Maker], None]
    again_now: Callable[[Way], None]
    edit: Callable[[Way], None]
    run_edit: Callable[[], None]
    cancel: Callable[[], None]
    restore: Callable[[Request], None]


def key_of(way: Way) -> str:
    """Return a short name for a way, the same at every draw."""
    return hashlib.sha256("\0".join(way).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def say(text: str, key: str, *, asked: bool = False, live: bool = False, run: str = "") -> None:
    """Draw one message's text. `run` names the job whose end is told in the tab's title."""
    looks = f"{'asked' if asked else 'told'} {'live' if live else ''}"
    _component(key=f"said-{key}", data={"text": text, "looks": looks, "live": live, "run": run})


def show(desk: Desk, messages: str) -> None:
    """Draw the turns before a prompt, to be read. Raises `BadInput` for what is none."""
    for number, one in enumerate(read_messages(messages) or ()):
        answered = one["role"] == "assistant"
        with st.chat_message("assistant" if answered else "user", avatar=ANSWERED if answered else ASKED):
            say(one["content"], key_of(("shown", str(number), messages)), asked=not answered)


def draw_question(tree: Tree, way: Way, acts: Acts, *, edit_key: str = "", locked: bool = False) -> None:
    """Draw the question that a way ends in; `edit_key` is that of the text box while it is being changed."""
    key = key_of(way)
    with st.chat_message("user", avatar=ASKED):
        if edit_key:
            st.text_area("Your message", key=edit_key, height=90, label_visibility="collapsed")
            with st.container(horizontal=True):
                st.button(
                    "Run", type="primary", icon=":material/play_arrow:", key="chat-edit-run", shortcut="Ctrl+Enter",
                    disabled=locked, on_click=acts.run_edit, help="Runs the edited message as a new branch.",
                )  # fmt: skip
                st.button("Cancel", key="chat-edit-cancel", on_click=acts.cancel)
            return
        say(way[-1], key, asked=True)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _draw_walk(tree, way, acts, "version of this message", locked)
            st.button(
                "Edit", icon=":material/edit:", type="tertiary", key=f"edit-{key}", disabled=locked,
                on_click=acts.edit, args=(way,), help="Edits this message and runs it as a new branch. The old one "
                                                      "is kept.",
            )  # fmt: skip


def draw_opening(tree: Tree, way: Way, acts: Acts, *, locked: bool = False) -> None:
    """Draw what the assistant says first; a person wrote it."""
    with st.chat_message("assistant", avatar=ANSWERED):
        say(way[-1], key_of(way))
        st.caption("Opening: written for the model, not by it.")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _draw_walk(tree, way, acts, "opening", locked)


def draw_answer(desk: Desk, tree: Tree, way: Way, acts: Acts, *, locked: bool = False, run: str = "") -> None:
    """Draw the answer that a way ends in, with what made it and what can be done."""
    key, makers = key_of(way), tree.makers.get(way, [])
    maker = makers[-1] if makers else None
    with st.chat_message("assistant", avatar=ANSWERED):
        if way[-1]:
            say(way[-1], key, run=run)
        elif maker is None or not maker.run.error:
            stopped = maker is not None and maker.stopped
            st.caption("Stopped before the first word." if stopped else "The model gave an empty answer.")
        if maker is not None:
            _draw_makers(desk.session.catalog, makers, key)
        else:
            came = tree.came.get(way)
            made = f" Made by {came.model}, seed {came.seed}." if came is not None else ""
            st.caption(plain(f"This answer came with a link or a file.{made}"))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _draw_walk(tree, way, acts, "answer", locked)
            if maker is not None and "seed" in maker.run.stats.get("in_effect", {"seed": 0}):
                st.button(
                    "Next seed", icon=":material/plus_one:", type="tertiary", key=f"again-{key}", disabled=locked,
                    on_click=acts.again, args=(maker,), help="Answers again with the next seed; everything else "
                                                             "stays.",
                )  # fmt: skip
            st.button(
                "With current settings", icon=":material/tune:", type="tertiary", key=f"now-{key}",
                disabled=locked, on_click=acts.again_now, args=(way[:-1],),
                help="Answers again with the current model, system prompt, settings and seed.",
            )  # fmt: skip
            with st.popover("More", icon=":material/more_horiz:", type="tertiary", key=f"more-{key}"):
                _draw_more(desk, way, maker, acts, key, tree.came.get(way))


def draw_living(session: Session, view: JobView, way: Way) -> None:
    """Draw the question that a way ends in with the answer that is being written."""
    with st.chat_message("user", avatar=ASKED):
        say(way[-1], f"asked-{view.id}", asked=True)
    with st.chat_message("assistant", avatar=ANSWERED):
        job_panel.draw(session, view.id, draw_live)


def draw_live(view: JobView) -> None:
    """Draw the answer so far of a job, each variant on its own."""
    outputs = view.preview.outputs if view.preview is not None else ()
    texts = [output for output in outputs if output.kind == "text"]
    if not texts:
        say("", f"live-{view.id}-0", live=True, run=view.id)
    for output in texts:
        if len(texts) > 1:
            st.caption(f"Answer {output.index + 1} of {len(texts)}")
        writing = not output.meta.get("finish")
        say(output.text, f"live-{view.id}-{output.index}", live=writing, run=view.id if writing else "")


def _draw_walk(tree: Tree, way: Way, acts: Acts, what: str, locked: bool) -> None:
    ways, place = siblings(tree, way)
    if len(ways) < 2:
        return
    key = key_of(way)
    st.button(
        "‹", type="tertiary", key=f"back-{key}", disabled=locked or place == 0, on_click=acts.walk,
        args=(ways[max(0, place - 1)],), help=f"Previous {what}",
    )  # fmt: skip
    st.caption(f"{place + 1} of {len(ways)}", width="content")
    st.button(
        "›", type="tertiary", key=f"on-{key}", disabled=locked or place == len(ways) - 1, on_click=acts.walk,
        args=(ways[min(len(ways) - 1, place + 1)],), help=f"Next {what}",
    )  # fmt: skip


def _draw_makers(catalog: Catalog, makers: list[Maker], key: str) -> None:
    maker = makers[-1]
    if maker.run.error:
        st.error(plain(maker.run.error.get("message", "The run failed.")), icon=":material/error:")
    mark = ":material/stop_circle: " if maker.stopped else ""
    st.caption(mark + plain(facts(catalog, maker)))
    for note in maker.run.stats.get("notes", []):
        st.caption(f":material/info: {plain(note)}")
    if maker.run.stats.get("not_stored"):
        st.warning(plain(f"This answer could not be saved: {maker.run.stats['not_stored']}"), icon=":material/warning:")
    if len(makers) > 1:
        st.caption(
            f":material/content_copy: This exact answer came up {len(makers)} times; the details are from the latest."
        )


def facts(catalog: Catalog, maker: Maker) -> str:
    """Say what made an answer: "Story Chat · seed 7 · 84 tokens, 190 per second · Temperature 1.2 · ended by itself".

    Of the settings those are named that differ from the model's defaults.
    """
    run, stats = maker.run, maker.run.stats
    spec = catalog.get(run.request.model)
    parts = [spec.name if spec is not None else run.request.model]
    if "seed" in stats.get("in_effect", {}):
        parts.append(f"seed {run.request.seed}")
    if stats.get("tokens"):
        speed = f", {stats['tokens_per_s']:,.0f} per second" if stats.get("tokens_per_s") else ""
        parts.append(f"{stats['tokens']:,} tokens{speed}")
    parts += [
        labels.setting_words(item, value)
        for item, value in result.in_effect(catalog, run, asked=True)
        if item.name != "seed" and value != item.default
    ]
    finish = str(maker.output.meta.get("finish", "")) if maker.output is not None else ""
    if run.status == "failed":
        parts.append("partial result" if maker.text else "failed")
    elif finish in result.FINISH:
        parts.append(result.FINISH[finish])
    elif maker.stopped:
        parts.append(result.FINISH["stopped"])
    return " · ".join(parts)


def _draw_more(desk: Desk, way: Way, maker: Maker | None, acts: Acts, key: str, came: Request | None) -> None:
    made = maker.run.request if maker is not None else came
    if made is not None:
        st.button(
            "Use its settings", icon=":material/tune:", key=f"use-{key}", on_click=acts.restore,
            args=(made,), width="stretch",
            help="Sets model, system prompt, settings and seed to those of this answer.",
        )  # fmt: skip
    if way[-1]:
        result.draw_takes(desk, Output("text", 0, way[-1]), key)
    if maker is not None and maker.output is not None:
        request = maker.run.request
        st.download_button(
            "Download", partial(result.stored, desk.session.jobs, maker.output),
            file_name(request.model, request.seed, maker.output.index, maker.output.media_type),
            maker.output.media_type, icon=":material/download:", key=f"download-{key}", on_click="ignore",
            width="stretch", help="The file also contains the conversation and the settings that made it.",
        )  # fmt: skip
    if way[-1]:
        st.caption("Copy the text:")
        st.code(way[-1], language=None, wrap_lines=True)
    if maker is not None:
        st.caption("Request and settings:")
        st.code(result.settings_json(maker.run), language="json", wrap_lines=True, height=180)
