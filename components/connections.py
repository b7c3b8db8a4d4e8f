"""The run index that Streamlit's secrets name: `[connections.runs]`, a `url` or parts as `st.connection` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from models.errors import BadSetting
from models.settings import Settings

_WRONG = "The secret [connections.runs] cannot be used"
_NEEDS = 'Give it url = "postgresql://USER:PASSWORD@HOST/DATABASE", or host, database, username and password.'


def settings_of_store(settings: Settings) -> Settings:
    """Return the settings for the store alone: with the URL of the secret, where the environment names none.

    Only the store needs it: no other process is told the password. Raises `BadSetting` for a secret that is wrong.
    """
    if settings.database_url or not (url := database_url()):
        return settings
    return settings.model_copy(update={"database_url": url})


def database_url() -> str:
    """Return the URL that the secret `[connections.runs]` means, "" where there is none. Raises `BadSetting`."""
    try:
        found = st.secrets.get("connections", {}).get("runs")
    except StreamlitSecretNotFoundError as error:
        if "No secrets found" in str(error):
            return ""
        raise BadSetting("The file of secrets cannot be read: it is not TOML. Correct it, or remove it.") from None
    except AttributeError:  # `connections` is no table
        raise BadSetting(f"{_WRONG}: connections is not a table. {_NEEDS}") from None
    return "" if found is None else _url(found)


def _url(secret: Any) -> str:
    if not isinstance(secret, Mapping):
        raise BadSetting(f"{_WRONG}: it is not a table. {_NEEDS}")
    if isinstance(url := secret.get("url"), str) and url:
        return url
    if not secret.get("database") and not secret.get("host"):
        raise BadSetting(f"{_WRONG}: it names neither url nor host. {_NEEDS}")
    port = secret.get("port")
    if port is not None and not str(port).isdecimal():
        raise BadSetting(f"{_WRONG}: its port is not a number. {_NEEDS}")
    made = sa.URL.create(
        str(secret.get("dialect", "postgresql")), secret.get("username"), secret.get("password"), secret.get("host"),
        None if port is None else int(port), secret.get("database"), dict(secret.get("query", {})),
    )  # fmt: skip
    return made.render_as_string(hide_password=False)
