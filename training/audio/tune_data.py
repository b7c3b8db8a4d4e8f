"""Read folk tunes in ABC notation into the words of `models.audio.tunes`.

The sources are the tunes of MIT's course 6.S191 (Irish, from the Session's collections by Norbeck and others) and the
collections that the `music21` package carries as files: O'Neill's Music of Ireland (1850 tunes), Ryan's Mammoth
Collection, Aird's Airs, Bruce and Stokoe's Northumbrian Minstrelsy and fife tunes of the American wars. Only music of
the public domain is taken; each header is read for a claim on it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

from models.audio import tunes

HELD_OUT = 0.05
COLLECTIONS = ("oneills1850", "ryansMammoth", "airdsAirs", "miscFolk")  # in this order: the last one moves no other
MAX_WORDS = 400
_SKIP = re.compile(
    r'"[^"]*"|\{[^}]*\}|![^!\s]+!|\+[^+\s]+\+|\[[a-zA-Z]:[^\]]*\]|[~.HLMOPSTuvJRWXYk`\\]|y\d*|\$|\((?!\d)|\)', re.ASCII
)
_WORD = re.compile(
    r":\|:|::|:\|\]?|\|:|\[\||\|\||\|\]|\|?\s*\[?[12](?=\D|$)|\||\(\d|[\^_=]*[A-Ga-g][,']*\d*(?:/+\d*)?-?|[zxZ]\d*(?:/+\d*)?|[<>]+"
    r"|\[[^\]|]*\]\d*(?:/+\d*)?-?|:|\S",
    re.ASCII,
)
_RHYTHMS = {
    "reel": "reel", "jig": "jig", "double jig": "jig", "single jig": "jig", "slide": "jig", "slipjig": "slip jig",
    "slip jig": "slip jig", "hop jig": "slip jig", "hornpipe": "hornpipe", "clog": "hornpipe",
    "strathspey": "strathspey", "highland fling": "strathspey", "fling": "strathspey", "polka": "polka",
    "waltz": "waltz", "march": "march", "quickstep": "march", "air": "air", "song": "air", "slow air": "air",
}  # fmt: skip
# O'Neill's title page: 625 airs, 75 pieces of Carolan and others, 415 double jigs, 60 slip jigs, 380 reels, 225
# hornpipes, 20 long dances, 50 marches, in this order
_ONEILLS = ((625, "air"), (700, "any"), (1115, "jig"), (1175, "slip jig"), (1555, "reel"), (1780, "hornpipe"),
            (1800, "any"), (1850, "march"))  # fmt: skip
_MODE_NAMES = {
    "": "maj",
    "maj": "maj",
    "ion": "maj",
    "m": "min",
    "min": "min",
    "aeo": "min",
    "dor": "dor",
    "mix": "mix",
}
_METRES = {"C": "4/4", "C|": "2/2", "4/4": "4/4", "2/2": "2/2", "2/4": "2/4", "3/4": "3/4", "6/8": "6/8", "9/8": "9/8"}
_LETTERS = "CDEFGAB"


@dataclass
class Source:
    """Hold one tune of the data: its header, its words, and where it is from."""

    title: str
    metre: str
    tonic: str
    mode: str
    rhythm: str
    words: list[str]  # without the header
    source: str = ""


@dataclass
class Collection:
    """Hold all tunes, split by title, and what was left out and why."""

    train: list[Source] = field(default_factory=list)
    held_out: list[Source] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


def load_tunes(data: Path) -> Collection:
    """Read every tune. Held out are those whose title falls in the lowest `HELD_OUT` of all hashes.

    Two settings of a tune share its title and so its side; a tune whose first bars another one has, too, in scale
    degrees, goes where that one went.
    """
    found = Collection()
    sides: dict[str, bool] = {}
    for source, text in _files(data):
        for block in re.split(r"\n(?=X:)", text):
            try:
                tune = read_tune(block, source)
            except ValueError as error:
                reason = str(error)
                found.dropped[reason] = found.dropped.get(reason, 0) + 1
                continue
            marks = {re.sub(r"\W|^the ", "", tune.title.lower()), _incipit(tune)}
            known = {sides[mark] for mark in marks if mark in sides}
            held_out = min(known) if known else _fraction(min(marks)) < HELD_OUT
            sides |= dict.fromkeys(marks, held_out)
            (found.held_out if held_out else found.train).append(tune)
    return found


def _files(data: Path) -> Iterator[tuple[str, str]]:
    for file in sorted((data / "tunes").iterdir()):
        yield "tunes", file.read_text("utf-8", errors="replace")
    spec = find_spec("music21")
    if spec is not None and spec.origin:
        for name in COLLECTIONS:
            for file in sorted((Path(spec.origin).parent / "corpus" / name).glob("*.abc")):
                yield name, file.read_text("utf-8", errors="replace").replace("\r", "")


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def _incipit(tune: Source) -> str:
    """Return the first bars as scale degrees, so that one tune in two keys is known for one."""
    plain = transpose(tune, "C")
    letters = [word.strip("^_=,'-0123456789/").lower() for word in (plain or tune).words if tunes.NOTE.match(word)]
    return "".join(letters[1:17])


def read_tune(block: str, source: str = "") -> Source:
    """Read one ABC tune. Raises `ValueError` with the reason for one that cannot be said in our words."""
    header: dict[str, str] = {}
    lines: list[str] = []
    for raw in block.splitlines():
        line = raw.split("%")[0].strip()
        if re.match(r"[A-Za-z]:", line) and not line.startswith(("|:", "::")):
            if line[0] == "V":
                raise ValueError("several voices")
            if "K" in header and line[0] in "KML":
                raise ValueError("changes its key, metre or unit")
            if line[0] in "CZS" and re.search(r"copyright|©|all rights", line, re.I):
                raise ValueError("a claim on it")
            if "K" not in header:
                header[line[0]] = header.get(line[0], line[2:].strip())
        elif "K" in header:
            lines.append(line.removesuffix("!").removesuffix("\\"))
    metre = _METRES.get(header.get("M", "").strip())
    if metre is None:
        raise ValueError("another metre")
    tonic, mode = _read_key(header.get("K", ""))
    unit = Fraction(header.get("L", "1/8").strip()) * 8
    words = _read_body(" ".join(lines), unit)
    tune = Source(header.get("T", "").strip(), metre, tonic, mode, _rhythm(header, metre), words, source)
    read = tunes.read(" ".join([*tunes.header(metre, tonic, mode, tune.rhythm), *words]))
    if read.problems:
        raise ValueError("not well formed")
    good, total = tunes.filled(read)
    if total < 6 or good < 0.95 * total:
        raise ValueError("bars that do not fill their metre")
    if len(words) > MAX_WORDS:
        raise ValueError("too long")
    return tune


def _read_key(text: str) -> tuple[str, str]:
    match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", text.strip())
    if match is None:
        raise ValueError("no key")
    tonic, mode = match[1] + match[2], _MODE_NAMES.get(match[3].lower() if match[3] == "m" else match[3].lower()[:3])
    if mode is None or tonic not in tunes._FIFTHS:
        raise ValueError("another mode")
    return tonic, mode


def _rhythm(header: dict[str, str], metre: str) -> str:
    named = _RHYTHMS.get(header.get("R", header.get("G", "")).strip().lower())
    title = header.get("T", "").lower()
    named = named or next((value for name, value in _RHYTHMS.items() if re.search(rf"\b{name}\b", title)), None)
    number = re.search(r"O'Neill's (\d+)", header.get("B", ""))
    if named is None and number:
        named = next((name for last, name in _ONEILLS if int(number[1]) <= last), "any")
    group = re.search(r"id:\w+-([a-z]+)-", header.get("Z", ""))
    named = named or (_RHYTHMS.get(group[1]) if group else None)
    if named == "slip jig" and metre != "9/8":
        named = "jig" if metre == "6/8" else None
    if named == "jig" and metre == "9/8":
        named = "slip jig"
    return named if named in tunes.RHYTHMS else "any"


def _read_body(text: str, unit: Fraction) -> list[str]:
    """Return our words for a body: broken rhythms written out, sections with explicit beginnings and ends."""
    text = _SKIP.sub("", re.sub(r'"[^"]*"', "", text))
    out: list[str] = []
    broken = Fraction(1)  # what the note before leaves for the next one
    for word in _WORD.findall(text):
        word = word.replace(" ", "")
        if word[0] in "<>":
            if not out or not (tunes.NOTE.match(out[-1]) or tunes.REST.match(out[-1])):
                raise ValueError("a broken rhythm without a note")
            short = Fraction(1, 2 ** len(word))
            factor, broken = (2 - short, short) if word[0] == ">" else (short, 2 - short)
            out[-1] = _scaled(out[-1], factor)
        elif word[0] == "[" and len(word) > 2 and word[1] not in "12|":
            inner = re.findall(r"[\^_=]*[A-Ga-g][,']*\d*(?:/+\d*)?", word)  # a chord: its top note alone
            if not inner:
                raise ValueError("a bracket that is no chord")
            outer = word[word.index("]") + 1 :]
            out.append(_note(max(inner, key=_height) + outer, unit, broken))
            broken = Fraction(1)
        elif re.match(r"[\^_=]*[A-Ga-gzxZ]", word):
            if word[0] == "Z":
                raise ValueError("rests of several bars")
            out.append(_note(word.replace("x", "z"), unit, broken))
            broken = Fraction(1)
        elif word.startswith("(") and word[1:].isdigit():
            if word != "(3":
                raise ValueError("another tuplet")
            out.append(word)
        elif word.strip("|[]:") in ("", "1", "2"):
            out.append(word)
        else:
            raise ValueError("a sign that is not read")
    return _sections(out)


def _height(note: str) -> int:
    return 7 * (note.count("'") - note.count(",")) + sum(7 for letter in note if letter.islower()) + \
        next(_LETTERS.index(letter.upper()) for letter in note if letter.isalpha())  # fmt: skip


def _note(word: str, unit: Fraction, factor: Fraction) -> str:
    match = re.match(r"([\^_=]*)([A-Ga-gz][,']*)(\d*)(/*)(\d*)(-?)$", word)
    if match is None or len(match[1]) > 1:
        raise ValueError("a note that is not read")
    below = int(match[5]) if match[5] else 2 ** len(match[4])
    length = Fraction(int(match[3] or 1), below) * unit * factor
    if length <= 0 or length.denominator not in (1, 2, 4, 8) or length > 12:
        raise ValueError("a length that is not read")
    return f"{match[1]}{match[2]}{tunes.length_text(length)}{match[6]}"


def _scaled(word: str, factor: Fraction) -> str:
    tie = "-" if word.endswith("-") else ""
    stem = re.match(r"(?:[\^_=]?[A-Ga-g][,']*|z)", word)
    assert stem is not None
    return f"{stem[0]}{tunes.length_text(tunes.length_of(word) * factor)}{tie}"


def _sections(words: list[str]) -> list[str]:
    """Return words whose every section has its bounds: `|: … :|`, with endings `|: … [1 … :| [2 … ||`, or `… ||`."""
    out: list[str] = []
    section: list[str] = []
    first: list[str] | None = None  # the section so far, once its first ending began
    wanted = ""  # which ending comes now

    def bars(row: list[str]) -> list[str]:
        """Return a row without bar lines at its ends or twice in a row."""
        kept: list[str] = []
        for word in row:
            if word != "|" or (kept and kept[-1] != "|"):
                kept.append(word)
        return kept[:-1] if kept and kept[-1] == "|" else kept

    def close(repeated: bool) -> None:
        nonlocal section, first, wanted
        row = bars(section)
        if first is not None:
            if wanted == "2" and row:
                out.extend(["[2", *row, "||"])
            elif row:
                raise ValueError("an ending without its repeat")
            first, wanted = None, ""
        elif row:
            out.extend(["|:", *row, ":|"] if repeated else [*row, "||"])
        section = []

    for word in words:
        number = word.strip("|[]:")
        if number in ("1", "2") and not tunes.NOTE.match(word):
            if number == "1":
                if first is not None or not bars(section):
                    raise ValueError("endings in another order")
                first = bars(section)
                out.extend(["|:", *first, "[1"])
                section, wanted = [], "1"
            elif first is None:
                raise ValueError("a second ending alone")
            else:
                if wanted == "1":
                    row = bars(section)
                    if not row:
                        raise ValueError("an empty ending")
                    out.extend([*row, ":|"])
                section, wanted = [], "2"
        elif ":" in word:
            if first is not None and wanted == "1":
                row = bars(section)
                if not row:
                    raise ValueError("an empty ending")
                out.extend([*row, ":|"])
                section, wanted = [], "1 done"
            elif word.startswith(":") or "|" in section:
                close(word.startswith(":"))
            # else an upbeat before the repeat: it is played each time
        elif word in ("||", "|]", "[|"):
            if first is None or wanted == "2":
                close(False)
        else:
            section.append(word)
    if wanted in ("1", "1 done"):
        raise ValueError("an ending without its repeat")
    close(False)
    return out


def transpose(tune: Source, tonic: str) -> Source | None:
    """Return the tune in another key of the same mode, in the nearest octave; None where a sign has no name there."""
    before = tunes.signature(tune.tonic + tune.mode)
    try:
        after = tunes.signature(tonic + tune.mode)
    except KeyError:
        return None
    up = (_LETTERS.index(tonic[0]) - _LETTERS.index(tune.tonic[0])) % 7
    heights = [_height(word) for word in tune.words if tunes.NOTE.match(word)]
    # keep the middle of the tune within the range of a fiddle's first position
    shift = min((up - 14, up - 7, up, up + 7), key=lambda steps: abs(sum(heights) / len(heights) + steps - 7.5))
    words = []
    for word in tune.words:
        match = tunes.NOTE.match(word)
        if match is None:
            words.append(word)
            continue
        letter = match[2].upper()
        octave, step = divmod(_height(word) + shift, 7)
        target = _LETTERS[step]
        sign = ""
        if match[1]:
            raised = {"^": 1, "_": -1, "=": 0}[match[1]] - before[letter] + after[target]
            if raised not in (-1, 0, 1):
                return None
            sign = {1: "^", 0: "=", -1: "_"}[raised]
        name = target if octave < 1 else target.lower()
        marks = "," * -octave if octave < 0 else "'" * (octave - 1)
        rest = word[match.end(3) :]
        words.append(f"{sign}{name}{marks}{rest}")
    return Source(tune.title, tune.metre, tonic, tune.mode, tune.rhythm, words, tune.source)
