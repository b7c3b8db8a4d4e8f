"""Subtitles (SubRip, .srt) as a text to be translated: numbers, times and markup stay, what is said is cut into parts.

The library `srt` reads them; all between what is said stays as it is in the file, to the character. No torch.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import replace

from models.text import parts
from models.text.parts import By, Part

ENDING = "srt"
_ARROW = "-->"
_WORD = re.compile(r"\S+")
# italics, bold, underlined, struck out, a font; where on the picture it stands, as in {\an8}
_MARKUP = re.compile(r"</?(?:[ibusIBUS]|font|FONT)(?:\s[^<>]*)?>|\{\\[^{}]*\}")
_HEAD = 400  # characters in which the first number and times stand


def is_srt(text: str) -> bool:
    """Say whether a text is a file of subtitles: a number, then a line of times."""
    lines = [line.strip() for line in text[:_HEAD].lstrip("\ufeff").splitlines() if line.strip()][:2]
    return len(lines) == 2 and lines[0].isdigit() and _ARROW in lines[1]


def cut(text: str, by: By, fits: Callable[[str], bool]) -> list[Part]:
    """Return the parts of a text, as `parts.cut` does; of subtitles what is said alone, each cue read as one line.

    Markup and the breaks of lines within a cue are marks of its parts. A cue in which lines begin with a dash, as two
    people who talk, is read line by line. What the library cannot read is cut like any text.
    """
    if not is_srt(text):
        return parts.cut(text, by, fits, parts.WORD_MOST)
    if "\r\n" in text:  # the library gives lines that end in \n alone
        plain = cut(text.replace("\r\n", "\n"), by, fits)
        return [
            replace(part, before=part.before.replace("\n", "\r\n"),
                    marks=tuple((at, mark.replace("\n", "\r\n")) for at, mark in part.marks))
            for part in plain
        ]  # fmt: skip
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
        for part in _parts(content, by, fits):
            if part.text:
                found.append(replace(part, before=waiting + part.before))
                waiting = ""
            else:
                waiting += part.before
        at = start + len(content)
    waiting += text[at:]
    return [*found, Part(waiting, "")] if waiting else found


def _parts(content: str, by: By, fits: Callable[[str], bool]) -> list[Part]:
    """Return the parts of a cue, with what was taken out of them as their marks; the last one may have no text."""
    plain, marks = _bare(content)
    found, at, nth = list[Part](), 0, 0
    for part in [*parts.cut(plain, by, fits, parts.WORD_MOST), Part("", "")]:
        start = at + len(part.before)
        end = start + len(part.text)
        before, within = "", list[tuple[int, str]]()
        words = [(start + word.start(), start + word.end()) for word in _WORD.finditer(part.text)]
        while nth < len(marks) and (marks[nth][0] < end or marks[nth][0] == start):
            place, mark = marks[nth]
            nth += 1
            if place <= start:
                before += plain[at:place] + mark
                at = place + mark.isspace()
            elif mark.startswith("</"):  # a word that it cuts is before it, else behind it
                within.append((bisect_left(words, place, key=lambda word: word[0]), mark))
            else:
                within.append((bisect_right(words, place, key=lambda word: word[1]), mark))
        if part.text or before or at < start:
            found.append(Part(before + plain[at:start], part.text, tuple(within)))
        at = end
    return found


def _bare(content: str) -> tuple[str, list[tuple[int, str]]]:
    """Return what a cue says, without markup and as one line unless two people talk, and what was taken out, where."""
    plain, marks, at = "", list[tuple[int, str]](), 0
    for mark in _MARKUP.finditer(content):
        plain += content[at : mark.start()]
        marks.append((len(plain), mark[0]))
        at = mark.end()
    plain += content[at:]
    if any(line.lstrip().startswith("-") for line in plain.splitlines()):
        return plain, marks
    breaks = [(at, "\n") for at, letter in enumerate(plain) if letter == "\n"]
    return plain.replace("\n", " "), sorted([*marks, *breaks], key=lambda one: one[0])
