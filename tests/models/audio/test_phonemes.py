"""A text's sounds by espeak-ng: what it is asked, what comes back, and where it is not installed."""

import shutil

import pytest

from models.audio import phonemes
from models.errors import BadInput, PlaygroundError


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program in place of espeak-ng that says what it was asked, in capitals."""

    def install(script):
        file = tmp_path / phonemes.PROGRAM
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def test_clauses_are_read_one_by_one_and_their_marks_stay(program):
    program('printf "%s|" "$@"; tr a-z A-Z; echo; echo " next"')
    assert phonemes.of("Yes, -v no… (so)?", "en-us") == (
        "-q|--ipa|-v|en-us|YES next, -q|--ipa|-v|en-us|-V NO next. -q|--ipa|-v|en-us|(SO) next?"
    )
    assert phonemes.of("  ", "en-us") == ""


def test_where_it_is_not_installed_a_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt install espeak-ng" in phonemes.missing()
    with pytest.raises(BadInput, match="not installed"):
        phonemes.of("Yes", "en-us")


def test_where_it_fails_that_is_a_sentence(program):
    program("exit 3")
    with pytest.raises(PlaygroundError, match="could not read the text"):
        phonemes.of("Yes", "en-us")


@pytest.mark.skipif(shutil.which(phonemes.PROGRAM) is None, reason="espeak-ng is not installed")
def test_the_real_one_speaks_english():
    assert phonemes.of("A fox, please.", "en-us") == "ɐ fˈɑːks, plˈiːz."
