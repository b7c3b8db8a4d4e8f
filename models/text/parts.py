"""Cut a long text into parts that a model can take, and put what becomes of them together as the text was. No torch.

Line breaks, blank lines, indents, list marks and the spaces between sentences are no part of any piece: they stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

By = Literal["sentences", "lines"]

# what a line begins with: an indent, a mark of a list, a quotation or a heading, and the space after it
_MARK = re.compile(r"[ \t]*(?:(?:[-*+•–—>#]|#{2,6}|\d{1,3}[.)]|[A-Za-z]\)|[a-z]\.)[ \t]+)?")
_END = re.compile(r"[.!?…。！？]+([\"”’»')\]]*)")
WORD_MOST = 60  # characters: the longest words of most languages have fewer; what is longer is an address or noise
_WORD = re.compile(r"\S+")
# letters of scripts that put no space between words, as Unicode names them
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "BOPOMOFO", "YI")
_SHORT = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "e.g", "i.e", "vol", "mme", "mlle", "mm"})


@dataclass(frozen=True)
class Part:
    """Hold one piece of a text: what stands `before` it and stays as it is, and the `text` for the model.

    The last one of a text may have no `text`: what stands after all others. `marks` were taken out of the text: (how
    many of its words stand before it, the mark); they are put back into what becomes of it, at about their place.
    """

    before: str
    text: str
    marks: tuple[tuple[int, str], ...] = ()


def cut(text: str, by: By, fits: Callable[[str], bool], word_most: int = 0) -> list[Part]:
    """Return the parts of a text, in order: sentences or whole lines, each cut further where it does not fit a model.

    `fits` says whether a piece does. A word of more than `word_most` characters (0: of any number) is no part of a
    piece: it stays as it is. Joined by `joined`, unchanged parts are the text again.
    """
    found: list[Part] = []
    waiting = ""
    for line in text.splitlines(keepends=True):
        body = line.rstrip()
        mark = _MARK.match(body)
        start = mark.end() if mark else 0
        if start >= len(body):  # blank, or a mark alone
            waiting += line
            continue
        waiting += body[:start]
        for kept, said in _between(body[start:], word_most):
            waiting += kept
            for piece, after in _fitting(said, by, fits) if said else ():
                found.append(Part(waiting, piece))
                waiting = after
        waiting += line[len(body) :]
    return [*found, Part(waiting, "")] if waiting else found


def joined(parts: Sequence[Part], made: Sequence[str]) -> str:
    """Return what became of the first parts, `made`, each behind what stood before it."""
    whole = "".join(part.before + _marked(part, text) for part, text in zip(parts, made, strict=False))
    rest = parts[len(made)] if len(parts) == len(made) + 1 else None
    return whole + rest.before if rest is not None and not rest.text else whole


def _marked(part: Part, made: str) -> str:
    """Return what became of a part with its marks: a line break instead of a space, others beside the next word."""
    words, count = made.split(), len(part.text.split())
    if not part.marks:
        return made
    if not words:
        return made + "".join(mark for _, mark in part.marks if not mark.isspace())
    gaps, opened = [""] * (len(words) + 1), 0  # what stands before each word, and behind the last
    breaks = dict[int, str]()
    for at, mark in part.marks:
        place = round(at * len(words) / max(1, count))
        if mark.isspace():
            if 0 < place < len(words):
                breaks[place] = mark
        elif mark.startswith("</"):  # behind a word, and one at least is inside
            place = max(place, opened + 1)
            words[place - 1] += mark
        else:
            opened = min(place, len(words) - 1)
            gaps[opened] += mark
    found = [(breaks.get(at, " ") if at else "") + gaps[at] + word for at, word in enumerate(words)]
    return "".join(found) + gaps[-1]


def count(parts: Sequence[Part]) -> int:
    """Return how many parts there are for the model."""
    return sum(bool(part.text) for part in parts)


def overlong_notes(text: str) -> list[str]:
    """Return a sentence where words of a text are longer than words are, [] where none is."""
    found = [len(word) for _, word in _overlong(text, WORD_MOST)]
    if not found:
        return []
    which = (f"A word of {found[0]:,} characters stays as it is" if len(found) == 1 else
             f"{len(found):,} words of up to {max(found):,} characters stay as they are")  # fmt: skip
    return [f"{which}: the model is given no word of more than {WORD_MOST} characters."]


def _overlong(text: str, word_most: int) -> Iterator[tuple[int, str]]:
    """Yield place and letters of words that are longer, but for those of scripts that put no space between words."""
    for mark in _WORD.finditer(text):
        if len(mark[0]) > word_most > 0 and not unicodedata.name(mark[0][word_most // 2], "").startswith(_UNSPACED):
            yield mark.start(), mark[0]


def _between(line: str, word_most: int) -> Iterator[tuple[str, str]]:
    """Yield what stays of a line, an overlong word with the space around it, and what follows it for the model."""
    kept, at = "", 0
    for start, word in _overlong(line, word_most):
        said = line[at:start].lstrip()
        kept += line[at : start - len(said)]
        if said:
            yield kept, said.rstrip()
            kept = said[len(said.rstrip()) :]
        kept += word
        at = start + len(word)
    said = line[at:].lstrip()
    yield kept + line[at : len(line) - len(said)], said


def _fitting(line: str, by: By, fits: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a line that fit and the space after each: whole, by sentence, else by words."""
    if by == "lines" and fits(line):
        yield line, ""
        return
    together: tuple[str, str] | None = None  # sentences that still fit as one
    for piece, after in sentences(line):
        if by == "lines" and together and fits(together[0] + together[1] + piece):
            together = together[0] + together[1] + piece, after
            continue
        if together:
            yield together
            together = None
        if by == "lines" and fits(piece):
            together = piece, after
        elif fits(piece):
            yield piece, after
        else:
            yield from _by_words(piece, after, fits)
    if together:
        yield together


def sentences(line: str) -> list[tuple[str, str]]:
    """Return the sentences of a line, each with the space behind it; "" behind the last.

    A dot after a title, a short word known for it or a single letter ends none, nor does one before a small letter.
    """
    found = []
    start = 0
    for mark in _END.finditer(line):
        end = mark.end()
        behind = len(line) - len(line[end:].lstrip()) if end < len(line) and line[end].isspace() else end
        if behind in (end, len(line)) or (mark[0][0] == "." and _goes_on(line[start : mark.start()], line[behind])):
            continue
        found.append((line[start:end], line[end:behind]))
        start = behind
    return [*found, (line[start:], "")] if start < len(line) else found


def _goes_on(before: str, after: str) -> bool:
    last = before.rsplit(None, 1)[-1] if before.strip() else ""
    word = last.lstrip("(\"“«'").lower()
    return after.islower() or word in _SHORT or (len(word) == 1 and word.isalpha() and word != "i")


def _by_words(piece: str, after: str, fits: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yield as many words at a time as fit; a word that does not fit alone is cut between letters."""
    rest = piece
    while rest and not fits(rest):
        size = _most(rest, fits)
        space = max(rest.rfind(" ", 1, size + 1), rest.rfind("\t", 1, size + 1))
        end = space if space > 0 else size
        head = rest[:end].rstrip()
        tail = rest[end:].lstrip()
        yield head, rest[len(head) : len(rest) - len(tail)]
        rest = tail
    if rest:
        yield rest, after


def _most(text: str, fits: Callable[[str], bool]) -> int:
    """Return how many characters of a text that does not fit do, at least one."""
    low, high = 1, 2
    while high < len(text) and fits(text[:high]):
        low, high = high, 2 * high
    high = min(high, len(text))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle)
    return low
