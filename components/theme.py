"""The few rules of look that .streamlit/config.toml cannot say."""

from __future__ import annotations

import streamlit as st

from components import frontend

_LIGHT, _DARK = (f"<style>\n{frontend.read(__file__, suffix)}</style>\n" for suffix in (".css", ".dark.css"))


def apply() -> None:
    """Add the rules to the page."""
    st.html(_LIGHT + (_DARK if st.context.theme.type == "dark" else ""))
