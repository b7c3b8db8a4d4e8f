"""Folk tunes as words of ABC notation: what a tune model writes, read back as bars, notes and a score.

A tune is a line of words divided by spaces: three that say what it is (`M:6/8 K:Dmaj R:jig`), then sections. A section
is bars divided by `|` and ends in `||`, or begins with `|:` and ends in `:|` where it is played twice; a repeated one
may have two endings (`|: … [1 … :| [2 … ||`). A note is ABC's own word, its length in eighths: `d`, `^c2`, `B,/2`,
`z3`, `e3/2`, with `-` where it is tied on. `(3` takes the next three notes in the time of two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

METRES = {"4/4": 8, "2/2": 8, "2/4": 4, "3/4": 6, "6/8": 6, "9/8": 9}  # length of a bar in eighths
TONICS = ("C", "D", "E", "F", "G", "A", "Bb")
MODES = {"maj": "major", "min": "minor", "dor": "Dorian", "mix": "Mixolydian"}
RHYTHMS = ("reel", "jig", "slip jig", "hornpipe", "strathspey", "polka", "waltz", "march", "air", "any")
BARS = ("|", "||", "|:", ":|", "[1", "[2")
NOTE = re.compile(r"(\^|_|=)?([A-Ga-g])(,{0,3}|'{0,3})(\d+)?(?:/(\d+))?(-)?$")
REST = re.compile(r"z(\d+)?(?:/(\d+))?$")
LENGTH_MAX = 1_000  # of either number of a written length: a tune has no note as long or as short
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS, _FLATS = "FCGDAEB", "BEADGCF"
# sharps of the major key of each tonic, and how many more a mode of the same tonic has
_FIFTHS = {"C": 0, "D": 2, "E": 4, "F": -1, "G": 1, "A": 3, "Bb": -2, "B": 5, "Eb": -3, "Ab": -4, "F#": 6, "C#": 7}
_MODE_FIFTHS = {"maj": 0, "mix": -1, "dor": -2, "min": -3}
_ACCIDENTALS = {"^": 1, "_": -1, "=": 0}


@dataclass(frozen=True)
class Note:
    """Hold one sounding note: `pitch` is MIDI's number (None: a rest), times are in eighths."""

    start: Fraction
    length: Fraction
    pitch: int | None
    word: int = 0  # which word of the text it is


@dataclass
class Bar:
    """Hold one bar: its notes from the bar's own start, and its length in eighths."""

    notes: list[Note] = field(default_factory=list)
    length: Fraction = Fraction(0)
    tied: set[int] = field(default_factory=set)  # places of notes that are tied to the next


@dataclass
class Section:
    """Hold bars that are played once or twice; `endings` are the last bars of the first and the second time."""

    bars: list[Bar] = field(default_factory=list)
    repeated: bool = False
    endings: list[list[Bar]] = field(default_factory=list)


@dataclass
class Tune:
    """Hold a tune that was read. `problems` says in words what in it is not well formed."""

    metre: str
    key: str
    rhythm: str
    sections: list[Section]
    problems: list[str] = field(default_factory=list)

    @property
    def bar_length(self) -> int:
        """Return the length of a full bar in eighths."""
        return METRES[self.metre]


def header(metre: str, tonic: str, mode: str, rhythm: str) -> list[str]:
    """Return the three words that a tune begins with."""
    return [f"M:{metre}", f"K:{tonic}{mode}", f"R:{rhythm.replace(' ', '_')}"]


def signature(key: str) -> dict[str, int]:
    """Return what a key (`Dmaj`, `F#min`) makes of each letter: 1 sharp, -1 flat, 0 plain."""
    tonic, mode = key[:-3], key[-3:]
    fifths = _FIFTHS[tonic] + _MODE_FIFTHS[mode]
    found = dict.fromkeys("CDEFGAB", 0)
    for letter in (_SHARPS if fifths > 0 else _FLATS)[: abs(fifths)]:
        found[letter] = 1 if fifths > 0 else -1
    return found


def length_of(word: str) -> Fraction:
    """Return a note's or rest's written length in eighths. Raises `ValueError` for any other word, and above
    `LENGTH_MAX`.
    """
    match = NOTE.match(word) or REST.match(word)
    if match is None:
        raise ValueError(f"{word!r} is not a note")
    numbers = match.groups()[-3:-1] if word[0] != "z" else match.groups()
    long, parts = (int(number[:5]) if number else 1 for number in numbers)
    if not (0 < long <= LENGTH_MAX and 0 < parts <= LENGTH_MAX):
        raise ValueError(f"{word[:20]!r} is longer or shorter than any note")
    return Fraction(long, parts)


