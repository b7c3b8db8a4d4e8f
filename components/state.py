"""The names under which a session keeps things, and its notices."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

Level = Literal["error", "warning", "info"]
_NOTICES = "notices"


def setting_key(model: str, name: str) -> str:
    """Return a setting's widget key, which is its name in the page's address too: `story-gpt.temperature`."""
    return f"{model.split('/', 1)[-1]}.{name}"


def switch_key(model: str, name: str) -> str:
    """Return the key of the switch that turns an optional setting on."""
    return f"{setting_key(model, name)}.on"


def prompt_key(modality: str, family: str = "") -> str:
    """Return the key of a page's prompt, which is never part of the address.

    The models of a page share it, but for those of the Audio page: notes for one family are no words for another.
    """
    return f"audio-{family}-prompt" if modality == "audio" else f"{modality}-prompt"


def model_key(modality: str) -> str:
    """Return the key of a page's model choice."""
    return f"{modality}-model"


def notify(message: str, level: Level = "error") -> None:
    """Show a sentence at the next draw of the page, and until the next run or `clear_notices`."""
    st.session_state.setdefault(_NOTICES, []).append({"message": message, "level": level})


def notices() -> list[dict[str, Any]]:
    """Return the sentences to show."""
    found: list[dict[str, Any]] = st.session_state.get(_NOTICES, [])
    return found


def clear_notices() -> None:
    """Forget the sentences."""
    st.session_state[_NOTICES] = []
