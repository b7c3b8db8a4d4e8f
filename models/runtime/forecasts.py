"""How long a request will take: its work, from its settings, times what this machine has measured for its model."""

from __future__ import annotations

import json
import logging
import math
import os
import statistics
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.amounts import span
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.params import ParamField, check
from models.types import ASIDE, Request, Run, is_number

log = logging.getLogger(__name__)
DECAY = 0.8  # what an earlier run still counts after one more
KEPT = 8  # runs of a model of about one amount of work
SPREAD = 2.0  # two amounts that are at least so many times apart tell a fixed part from a part per unit
TOGETHER = " together"  # follows the name of work that was done at once with other such work
AROUND = " around"  # follows the name of work, for what a run takes beside its model: handed over, hashed, kept
GUESS_S = 2.0  # a run with every setting at its default, on a machine that has measured nothing
GUESS_PER_PARAMETER_S = 5e-8
STUDY_S = 2.0


@dataclass(frozen=True)
class Work:
    """Tell what a request asks for: `amount` in units of its model's least work, which is `of` ("" for none measured).

    `each` is the part of the amount that is done in any case; the rest is a length, which a run may leave unused.
    `guess_s` stands for a forecast until something was measured. `by_input`: how much it is follows from the inputs,
    and a run of it tells by what it counted.
    """

    of: str = ""
    amount: float = 1.0
    each: float = 1.0
    guess_s: float = 1.0
    by_input: bool = False

    def times(self, amount: float) -> Work:
        """Return this work for inputs of another amount."""
        amount *= self.each
        return replace(self, amount=amount, guess_s=self.guess_s * amount / self.amount, by_input=True)


def work(fields: Sequence[ParamField], values: Mapping[str, Any]) -> float:
    """Return how many times the least work these values ask for: steps × images × the root of their area, takes."""
    found = 1.0
    for item in fields:
        if item.cost in ("each", "side"):
            value = float(values.get(item.name) or 1)
            found *= value if item.cost == "each" else math.sqrt(value)
    return found


def limit(fields: Sequence[ParamField], values: Mapping[str, Any]) -> int | None:
    """Return the most tokens that one output may have; None for models that do not count in tokens."""
    found = [int(values[item.name]) for item in fields if item.cost == "limit" and values.get(item.name)]
    return found[0] if found else None


def costly(fields: Sequence[ParamField], values: Mapping[str, Any]) -> list[str]:
    """Return the labels of the settings that make a run shorter when they are lowered, as they are set."""
    return [
        item.label for item in fields if item.cost and item.ge is not None and (values.get(item.name) or 0) > item.ge
    ]


def patience(seconds: float, budget_s: float, fields: Sequence[ParamField], values: Mapping[str, Any]) -> str:
    """Return a sentence for a run that takes longer than one should while others wait, else ""."""
    if seconds <= budget_s:
        return ""
    lower = costly(fields, values)
    cure = f", or lower {_listed(lower)}" if lower else ""
    return (
        f"This run takes about {span(seconds)}; where others share the machine, a run should take at most "
        f"{span(budget_s)}. It pauses while shorter runs of others go first. Be patient{cure}."
    )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def work_of(catalog: Catalog, request: Request) -> Work:
    """Return what a request asks for. Raises `UnknownModel`."""
    request = catalog.current(request)
    spec = catalog[request.model]
    if request.study:
        return Work(f"{spec.id}:{request.study}", guess_s=STUDY_S)
    family = catalog.family(spec.id)
    fields = family.fields(spec)
    usual = {item.name: item.default for item in fields}
    asked = {**usual, **request.params}
    each, most = work(fields, asked), limit(fields, asked)
    amount, plain = each * (most or 1), work(fields, usual) * (limit(fields, usual) or 1)
    guess = (GUESS_S + GUESS_PER_PARAMETER_S * spec.parameters) * amount / max(1, plain)
    found = Work(spec.id, amount, each, guess)
    by_input = None
    with suppress(PlaygroundError):  # a run refuses it
        by_input = family.amount(spec, request, check(family.Params, fields, request.params, spec.id))
    return found if by_input is None else found.times(by_input)


