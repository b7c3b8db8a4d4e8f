"""The few rules of look that .streamlit/config.toml cannot say."""

from __future__ import annotations

import streamlit as st

_CSS = """
<style>
.stMainBlockContainer { max-width: 60rem; padding-top: 3.2rem; padding-bottom: 4rem; }
[data-testid="stSidebarUserContent"] { padding-bottom: 1rem; }
[data-testid="stSidebar"] [data-testid="stVerticalBlock"] { gap: .55rem; }
@media (max-width: 640px) { .stMainBlockContainer { padding-top: 3.4rem; padding-inline: 1rem; } }
</style>
"""


def apply() -> None:
    """Add the rules to the page."""
    st.html(_CSS)
