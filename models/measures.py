"""What can be measured of a result: a declaration that rooms and families make, and what holds for every kind.

A room's measures are `MEASURES` in a `measures.py` beside its folder of families, a family's own its attribute
`measures`; `models.measuring` finds and computes them. A measure says how much, never whether that is good.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from models.types import ASIDE, Output, Run

Takes = Literal["output", "pair", "run", "judged", "judged pair"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACES_MOST = 6


@dataclass(frozen=True)
class Measure:
    """Declare a number that is read from results: `of` returns it, finite, or None where there is none.

    `name` is its column in tables, `label` and `unit` are its words, `help` one sentence (at most 25 words), `places`
    how many digits stand behind the point. `kinds` are the kinds of output that it is of, none of them for a run.
    `takes` says what `of` is called with: "output" (an `Output`), "pair" (an output and the reference's of the same
    index), "run" (a `Run`, without files), or, as an attribute of a family that judges what other models make,
    "judged" (an output, what was asked for, the folder of the judging model's weights) or "judged pair" (an output, the
    reference's, that folder): of the judging model's own collection alone, where it has one. `of` is pure.
    A `heavy` one reads the outputs' files or needs large libraries: it runs in a process of its own, with the bytes in
    `data`; others see an output without its file. One with `aside` is of results of `kinds`, and reads the outputs of
    these kinds that are kept beside them. A greater `version` makes what was kept of before count no more.
    A measure of pairs with `apart` says how far apart two results are, whichever comes first: 0 for the same, more the
    less alike they are; by a room's first one its settings are compared (`models.sweeps.sensitivity`).
    One that is not `steady` differs between two runs of the same request, as a time does: it is shown, but no effect is
    told of it. Raises `TypeError` for what is none of these.
    """

    name: str
    label: str
    of: Callable[..., float | None]
    unit: str = ""
    kinds: tuple[str, ...] = ()
    takes: Takes = "output"
    heavy: bool = False
    places: int = 2
    help: str = ""
    version: int = 1
    aside: tuple[str, ...] = ()
    steady: bool = True
    apart: bool = False

    def __post_init__(self) -> None:
        """Refuse a wrong declaration, so that it fails at import."""
        if not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise TypeError(f"Measure name is {self.name!r}; it must be small letters, digits and _, as distinct_2.")
        where = f"Measure {self.name}"
        if not (isinstance(self.label, str) and self.label.strip()):
            raise TypeError(f"{where}: label is {self.label!r}; it must be a text that can be read.")
        if self.takes not in get_args(Takes):
            raise TypeError(f"{where}: takes is {self.takes!r}; it must be one of {', '.join(get_args(Takes))}.")
        if not (isinstance(self.kinds, tuple) and all(isinstance(one, str) and one for one in self.kinds)):
            raise TypeError(f"{where}: kinds is {self.kinds!r}; it must be a tuple of kinds of output.")
        if (self.takes == "run") == bool(self.kinds):
            raise TypeError(f"{where}: kinds is {self.kinds!r}; a measure of a run has none, any other one or more.")
        if (self.takes == "run" and self.heavy) or (self.judges and not self.heavy):
            raise TypeError(f"{where}: heavy is {self.heavy!r}; a measure of a run is not, one that judges is.")
        if not (isinstance(self.aside, tuple) and set(self.aside) <= ASIDE):
            raise TypeError(f"{where}: aside is {self.aside!r}; it must be a tuple of {', '.join(sorted(ASIDE))}.")
        if self.apart and self.takes != "pair":
            raise TypeError(f"{where}: apart is {self.apart!r}; only a measure of pairs says how far apart they are.")
        if not callable(self.of):
            raise TypeError(f"{where}: of is {self.of!r}; it must be a function.")
        if isinstance(self.places, bool) or self.places not in range(_PLACES_MOST + 1):
            raise TypeError(f"{where}: places is {self.places!r}; it must be a whole number from 0 to {_PLACES_MOST}.")

    @property
    def judges(self) -> bool:
        """Say whether `of` is called with the weights of a model that judges."""
        return self.takes.startswith("judged")

    @property
    def pairs(self) -> bool:
        """Say whether `of` is called with the reference's output too."""
        return self.takes.endswith("pair")

    @property
    def read(self) -> tuple[str, ...]:
        """Return the kinds of the outputs that `of` is called with."""
        return self.aside or self.kinds

    def words(self, value: float, *, signed: bool = False) -> str:
        """Say a value with its unit: "0.42", "−16.2 LUFS"; `signed`: "+3 words"."""
        text = f"{value:{'+' if signed else ''},.{self.places}f}"
        if not value or not float(text.replace(",", "")):
            text = f"{0:.{self.places}f}"
        return f"{text} {self.unit}".strip().replace("-", "−")


def _seconds(run: Run) -> float | None:
    seconds = run.stats.get("seconds")
    return None if seconds is None else seconds / max(1, int(run.stats.get("together") or 1))


def _peak(run: Run) -> float | None:
    peak = run.stats.get("peak_bytes")
    return peak / 1e6 if peak else None


def _bytes(run: Run) -> float | None:
    """Return the size of the results' files in kB: `models.measuring` notes each as `file_bytes` in its `meta`.

    What is plain text has no file to speak of: its size would say again how many characters it has.
    """
    files = [one for one in run.outputs if one.kind not in ASIDE and one.media_type != Output.media_type]
    sizes = [float(one.meta["file_bytes"]) for one in files if "file_bytes" in one.meta]
    return sum(sizes) / 1e3 if sizes else None


COMMON = (
    Measure("run_seconds", "Time", _seconds, "s", takes="run", steady=False,
            help="Seconds that the run took; of runs made at once, its share."),
    Measure("peak_mb", "Peak memory", _peak, "MB", takes="run", places=0, steady=False,
            help="The most memory that the process held during the run."),
    Measure("file_kb", "File size", _bytes, "kB", takes="run", places=1, help="Size of the result's files."),
)  # fmt: skip
