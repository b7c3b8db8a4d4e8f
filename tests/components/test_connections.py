"""The run index that a secret names: only the store hears of it, and a wrong one is told without what it holds."""

import pytest
import streamlit as st

from components import connections
from models.errors import BadSetting
from models.settings import Settings


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    """Return a function that writes the file of secrets."""
    file = tmp_path / "secrets.toml"
    before = st.config.get_option("secrets.files")
    st.config.set_option("secrets.files", [str(file)])
    st.secrets._reset()

    def write(text):
        file.write_text(text)
        st.secrets._reset()

    yield write
    st.config.set_option("secrets.files", before)
    st.secrets._reset()


def test_without_secrets_there_is_none(secrets):
    assert connections.database_url() == ""
    secrets("other = 1")
    assert connections.database_url() == ""
    secrets('[connections.other]\nurl = "x"')
    assert connections.database_url() == ""
    settings = Settings()
    assert connections.settings_of_store(settings) is settings


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ('url = "postgres://ann:x@db/runs"', "postgres://ann:x@db/runs"),
        ('host = "db"\nport = 5433\ndatabase = "runs"\nusername = "ann"\npassword = "hun/ter@2"',
         "postgresql://ann:hun%2Fter%402@db:5433/runs"),
        ('dialect = "postgresql"\nhost = "db"\nport = "5433"\n[connections.runs.query]\nsslmode = "require"',
         "postgresql://db:5433?sslmode=require"),
    ],
)  # fmt: skip
def test_a_url_or_its_parts(secrets, text, url):
    secrets(f"[connections.runs]\n{text}")
    assert connections.database_url() == url
    settings = Settings()
    assert connections.settings_of_store(settings).database_url == url
    assert settings.database_url == ""  # what the worker is given
    assert "hun" not in repr(connections.settings_of_store(settings))


def test_the_environment_goes_first(secrets):
    secrets('[connections.runs]\nurl = "postgres://db/runs"')
    settings = Settings(database_url="sqlite:////tmp/mine.sqlite")
    assert connections.settings_of_store(settings) is settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[connections.runs]\npassword = "hunter2"', "names neither url nor host"),
        ('[connections.runs]\nhost = "db"\nport = "hunter2"', "its port is not a number"),
        ('[connections]\nruns = "hunter2"', "it is not a table"),
        ('connections = "hunter2"', "connections is not a table"),
        ('[connections.runs]\nurl = "hunter2', "not TOML. Correct it"),
    ],
)
def test_a_wrong_one_is_told_and_not_shown(secrets, text, sentence):
    secrets(text)
    with pytest.raises(BadSetting, match=sentence) as caught:
        connections.database_url()
    assert "hunter2" not in caught.value.message
    assert caught.value.__cause__ is None  # nor is it in the log
