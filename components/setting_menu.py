"""The menu beside a setting: what can be done with it other than setting it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from components import state
from components.escape import plain
from models import labels
from models.params import ParamField

Sweep = Callable[[ParamField], None]
_PRESSED = state.slot("setting-menu-pressed", False)


def draw(model: str, item: ParamField, values: Sequence[Any], sweep: Sweep) -> None:
    """Draw the menu of a setting of `model`: `sweep` runs the page at these values."""
    words = [labels.value_words(item, value) for value in values]
    st.menu_button(
        f"Compare values of {plain(item.label)}", [f"Compare {', '.join(words[:-1])} and {words[-1]}"],
        icon=":material/more_vert:",  # theme.css shows it alone: the words are the menu's name
        type="tertiary", key=state.key(state.setting_key(model, item.name), "menu"), on_click=_press,
        args=(sweep, item), format_func=plain, help=f"Runs the page at several values of {item.label}, side by side.",
    )  # fmt: skip


def _press(sweep: Sweep, item: ParamField) -> None:
    _PRESSED.set(True)
    sweep(item)


def pressed() -> bool:
    """Say, once, whether something was chosen in a menu: then the whole page has to be drawn."""
    return _PRESSED.pop()
