"""A command on a terminal says how far it is, in the page's words, and wipes that before it prints a text."""

import json
import sys

import pytest

from models.__main__ import main
from tests.odd import FAMILIES, odd_settings

ASK = ["run", "text/odd", "--prompt", "fine", "--param", "steps=3"]


@pytest.fixture(autouse=True)
def _odd(tmp_path, monkeypatch):
    made = odd_settings(tmp_path / "odd", ("odd",))
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(made.catalog_dirs[0])]))
    monkeypatch.setenv("PLAYGROUND_FAMILY_DIRS", json.dumps([str(FAMILIES)]))
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))


def test_a_terminal_shows_how_far_a_run_is_and_keeps_none_of_it(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main([*ASK, "--json"]) == 0
    shown = [line for line in capsys.readouterr().err.split("\r\x1b[K") if line]
    assert shown == ["1 of 3 tokens", "2 of 3 tokens", "3 of 3 tokens"]


def test_it_is_wiped_before_the_text_and_not_shown_again(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(ASK) == 0
    out, err = capsys.readouterr()
    assert [line for line in err.split("\r\x1b[K") if line] == ["1 of 3 tokens"]
    assert err.endswith("\r\x1b[K")
    assert out.startswith("fine-0-0 fine-0-1 fine-0-2")


def test_a_file_behind_stderr_holds_none_of_it(capsys):
    assert main([*ASK, "--json"]) == 0
    assert capsys.readouterr().err == ""
