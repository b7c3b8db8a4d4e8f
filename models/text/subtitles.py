"""Subtitles (SubRip, .srt) as a text to be translated: numbers and times stay, what is said is cut into parts.

The library `srt` reads them; all between what is said stays as it is in the file, to the character. No torch.
"""

from __future__ import annotations

from collections.abc import Callable

from models.text import parts
from models.text.parts import By, Part

ENDING = "srt"
_ARROW = "-->"
_HEAD = 400  # characters in which the first number and times stand


def is_srt(text: str) -> bool:
    """Say whether a text is a file of subtitles: a number, then a line of times."""
    lines = [line.strip() for line in text[:_HEAD].lstrip("\ufeff").splitlines() if line.strip()][:2]
    return len(lines) == 2 and lines[0].isdigit() and _ARROW in lines[1]


def cut(text: str, by: By, fits: Callable[[str], bool]) -> list[Part]:
    """Return the parts of a text, as `parts.cut` does; of subtitles what is said alone, each cue as one line.

    A cue in which lines begin with a dash, as two people who talk, keeps its lines. What the library cannot read is
    cut like any text.
    """
    if not is_srt(text):
        return parts.cut(text, by, fits, parts.WORD_MOST)
    if "\r\n" in text:  # the library gives lines that end in \n alone
        plain = cut(text.replace("\r\n", "\n"), by, fits)
        return [Part(part.before.replace("\n", "\r\n"), part.text) for part in plain]
    import srt

    try:
        said = [one.content for one in srt.parse(text, ignore_errors=False)]
    except (srt.SRTParseError, srt.TimestampParseError, ValueError):
        return parts.cut(text, by, fits, parts.WORD_MOST)
    found: list[Part] = []
    at, waiting = 0, ""
    for content in said:
        start = text.find(content, at) if content else -1
        if start < 0:  # an empty cue
            continue
        waiting += text[at:start]
        talks = any(line.lstrip().startswith("-") for line in content.splitlines())
        for part in parts.cut(content if talks else " ".join(content.split()), by, fits, parts.WORD_MOST):
            if part.text:
                found.append(Part(waiting + part.before, part.text))
                waiting = ""
            else:
                waiting += part.before
        at = start + len(content)
    waiting += text[at:]
    return [*found, Part(waiting, "")] if waiting else found
