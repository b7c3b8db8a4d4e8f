"""The few rules of look that .streamlit/config.toml cannot say."""

from __future__ import annotations

import streamlit as st

_CSS = """
<style>
.stMainBlockContainer { max-width: 60rem; padding-top: 3.2rem; padding-bottom: 4rem; }
.stBottomBlockContainer, [data-testid="stBottomBlockContainer"] { max-width: 60rem; padding-bottom: 1.5rem; }
[data-testid="stChatMessage"] { background: none; }
[data-testid="stChatMessage"]:has([aria-label="Chat message from user"]) {
  background: color-mix(in srgb, currentColor 5%, transparent);
}
[data-testid="stSidebarUserContent"] { padding-bottom: 1rem; }
[data-testid="stSidebar"] [data-testid="stVerticalBlock"] { gap: .55rem; }
/* names of schedulers are 31 characters long: all of them can be read */
[data-testid="stSidebar"] input[role="combobox"] { font-size: .875rem; }
@media (min-width: 1000px) { [data-testid="stSidebar"][data-collapsed="false"] { min-width: 22rem; } }
@media (max-width: 640px) { .stMainBlockContainer { padding-top: 4.5rem; padding-inline: 1rem; } }
</style>
"""
# Streamlit writes white on the primary colour, which in the dark theme is light enough to be read as text
_DARK = """
<style>
[data-testid="stBaseButton-primary"]:not(:disabled), [data-testid="stBaseButton-primary"]:not(:disabled) * {
  color: #15131c !important;
}
[data-testid="stBaseButton-primary"]:hover:not(:disabled) {
  background: #bcaaff !important; border-color: #bcaaff !important;
}
</style>
"""


def apply() -> None:
    """Add the rules to the page."""
    st.html(_CSS + (_DARK if st.context.theme.type == "dark" else ""))
