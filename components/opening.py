"""Which page is to be opened once a callback is over: a callback itself cannot open one."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from components import state

_OPENS: state.Slot[Path | None] = state.slot("page-opens", None)


def ask(script: Path | None) -> None:
    """Have a page opened by its script, None for none after all."""
    _OPENS.set(script)


def follow() -> None:
    """Open the page that a callback asked for, if any did."""
    if (there := _OPENS.pop()) is not None:
        # named empty, they are left behind; unnamed, Streamlit refuses to clear those that are bound to widgets
        st.switch_page(there, query_params={})
