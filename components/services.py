"""The one thing that all sessions of an app share. Streamlit keys it by this function's source: keep it two lines."""

from __future__ import annotations

import streamlit as st

from models.runtime.jobs import Jobs


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """Return this app's jobs, started at the first call."""
    from components.runtime import start  # after an edit, the next app start builds it from the new code

    return start()  # fmt: skip
