"""A conversation as a file: downloads of the one on show, and files of other conversations that are opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from components import state
from components.escape import plain
from components.text.conversation import Tree, Way, leaves, start_of, system_of, talk_along
from models.errors import PlaygroundError
from models.text.conversations import FILE_MAX_BYTES, Talk, read_conversations, to_json, to_markdown

# what came from files, and when
_CAME: state.Slot[Sequence[tuple[float, Talk]]] = state.slot("chat-came", [])
_PROBLEM = state.slot("chat-import-problem", "")
_TURN = state.slot("chat-import-turn", 0)
KEPT = 400  # talks that a session holds


def came() -> Sequence[tuple[float, Talk]]:
    """Return the talks that this session was given as files, each with the time at which it came."""
    return _CAME.get()


def take() -> Talk | None:
    """Read the uploaded file and keep its conversations; return the one to show, None where the file is refused."""
    given = state.at(_upload_key()).get()
    if given is None:
        return None
    _TURN.set(_TURN.get() + 1)  # an empty box, in a fold that is closed
    _PROBLEM.pop()
    try:
        found = read_conversations(given.getvalue())
    except PlaygroundError as error:
        _PROBLEM.set(error.message)
        return None
    now = time.time()
    # the first of the file comes last: it is the newest, and of its branches the one on show
    talks = [talk for one in reversed(found) for talk in reversed(one.talks) if talk.turns]
    _CAME.set([*_CAME.get(), *((now + at / 1e6, talk) for at, talk in enumerate(talks))][-KEPT:])
    if len(found) > 1:
        state.notify(f"{len(found)} conversations were opened; the first is shown. See “Conversations”.", "info")
    for note in dict.fromkeys(note for one in found for note in one.notes):
        state.notify(note, "info")
    return found[0].talks[0]


def draw_import(bring_in: Callable[[], None], *, locked: bool) -> None:
    """Draw the box that takes a file; `bring_in` is called when there is one."""
    with st.popover("Import", icon=":material/upload_file:", key=state.key("chat-import", _TURN.get())):
        st.file_uploader(
            "Conversation", type=["json"], key=_upload_key(), on_change=bring_in, disabled=locked,
            max_upload_size=FILE_MAX_BYTES // 1_000_000,
            help="A JSON file saved here, a list of messages, or an export of ChatGPT, Open WebUI or "
                 "text-generation-webui.",
        )  # fmt: skip
        st.caption("Opens beside your other conversations. It is saved with your next message.")
    if problem := _PROBLEM.get():
        st.error(plain(problem), icon=":material/error:")


def draw_downloads(tree: Tree, way: Way, system: str) -> None:
    """Draw what saves the conversation on show."""
    st.download_button(
        "Download as JSON", partial(as_json, tree, way, system), "conversation.json", "application/json",
        icon=":material/data_object:", key="chat-download-json", on_click="ignore", width="stretch",
        help="With all branches and the settings of every answer. “Import” opens it again.",
    )  # fmt: skip
    st.download_button(
        "Download as Markdown", partial(as_markdown, tree, way, system), "conversation.md", "text/markdown",
        icon=":material/download:", key="chat-download-markdown", on_click="ignore", width="stretch",
        help="The conversation on show, to read.",
    )  # fmt: skip


def as_json(tree: Tree, way: Way, system: str) -> str:
    """Return the conversation of `way` as JSON: the turns on show first, its other branches beside."""
    others = [one for one in leaves(tree, start_of(way)) if one != way]
    return to_json(talk_along(tree, way, system), [talk_along(tree, one, system_of(tree, one)) for one in others])


def as_markdown(tree: Tree, way: Way, system: str) -> str:
    """Return the turns of `way` as Markdown."""
    return to_markdown(talk_along(tree, way, system))


def _upload_key() -> str:
    return state.key("chat-upload", _TURN.get())