def is_note(word: str) -> bool:
    """Say whether a word is a note or a rest of a length that there is."""
    try:
        length_of(word)
    except ValueError:
        return False
    return True


def length_text(length: Fraction) -> str:
    """Return a length in eighths as ABC writes it: "" for 1, "3", "/2", "3/2"."""
    top = "" if length.numerator == 1 else str(length.numerator)
    return top if length.denominator == 1 else f"{top}/{length.denominator}"


def read(text: str) -> Tune:
    """Read a tune as far as it goes. What is not well formed is named in `problems`, never raised."""
    words = text.split()
    tune = Tune("4/4", "Cmaj", "any", [])
    at = 0
    for name, allowed, attribute in (("M:", METRES, "metre"), ("K:", None, "key"), ("R:", None, "rhythm")):
        word = words[at] if at < len(words) else ""
        value = word[2:].replace("_", " ")
        if not word.startswith(name) or (allowed is not None and value not in allowed) or not _is_key(name, value):
            tune.problems.append(f"Word {at + 1} should begin with {name} and is {word[:40]!r}.")
        else:
            setattr(tune, attribute, value)
            at += 1
    _Reader(tune).read(words, at)
    return tune


def _is_key(name: str, value: str) -> bool:
    return name != "K:" or (value[:-3] in _FIFTHS and value[-3:] in MODES)


class _Reader:
    """Read words into a tune's sections, one after another."""

    def __init__(self, tune: Tune) -> None:
        self.tune = tune
        self.plain = signature(tune.key)
        self.section = Section()
        self.bars = self.section.bars
        self.bar = Bar()
        self.altered: dict[str, int] = {}
        self.tuplet = 0
        self.tie: tuple[str, int] | None = None  # name and pitch of a note that is tied on

    def read(self, words: Sequence[str], first: int) -> None:
        for place, word in enumerate(words[first:], first):
            if word in BARS:
                self._bar_line(word)
            elif word == "(3":
                self.tuplet = 3
            elif is_note(word):
                self._note(word, place)
            else:
                self.tune.problems.append(f"Word {place + 1}, {word[:40]!r}, has no meaning here.")
        self._end_bar()
        if self.section.bars or self.section.endings:
            self.tune.problems.append("The last section has no end.")
            self.tune.sections.append(self.section)

    def _note(self, word: str, place: int) -> None:
        length = length_of(word)
        if self.tuplet:
            length *= Fraction(2, 3)
            self.tuplet -= 1
        pitch = None
        match = NOTE.match(word)
        if match is not None:
            accidental, letter, octave = match.group(1, 2, 3)
            height = 12 * (octave.count("'") - octave.count(",") + letter.islower())
            name = letter.upper()
            if accidental:
                self.altered[f"{name}{height}"] = _ACCIDENTALS[accidental]
            pitch = 60 + _STEPS[name] + height + self.altered.get(f"{name}{height}", self.plain[name])
            if self.tie is not None and not accidental and self.tie[0] == f"{name}{height}":
                pitch = self.tie[1]  # a tie carries its accidental over the bar line
            self.tie = (f"{name}{height}", pitch) if word.endswith("-") else None
            if self.tie:
                self.bar.tied.add(len(self.bar.notes))
        self.bar.notes.append(Note(self.bar.length, length, pitch, place))
        self.bar.length += length

    def _end_bar(self) -> None:
        if self.bar.notes:
            self.bars.append(self.bar)
        if self.tuplet:
            self.tune.problems.append("A triplet has fewer than three notes.")
        self.bar, self.altered, self.tuplet = Bar(), {}, 0

    def _bar_line(self, word: str) -> None:
        self._end_bar()
        section, problems = self.section, self.tune.problems
        if word == "|:":
            if section.bars:
                problems.append("A repeat begins before the section before it has ended.")
                self._close()
            self.section = Section(repeated=True)
            self.bars = self.section.bars
        elif word == ":|":
            if not section.repeated:
                problems.append("A repeat ends without having begun.")
                section.repeated = True
            if len(section.endings) != 1:
                self._close()
        elif word in ("[1", "[2"):
            if not section.repeated or len(section.endings) != (word == "[2"):
                problems.append(f"The ending {word} stands in the wrong place.")
            self.bars = []
            section.endings.append(self.bars)
        elif word == "||":
            if section.repeated and len(section.endings) != 2:
                problems.append("A repeat that began has no end.")
                section.repeated = bool(section.endings)
            self._close()

    def _close(self) -> None:
        if self.section.bars or self.section.endings:
            self.tune.sections.append(self.section)
        self.section = Section()
        self.bars = self.section.bars


