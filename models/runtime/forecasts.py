"""How long a request will take: its work, from its settings, times what this machine has measured for its model."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.amounts import span
from models.catalog import Catalog
from models.params import ParamField
from models.types import ASIDE, Request, Run, is_number

log = logging.getLogger(__name__)
DECAY = 0.8  # what an earlier run still counts after one more
KEPT = 12  # runs of a model
TOGETHER = " together"  # follows the name of work that was done at once with other such work
GUESS_S = 2.0  # a run with every setting at its default, on a machine that has measured nothing
GUESS_PER_PARAMETER_S = 5e-8
STUDY_S = 2.0


@dataclass(frozen=True)
class Work:
    """Tell what a request asks for: `amount` in units of its model's least work, which is `of` ("" for none measured).

    `each` is the part of the amount that is done in any case; the rest is a length, which a run may leave unused.
    `guess_s` stands for a forecast until something was measured.
    """

    of: str = ""
    amount: float = 1.0
    each: float = 1.0
    guess_s: float = 1.0


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
    fields = catalog.family(spec.id).fields(spec)
    usual = {item.name: item.default for item in fields}
    asked = {**usual, **request.params}
    each, most = work(fields, asked), limit(fields, asked)
    amount, plain = each * (most or 1), work(fields, usual) * (limit(fields, usual) or 1)
    guess = (GUESS_S + GUESS_PER_PARAMETER_S * spec.parameters) * amount / max(1, plain)
    return Work(spec.id, amount, each, guess)


class Rates:
    """Keep what a unit of each model's work takes on this machine, learnt from finished runs. Thread-safe.

    A rate is the mean over the last runs of seconds per unit of work, in which a run counts `DECAY` of what the one
    after it counts, and less the more its work differs: small runs do not tell of large ones. They are kept in `file`;
    one that is damaged or cannot be written costs no more than what was learnt.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._runs: dict[str, list[tuple[float, float]]] = _read(file) if file is not None else {}  # work, seconds

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
            found = list(next((self._runs[name] for name in names if name in self._runs), ()))
        if not found:
            return work.guess_s
        rates, weights = 0.0, 0.0
        for age, (amount, seconds) in enumerate(reversed(found)):
            weight = DECAY**age / (1 + (2 * math.log2(amount / work.amount)) ** 2)
            rates, weights = rates + weight * seconds / amount, weights + weight
        return work.amount * rates / weights

    def learn(self, work: Work, run: Run) -> None:
        """Take in a finished run of that work; one that was stopped, failed or tells no time teaches nothing."""
        spent = run.stats.get("seconds")
        if not work.of or run.status != "done" or not is_number(spent):
            return
        assert spent is not None
        seconds = float(spent) - float(run.stats.get("load_s") or 0.0)
        amount = work.amount
        if (tokens := run.stats.get("tokens")) and work.amount > work.each:
            made = sum(output.kind not in ASIDE for output in run.outputs)
            amount = tokens * work.each / max(1, made)  # rows that are written together take the time of one
        if amount <= 0 or seconds <= 0:
            return
        name, many = work.of, run.stats.get("together", 1)
        if many > 1:
            name, seconds = work.of + TOGETHER, seconds / many
        with self._guard:
            self._runs[name] = [*self._runs.get(name, ()), (amount, seconds)][-KEPT:]
            if self._file is not None:
                _write(self._file, self._runs)


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
                found[name] = good[-KEPT:]
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
