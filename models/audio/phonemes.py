"""Letters of sound (IPA) of a text, by the program espeak-ng where it is installed: it is run beside us, not linked."""

from __future__ import annotations

import re
import shutil
import subprocess

from models.errors import BadInput, PlaygroundError

PROGRAM = "espeak-ng"
WAIT_S = 20.0
_CLAUSE = re.compile(r"([,;:.!?…])")
_MARKS = {"…": "."}


def missing() -> str:
    """Return a sentence that says what to install, "" where espeak-ng is there."""
    if shutil.which(PROGRAM):
        return ""
    return (
        f"This voice reads a text by the program {PROGRAM}, which is not installed on this machine. Install it (on "
        f"Debian and Ubuntu: apt install {PROGRAM}), or choose a voice that needs no program."
    )


def of(text: str, language: str) -> str:
    """Return a text's phonemes with its punctuation marks; `language` is a voice of espeak-ng such as "en-us".

    Raises `BadInput` where espeak-ng is not installed, and `PlaygroundError` where it fails.
    """
    if said := missing():
        raise BadInput(said)
    found = []
    for part in _CLAUSE.split(text):
        if _CLAUSE.fullmatch(part):
            found.append(_MARKS.get(part, part))
        elif part.strip():
            found.append(f"{' ' if found else ''}{_clause(part.strip(), language)}")
    return "".join(found)


def _clause(text: str, language: str) -> str:
    # the text goes by standard input: as an argument it could pass for an option
    try:
        done = subprocess.run(
            [PROGRAM, "-q", "--ipa", "-v", language], input=text.encode(), capture_output=True, timeout=WAIT_S,
            check=True,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        raise PlaygroundError(
            f"{PROGRAM} could not read the text ({error}). Try again, or choose another voice."
        ) from error
    return " ".join(done.stdout.decode("utf-8", "replace").split())