class Rates:
    """Keep what each model's work takes on this machine, learnt from finished runs. Thread-safe.

    A run takes a fixed part and a part per unit of work (`_fitted`), and what lies around it: `learn_around`. Of about
    one amount of work the last `KEPT` runs are kept, so that a thousand short runs do not take the place of the long
    ones. They are kept in `file`; one that is damaged or cannot be written costs no more than what was learnt.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._runs: dict[str, list[tuple[float, float]]] = _read(file) if file is not None else {}  # work, seconds
        self._known: dict[tuple[str, float], float] = {}  # forecasts since something was learnt

    def knows(self, work: Work) -> bool:
        """Say whether anything was measured for this kind of work."""
        with self._guard:
            return work.of in self._runs or work.of + TOGETHER in self._runs

    def seconds(self, work: Work, together: bool = False) -> float:
        """Forecast what some work takes, without loading the model; for a length, what it takes at most.

        Of work that is done `together` with other such work it is the part that counts for it. Where only the other of
        the two was measured, that stands for it.
        """
        names = (work.of + TOGETHER, work.of) if together else (work.of, work.of + TOGETHER)
        with self._guard:
            name = next((name for name in names if name in self._runs), "")
            if not name:
                return work.guess_s
            if (name, work.amount) not in self._known:
                around = next((self._runs[one + AROUND] for one in names if one + AROUND in self._runs), ())
                self._known[name, work.amount] = _fitted(self._runs[name], work.amount) + (
                    statistics.median(seconds for _, seconds in around) if around else 0.0
                )
            return self._known[name, work.amount]

    def fitting(self, works: Sequence[Work], left_s: float) -> int:
        """Return how many of the first of some works that are done at once are forecast to end in time; 1 at least."""
        spent = 0.0
        for many, work in enumerate(works):
            spent += self.seconds(work, len(works) > 1)
            if spent > left_s:
                return max(1, many)
        return len(works)

    def learn(self, work: Work, run: Run) -> None:
        """Take in a finished run of that work; one that was stopped, failed or tells no time teaches nothing."""
        spent = run.stats.get("seconds")
        if not work.of or run.status != "done" or not is_number(spent) or run.stats.get("made_before"):
            return
        assert spent is not None
        seconds = float(spent) - float(run.stats.get("load_s") or 0.0)
        amount = work.amount
        made = sum(output.kind not in ASIDE for output in run.outputs)
        if (tokens := run.stats.get("tokens")) and (work.by_input or work.amount > work.each):
            amount = tokens * work.each / max(1, made)  # rows that are written together take the time of one
        elif work.by_input and (steps := run.stats.get("steps")):
            amount = steps * work.each
        if amount <= 0 or seconds <= 0:
            return
        name, many = work.of, run.stats.get("together", 1)
        if many > 1:
            name, seconds = work.of + TOGETHER, seconds / many
        self._note(name, amount, seconds)

    def learn_around(self, work: Work, runs: Sequence[Run], took_s: float) -> None:
        """Take in what some runs of that kind of work, made at once, or one, took in all: queued, made and kept.

        Runs that had to load their model first, or did not end whole, teach nothing.
        """
        whole = all(run.status == "done" and is_number(run.stats.get("seconds")) for run in runs)
        if not work.of or not runs or not whole or any(run.stats.get("load_s") for run in runs):
            return
        inside = [float(run.stats["seconds"]) for run in runs]
        many = [run.stats.get("together", 1) for run in runs]
        if max(many) > 1:  # in one part, or in several where memory is short
            made = max(*inside, sum(seconds / at_once for seconds, at_once in zip(inside, many, strict=True)))
        else:
            made = sum(inside)
        if took_s > made:
            name = work.of + (TOGETHER if max(many) > 1 else "")
            self._note(name + AROUND, 1.0, (took_s - made) / len(runs))

    def _note(self, name: str, amount: float, seconds: float) -> None:
        with self._guard:
            self._runs[name] = _newest([*self._runs.get(name, ()), (amount, seconds)])
            self._known = {}
            if self._file is not None:
                _write(self._file, self._runs)


def _band(amount: float) -> int:
    """Return a number that amounts of work share which are about the same."""
    return round(math.log2(amount))


def _newest(runs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the last `KEPT` runs of each amount of work, in the order in which they came."""
    seen: Counter[int] = Counter()
    found = []
    for amount, seconds in reversed(runs):
        seen[_band(amount)] += 1
        if seen[_band(amount)] <= KEPT:
            found.append((amount, seconds))
    return found[::-1]


def _fitted(runs: Sequence[tuple[float, float]], amount: float) -> float:
    """Return the seconds that an amount of work takes, by runs (amount, seconds) of any amounts.

    A line with a fixed part and a part per unit, neither below 0, so that the sum of |log(line / measured)| over the
    runs is least: one run that was disturbed moves it little. A run counts `DECAY` of what the next one of about its
    amount counts, and less the more its amount differs from the one asked for. Amounts that lie closer together than
    `SPREAD` do not tell the two parts apart: there is no fixed part then.
    """
    seen: Counter[int] = Counter()
    weights = []
    for one, _ in reversed(runs):
        weights.append(DECAY ** seen[_band(one)] / (1 + (2 * math.log2(one / amount)) ** 2))
        seen[_band(one)] += 1
    # (runs,) each
    x, y = np.array(runs, np.float64).T
    weight = np.array(weights[::-1])
    fixed, slope = np.zeros(len(x)), y / x
    if x.max() >= SPREAD * x.min():
        low, high = np.nonzero(x[None] >= SPREAD * x[:, None])
        rise = (y[high] - y[low]) / (x[high] - x[low])
        start = y[low] - rise * x[low]
        good = (rise >= 0) & (start >= 0)
        fixed = np.concatenate([fixed, start[good], y])
        slope = np.concatenate([slope, rise[good], np.zeros(len(y))])
    # (lines, runs): a line that is 0 nowhere, as no time is
    loss = np.abs(np.log((fixed[:, None] + slope[:, None] * x) / y)) @ weight
    best = int(loss.argmin())
    return float(fixed[best] + slope[best] * amount)


def _read(file: Path) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    with suppress(OSError, ValueError, TypeError, AttributeError):
        for name, pairs in json.loads(file.read_text("utf-8")).items():
            good = (
                [(float(pair[0]), float(pair[1])) for pair in pairs if _is_pair(pair)]
                if isinstance(pairs, list)
                else []
            )
            if good:
                found[name] = _newest(good)
    return found


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(is_number(one) and one > 0 for one in value)


def _write(file: Path, runs: Mapping[str, list[tuple[float, float]]]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.{os.getpid()}")
        beside.write_text(json.dumps(runs), "utf-8")
        beside.replace(file)
    except OSError as error:
        log.warning("what runs take was not kept: %s", error)