def bars_of(tune: Tune) -> Iterator[Bar]:
    """Yield every written bar."""
    for section in tune.sections:
        yield from section.bars
        for ending in section.endings:
            yield from ending


def filled(tune: Tune) -> tuple[int, int]:
    """Return how many bars fill their metre, and how many bars there are.

    A section may begin with an upbeat, a shorter first bar; the last bar of the section and of each ending may then be
    shorter by as much, or by the upbeat of the section that follows. Every other bar is as long as the metre says.
    """
    full, good, total = Fraction(tune.bar_length), 0, 0
    upbeats = [one.bars[0].length if one.bars and one.bars[0].length < full else Fraction(0) for one in tune.sections]
    for place, section in enumerate(tune.sections):
        ends = {full - one for one in upbeats[place : place + 2]} | {full}
        for row in (section.bars, *section.endings):
            for number, bar in enumerate(row):
                total += 1
                upbeat = number == 0 and row is section.bars and bar.length < full
                last = number == len(row) - 1 and (row is not section.bars or not section.endings)
                good += bar.length == full or upbeat or (last and bar.length in ends)
    return good, total


def play(tune: Tune, repeats: bool = True) -> list[Note]:
    """Return the notes in the order in which they sound, tied ones joined, times in eighths from the start."""
    notes: list[Note] = []
    now = Fraction(0)
    joined = False
    for bar in played(tune, repeats):
        for place, note in enumerate(bar.notes):
            start = now + note.start
            last = notes[-1] if notes else None
            if joined and last is not None and note.pitch == last.pitch and last.start + last.length == start:
                notes[-1] = Note(last.start, last.length + note.length, last.pitch, last.word)
            else:
                notes.append(Note(start, note.length, note.pitch, note.word))
            joined = place in bar.tied
        now += bar.length
    return notes


def played(tune: Tune, repeats: bool = True) -> Iterator[Bar]:
    """Yield the bars in the order in which they sound."""
    for section in tune.sections:
        endings = section.endings or [[]]
        if not repeats or not section.repeated:
            endings = endings[-1:]
        elif len(endings) == 1:
            endings = endings * 2
        for ending in endings:
            yield from section.bars
            yield from ending


def to_abc(text: str, title: str, tempo: int = 0) -> str:
    """Return a tune as an ABC file's text, four bars to a line, beats joined; `tempo` is in beats a minute."""
    words = text.split()
    said = {word[:2]: word[2:].replace("_", " ") for word in words[:3] if word[1:2] == ":"}
    body = words[len(said) :]
    metre, key = said.get("M:", "4/4"), said.get("K:", "Cmaj")
    beat = "3/8" if metre in ("6/8", "9/8") else "1/2" if metre == "2/2" else "1/4"
    lines = ["X:1", f"T:{' '.join(title.split())}", f"R:{said.get('R:', 'any')}", f"M:{metre}", "L:1/8"]
    lines += [f"Q:{beat}={tempo}"] if tempo else []
    lines.append(f"K:{key}")
    row: list[str] = []
    bars = 0
    for word in _beamed(body, metre):
        row.append(word)
        if word in BARS and word != "|:" and len(row) > 1:
            bars += 1
            if bars % 4 == 0 or word in ("||", ":|"):
                lines.append(" ".join(row))
                row, bars = [], 0
    if row:
        lines.append(" ".join(row))
    return "\n".join(lines) + "\n"


def _beamed(words: Sequence[str], metre: str) -> Iterator[str]:
    """Yield words with the notes of one beam joined: ABC beams what stands without a space between."""
    beam = 3 if metre in ("6/8", "9/8") else 4 if metre in ("4/4", "2/2") else 2
    at, joined, tuplet = Fraction(0), "", 0
    for word in words:
        note = is_note(word)
        if not note and word != "(3":
            if joined:
                yield joined
            yield word
            at, joined, tuplet = Fraction(0), "", 0
            continue
        joined += word
        if word == "(3":
            tuplet = 3
            continue
        at += length_of(word) * (Fraction(2, 3) if tuplet else 1)
        tuplet = max(0, tuplet - 1)
        if at % beam == 0 and not tuplet:
            yield joined
            joined = ""
    if joined:
        yield joined
