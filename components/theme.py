"""The few rules of look that .streamlit/config.toml cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterable

import streamlit as st

from components import frontend

_LIGHT, _DARK = (f"<style>\n{frontend.read(__file__, suffix)}</style>\n" for suffix in (".css", ".dark.css"))


def apply() -> None:
    """Add the rules to the page."""
    st.html(_LIGHT + (_DARK if st.context.theme.type == "dark" else ""))


def dotted(keys: Iterable[str], folds: Iterable[str] = ()) -> str:
    """Return the rule that puts a dot after the label of each widget of these keys; it reads out as "changed".

    `folds` are the keys of expanders, whose titles get one too.
    """
    places = [f'{_class(key)} [data-testid="stWidgetLabel"] p::after' for key in keys]
    places += [f"{_class(key)} summary p::after" for key in folds]
    rule = '{ content: " ●"; content: " ●" / ", changed"; color: var(--playground-mark); }'
    return f"{', '.join(places)} {rule}" if places else ""


def _class(key: str) -> str:
    return f".st-key-{re.sub('[^A-Za-z0-9_-]', '-', key)}"
