"""Whose the results are where only this machine is served: its user's, on the pages and in a shell alike."""

from __future__ import annotations

import getpass


def login() -> str:
    """Return the name of the machine's user; "" for one without a name, as in some containers."""
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):
        return ""


def machine_owner() -> str:
    """Return the owner under whom the store keeps what the machine's user makes."""
    return f"machine:{login()}"
