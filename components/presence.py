"""Which browser sessions are still there."""

from __future__ import annotations

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


def session_id() -> str:
    """Return the unguessable id of the browser session that this script runs for; it survives a socket's blip."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context is not None else ""


def is_there(owner: str) -> bool:
    """Say whether a session's page is connected. Thread-safe."""
    return runtime.exists() and runtime.get_instance().is_active_session(owner)
