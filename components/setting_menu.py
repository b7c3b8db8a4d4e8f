"""The menu beside a setting: what can be done with it other than setting it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from components import state
from components.escape import plain
from models.params import ParamField

Ways = Mapping[str, Callable[[], None]]  # what a menu offers, by its words
Offer = Callable[[ParamField, Any], Ways]  # what a page does with a setting and its value
_PRESSED = state.slot("setting-menu-pressed", False)


def draw(model: str, item: ParamField, ways: Ways) -> None:
    """Draw the menu of a setting of `model`; nothing where there is nothing to do."""
    if not ways:
        return
    key = state.key(state.setting_key(model, item.name), "menu")
    st.menu_button(
        f"Compare values of {plain(item.label)}", list(ways),
        icon=":material/more_vert:",  # theme.css shows it alone: the words are the menu's name
        type="tertiary", key=key, on_click=_press, args=(key, ways), format_func=plain,
        help=f"Compares several values of {item.label}, side by side.",
    )  # fmt: skip


def _press(key: str, ways: Ways) -> None:
    chosen = ways.get(str(state.at(key).get()))
    if chosen is not None:
        _PRESSED.set(True)
        chosen()


def pressed() -> bool:
    """Say, once, whether something was chosen in a menu: then the whole page has to be drawn."""
    return _PRESSED.pop()
