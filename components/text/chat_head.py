"""What stands before a conversation: the system prompt and the opening, which the assistant says first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import state, writers
from components.escape import plain
from components.session import Session
from components.text.conversation import Tree, Way, opening_of, read
from models import labels

if TYPE_CHECKING:
    from models.spec import ModelSpec

# what the boxes of the conversation hold
SYSTEM = state.slot("chat-system", "")
OPENING = state.slot("chat-opening", "")
LINE_CHARS = 60


def gist(text: str) -> str:
    """Return ": first words" for markdown, "" for no text."""
    words = " ".join(text.split())
    return f": {plain(labels.shorten(words, LINE_CHARS))}" if words else ""


def begins(spec: ModelSpec) -> str:
    """Return what stands in an empty conversation's box: something that this model can be asked."""
    return f"Write a message, such as: {labels.shorten(spec.examples[0], LINE_CHARS)}" if spec.examples else (
        "Write a message …"
    )  # fmt: skip


def draw(session: Session, tree: Tree, way: Way, effect: str = "") -> None:
    """Draw both boxes, and say where the conversation on show was made with others.

    `effect` is what a system prompt was measured to do to this model.
    """
    system, opening = SYSTEM.get().strip(), OPENING.get()
    maker = next(iter(tree.makers.get(way, [])[-1:]), None)
    was = read(maker.run.request)[0].strip() if maker is not None else system
    named = {"System prompt": system, "Opening": opening.strip()}
    title = " · ".join(f"{name}{gist(text)}" for name, text in named.items() if text) or "System prompt and opening"
    with st.expander(title, icon=":material/rule:", key="chat-system-fold"):
        st.text_area(
            "System prompt", key=SYSTEM.key, height=80, persist_state="session", label_visibility="collapsed",
            placeholder="For example: Keep your answers short.", disabled=writers.is_going(SYSTEM.key),
        )  # fmt: skip
        writers.draw(session, SYSTEM.key)
        writers.draw_told(session, SYSTEM.key)
        st.caption("The model reads this before the conversation, every time. Changes apply from the next answer.")
        if effect:
            st.caption(f":material/info: {plain(effect)}")
        st.text_area(
            "Opening", key=OPENING.key, height=80, persist_state="session",
            placeholder="For example: Hello! What would you like to talk about?",
            help="What the assistant says first, before your message. Empty: you speak first. Some models' templates "
                 "refuse it.",
        )  # fmt: skip
        if way and opening.strip() and opening_of(way) != opening:
            st.caption(":material/info: The next new conversation begins with this opening.")
    if was != system:
        st.caption(
            ":material/info: The last answer used a different system prompt. Press “With current settings” under it to "
            "answer again."
        )
