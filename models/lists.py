"""Lists in a prompt: `{red|green|blue}` draws one of them, `__animal__` a line of a list that is kept.

What is drawn hangs on the request's seed, and the request keeps the words that were drawn: it stays the whole cause of
its result. The syntax is that of Dynamic Prompts, whose library draws: `{2$$a|b|c}` draws two, `{3::a|b}` makes one
three times as likely. Text without a list is left as it is, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import BadInput
from models.family import Family
from models.settings import PACKAGE_DIR, Settings

OWN = PACKAGE_DIR / "catalog" / "lists"
DEPTH_MAX = 8  # lists within lists
LISTS_MAX = 100  # in a prompt
ENTRIES_MAX = 1_000  # of a prompt's lists in all, names of lists too: the library takes a millisecond for each
MANY = 100  # draws from one list
_NAMED = re.compile(r"__([A-Za-z0-9][A-Za-z0-9-]*(?:_[A-Za-z0-9-]+)*)__")
_MARKS = re.compile(r"[{}|]|\$\$")
_COMMENT = "\ue000"  # the library takes what follows "#" for a comment


@dataclass(frozen=True)
class Drawn:
    """Hold a prompt whose lists were drawn, and the names of lists that nobody knows, which stay as they were."""

    text: str
    unknown: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """Return a sentence about unknown lists, "" where there are none."""
        if not self.unknown:
            return ""
        names = " and ".join(f"__{name}__" for name in self.unknown)
        return (
            f"No list is named {names}, so the name itself stays in the prompt. See the help of the prompt for lists."
        )


def folders(settings: Settings) -> tuple[Path, ...]:
    """Return where lists lie, text files with an entry a line: those of the app, and `lists/` in the data folder."""
    return OWN, settings.data_dir / "lists"


def names(places: Iterable[Path]) -> list[str]:
    """Return the names of all lists."""
    return sorted({file.stem for place in places for file in place.glob("*.txt")})


def draw_inputs(family: Family, given: Mapping[str, str], seed: int, settings: Settings) -> tuple[dict[str, str], str]:
    """Return a request's inputs with the lists drawn in those that may have lists, and a sentence about unknown ones.

    Raises `BadInput` as `draw` does.
    """
    found, said = dict(given), []
    for item in family.inputs:
        if item.lists and item.name in found:
            drawn = draw(found[item.name], seed, folders(settings))
            found[item.name] = drawn.text
            said += [drawn.said] if drawn.said else []
    return found, " ".join(said)


def draw(text: str, seed: int, places: Iterable[Path]) -> Drawn:
    """Return `text` with one entry drawn from each of its lists, the same ones for the same seed.

    Raises `BadInput` for lists within lists deeper than `DEPTH_MAX`, more than `LISTS_MAX` lists or `ENTRIES_MAX`
    entries, a list that draws more than `MANY` times, and a list file that cannot be read.
    """
    parts = _parts(text)
    if len(parts) == 1 and not _NAMED.search(text):
        return Drawn(text)
    entries = sum(part.count("|") + part.count("{") for part in parts[1::2]) + len(_NAMED.findall(text))
    if entries > ENTRIES_MAX:
        raise BadInput(
            f"The lists of the prompt have {entries:,} entries; at most {ENTRIES_MAX:,} are allowed. Keep a long list "
            "as a file, an entry a line, and write its __name__."
        )
    generator, known = _generator(seed, tuple(places))
    unknown: dict[str, None] = {}

    def one(part: str) -> str:
        for name in _NAMED.findall(part):
            if name not in known:
                unknown[name] = None
        return _ask(generator, part)

    def words(part: str) -> str:
        """Draw the named lists of a stretch without braces, which may hold what the library would read otherwise."""
        return _NAMED.sub(lambda found: one(found[0]) if found[1] in known else note(found), part)

    def note(found: re.Match[str]) -> str:
        unknown[found[1]] = None
        return found[0]

    return Drawn("".join(one(part) if at % 2 else words(part) for at, part in enumerate(parts)), tuple(unknown))


def _parts(text: str) -> list[str]:
    """Return stretches of plain text and lists in turn; braces that hold no list, or have no end, are plain text."""
    parts, plain = [], 0
    for start, end, depth, drawn in _braces(text):
        if start < plain or not drawn or text[max(0, start - 1) : start] in ("\\", "$", "%"):
            continue
        inside = text[start:end]
        if depth > DEPTH_MAX:
            raise BadInput(f"Lists stand in lists more than {DEPTH_MAX} deep at character {start + 1}. Nest fewer.")
        parts += [text[plain:start], inside]
        plain = end
    if len(parts) > 2 * LISTS_MAX:
        raise BadInput(f"The prompt has {len(parts) // 2:,} lists; at most {LISTS_MAX} are allowed.")
    return [*parts, text[plain:]]


def _braces(text: str) -> list[tuple[int, int, int, bool]]:
    """Return start, end and depth of every pair of braces, and whether a list stands in it, by start: the outer before
    the inner.
    """
    found, open_at = [], list[tuple[int, int, bool]]()  # where each opened, how deep it is by now, has it entries
    for mark in _MARKS.finditer(text):
        if mark[0] == "{":
            open_at.append((mark.start(), 1, False))
        elif not open_at:
            continue
        elif mark[0] != "}":
            start, depth, _ = open_at[-1]
            open_at[-1] = (start, depth, True)
        else:
            start, depth, drawn = open_at.pop()
            found.append((start, mark.end(), depth, drawn))
            if open_at:
                outer, deepest, own = open_at[-1]
                open_at[-1] = (outer, max(deepest, depth + 1), own or drawn)
    return sorted(found)


def _generator(seed: int, places: tuple[Path, ...]) -> tuple[Any, dict[str, Any]]:
    from dynamicprompts.generators import RandomPromptGenerator
    from dynamicprompts.wildcards import WildcardManager

    known: dict[str, Any] = {}
    for place in places:
        for file in sorted(place.glob("*.txt")):
            try:
                lines = file.read_text("utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise BadInput(f"The list {file.name} cannot be read: it must be UTF-8, an entry a line.") from error
            known[file.stem] = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return RandomPromptGenerator(WildcardManager(root_map={"": [known]}), seed=seed), known


def _ask(generator: Any, part: str) -> str:
    found = re.findall(r"(?<!\d)(\d+)(?:-(\d+))?\$\$", part)
    counts = [int(count.lstrip("0")[:9] or 0) for pair in found for count in pair if count]
    if max(counts, default=0) > MANY:
        raise BadInput(f"A list draws {max(counts):,} times; at most {MANY} are allowed.")
    from pyparsing import ParseException

    try:
        drawn = str(generator.generate(part.replace("#", _COMMENT), 1)[0])
    except (ParseException, RecursionError, ValueError):
        return part  # braces that are no list after all
    return drawn.replace(_COMMENT, "#")
