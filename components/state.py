"""The names under which a session keeps things, and its notices."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from components.escape import plain

Level = Literal["error", "warning", "info"]
_NOTICES = "notices"


def setting_key(model: str, name: str) -> str:
    """Return a setting's widget key, which is its name in the page's address too: `story-gpt.temperature`."""
    return f"{model.split('/', 1)[-1]}.{name}"


def switch_key(model: str, name: str) -> str:
    """Return the key of the switch that turns an optional setting on."""
    return f"{setting_key(model, name)}.on"


def prompt_key(room: str, family: str = "") -> str:
    """Return the key of a page's prompt, which is never part of the address; with `family`, of that family's own."""
    return f"{room}-{family}-prompt" if family else f"{room}-prompt"


def input_key(room: str, name: str) -> str:
    """Return the key of what a page was given beside its prompt: a text, or the reference of an upload."""
    return f"{room}-input-{name}"


def model_key(room: str) -> str:
    """Return the key of a page's model choice."""
    return f"{room}-model"


def notify(message: str, level: Level = "error") -> None:
    """Show a sentence at the next draw of the page, and until the next run or `clear_notices`."""
    st.session_state.setdefault(_NOTICES, []).append({"message": message, "level": level})


def notices() -> list[dict[str, Any]]:
    """Return the sentences to show."""
    found: list[dict[str, Any]] = st.session_state.get(_NOTICES, [])
    return found


def draw_notices() -> None:
    """Draw the sentences that callbacks left."""
    for notice in notices():
        {"error": st.error, "warning": st.warning, "info": st.info}[notice["level"]](plain(notice["message"]))


def clear_notices() -> None:
    """Forget the sentences."""
    st.session_state[_NOTICES] = []
