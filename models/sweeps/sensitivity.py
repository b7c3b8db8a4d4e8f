"""What matters here: each setting of a request moved by a step, alone, and how far that moves the result.

A trial is the request itself at some seeds, and for each setting that acts in it the same request with that setting
moved by a step (`values.nudged`), at the same seeds. How far two results are apart is said by a measure of their room
(`Measure.apart`); it is told in units of seed noise: how far the request's own results at two seeds are apart. At 1 a
step moves the result as far as another seed does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.amounts import span
from models.errors import BadParam, PlaygroundError
from models.labels import value_words
from models.measuring import Offer, Wanted
from models.params import ParamField, in_effect
from models.sweeps import cells, measured
from models.sweeps.cells import Cell, Plan
from models.sweeps.results import Result
from models.sweeps.spec import SEED, Axis, Sweep
from models.sweeps.values import nudged
from models.types import SEED_MAX, Request

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings

SEEDS_MOST, SEEDS_LEAST = 4, 2  # of a trial; from four on its order is told without a doubt
BUDGET_S = 60.0


@dataclass(frozen=True)
class Nudge:
    """Hold a setting, its value in the request and the one a step away."""

    item: ParamField
    start: Any
    end: Any

    @property
    def words(self) -> str:
        """Say the step: "Temperature 0.8 → 1"."""
        return f"{self.item.label} {value_words(self.item, self.start)} → {value_words(self.item, self.end)}"


@dataclass(frozen=True)
class Trial:
    """Hold what is run to find out what matters.

    `plan` has a row of cells for the request and one for each nudge, with a column for each of the `seeds`; its sweep
    holds the request and the seeds alone. `still` are the settings that act and have no step, such as texts.
    """

    plan: Plan
    seeds: tuple[int, ...]
    nudges: tuple[Nudge, ...]
    still: tuple[ParamField, ...] = ()

    @property
    def request(self) -> Request:
        """Return the request that is tried."""
        return self.plan.sweep.request

    def cell(self, nudge: int, seed: int) -> Cell:
        """Return a cell by the index of its nudge, −1 for the request itself, and of its seed."""
        return self.plan.cells[(nudge + 1) * len(self.seeds) + seed]

    def ordered(self) -> list[Cell]:
        """Return the cells to compute so that a beginning tells most: two seeds of the request and of each nudge first.

        Nudges come in the order of the form, settings that are folded away in it last.
        """
        rows = sorted(range(-1, len(self.nudges)), key=lambda at: (at >= 0, at >= 0 and self.nudges[at].item.advanced))
        first, then = range(len(self.seeds))[:SEEDS_LEAST], range(len(self.seeds))[SEEDS_LEAST:]
        by_row = itertools.product(rows, first)
        by_seed = ((at, seed) for seed, at in itertools.product(then, rows))
        return [cell for at, seed in itertools.chain(by_row, by_seed) if (cell := self.cell(at, seed)).is_first]


def trial(catalog: Catalog, request: Request, seeds: int = SEEDS_MOST) -> Trial:
    """Return what is run to find out what matters in a request; one seed alone where chance has no part in it.

    A setting that does nothing in the request is left out, one whose step makes no other request, and one that only
    says how many outputs are made or answers listed: that is nothing of a result. Raises `BadParam` and `BadInput` for
    a request that cannot run, and `UnknownModel`.
    """
    request = catalog.current(request)
    values = {**catalog.full(request).params, SEED: request.seed}
    fields = catalog.family(request.model).fields(catalog[request.model])
    acting = [item for item in fields if item.name in in_effect(fields, values)]
    many = seeds if any(item.type == "seed" for item in acting) else 1
    taken = tuple((request.seed + at) % (SEED_MAX + 1) for at in range(many))
    base = Cell(0, (0, 0), request, 0)
    rows, nudges, still = [], list[Nudge](), []
    for item in acting:
        if item.type == "seed" or item.counts:
            continue
        steps = nudged(item, values[item.name])
        step, there = next(
            ((step, there) for step in steps if (there := _moved(catalog, request, item.name, values, step))),
            (None, None),
        )  # fmt: skip
        if there is None:
            still += [] if steps else [item]
            continue
        base, nudge = there
        acts = many > 1 and SEED in in_effect(fields, {**values, item.name: step})
        nudges.append(Nudge(item, values[item.name], step))
        rows.append((nudge.request, acts))
    if not rows:
        raise BadParam(f"{catalog[request.model].name} has no setting here that can be moved by a step.")
    made: list[Cell] = []
    for at, (asked, acts) in enumerate([(base.request, many > 1), *rows]):
        for place, seed in enumerate(taken):
            number = len(made)
            made.append(Cell(number, (at, place), asked.model_copy(update={"seed": seed if acts else asked.seed}),
                             number if acts else number - place))  # fmt: skip
    return Trial(Plan(Sweep(request, (Axis(SEED, taken),)), tuple(made)), taken, tuple(nudges), tuple(still))


def _moved(
    catalog: Catalog, request: Request, name: str, values: Mapping[str, Any], step: Any
) -> tuple[Cell, Cell] | None:
    """Return the cells of a request and of one of its settings a step away; None where that cannot run, or is alike."""
    try:
        here, there = cells.plan(catalog, Sweep(request, (Axis(name, (values[name], step)),))).cells
    except PlaygroundError:  # such as a size that the model does not make
        return None
    return (here, there) if there.is_first else None


def fitting(catalog: Catalog, request: Request, budget_s: float, seconds: Callable[[Cell], float]) -> Trial:
    """Return the trial with the most seeds that its forecast leaves time for, at least `SEEDS_LEAST`.

    `seconds` forecasts a cell. Raises as `trial` does.
    """
    found = trial(catalog, request)
    seeds = seeds_fitting(found, budget_s, seconds)
    return found if seeds == SEEDS_MOST else trial(catalog, request, seeds)


def seeds_fitting(found: Trial, budget_s: float, seconds: Callable[[Cell], float]) -> int:
    """Return how many seeds a trial of `SEEDS_MOST` should have so that it ends in time, at least `SEEDS_LEAST`."""
    each = sum(map(seconds, found.plan.distinct)) / len(found.seeds)
    if len(found.seeds) < SEEDS_MOST:  # chance has no part
        return SEEDS_MOST
    return max(SEEDS_LEAST, min(SEEDS_MOST, int(budget_s / max(each, 1e-9))))


def cost_words(found: Trial, left: int, seconds: float, budget_s: float) -> str:
    """Say what a trial takes: "21 settings × 4 seeds: 85 runs, about 90 s in all, and it stops after 60 s"."""
    seeds = f"{len(found.seeds)} seed{'s' * (len(found.seeds) != 1)}"
    whole = len(found.plan.distinct)
    to_make = "all here already" if not left else f"{left:,} of them to make" if left < whole else ""
    time = (
        f"about {span(seconds)}"
        if seconds <= budget_s
        else f"about {span(seconds)} in all, and it stops after {span(budget_s)}"
    )
    settings = f"{len(found.nudges)} setting{'s' * (len(found.nudges) != 1)}"
    return ", ".join(part for part in (f"{settings} × {seeds}: {whole:,} runs", to_make, time if left else "") if part)


# -- what it says ------------------------------------------------------------------------------------------------------


def distance(catalog: Catalog, settings: Settings, found: Trial, results: Mapping[int, Result]) -> Offer | None:
    """Return the measure that says how far results are apart: the room's first one; None where nothing has come yet."""
    offers = measured.of_sweep(catalog, settings, found.plan, results)
    return next((one for one in offers if one.measure.apart), None)


@dataclass(frozen=True)
class Pairs:
    """Name the values that are asked for: between seeds of the request, and for each nudge from it, seed by seed."""

    noise: tuple[Wanted, ...]
    nudges: tuple[tuple[Wanted, ...], ...]
    alike: tuple[int, ...]  # of each nudge, the seeds at which its result is the request's own

    @property
    def every(self) -> Iterator[Wanted]:
        """Return all of them, one after the other."""
        return itertools.chain(self.noise, *self.nudges)


def pairs(found: Trial, results: Mapping[int, Result], offer: Offer) -> Pairs:
    """Return which distances can be had of what there is."""
    many = range(len(found.seeds))

    def run(at: int, seed: int) -> Any:
        result = results.get(found.cell(at, seed).same_as)
        return result.run if result is not None and result.run is not None and result.run.status == "done" else None

    base = [run(-1, seed) for seed in many]
    noise = tuple(
        Wanted(offer, one, other) for one, other in itertools.combinations(base, 2)
        if one is not None and other is not None
    )  # fmt: skip
    rows, alike = [], []
    for at in range(len(found.nudges)):
        there = [(run(at, seed), base[seed]) for seed in many]
        known = [(one, beside) for one, beside in there if one is not None and beside is not None]
        alike.append(sum(one.id == beside.id for one, beside in known))
        rows.append(tuple(Wanted(offer, one, beside) for one, beside in known if one.id != beside.id))
    return Pairs(noise, tuple(rows), tuple(alike))


@dataclass(frozen=True)
class Moved:
    """Hold how far a nudge moves the result: the mean `distance` over `seeds` seeds, in the measure's unit.

    `noise` is the mean distance between two seeds of the request, NaN where there is one seed.
    """

    nudge: Nudge
    offer: Offer
    distance: float
    noise: float
    seeds: int

    @property
    def ratio(self) -> float:
        """Return the distance in units of seed noise; infinite, or NaN, where there is no seed noise."""
        if not self.distance:
            return 0.0
        return self.distance / self.noise if self.noise else math.inf

    @property
    def said(self) -> str:
        """Say how far: "0.7 × seed noise (changed words 0.45)", "no change", "changed words 0.45"."""
        label = self.offer.label
        measure = label[:1].lower() + label[1:] if label[1:2].islower() else label
        change = f"{measure} {self.offer.measure.words(self.distance)}"
        if not self.distance:
            return "no change"
        if not math.isfinite(self.ratio):
            return change
        small = 0 < self.ratio < 0.05
        return f"{'less than 0.1' if small else f'{self.ratio:.1f}'} × seed noise ({change})"

    @property
    def words(self) -> str:
        """Return it as a sentence's part: "Temperature 0.8 → 1: 0.7 × seed noise (changed words 0.45)"."""
        return f"{self.nudge.words}: {self.said}"

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON; None for what is not known."""
        return {
            "name": self.nudge.item.name, "from": self.nudge.start, "to": self.nudge.end, "distance": self.distance,
            "ratio": self.ratio if math.isfinite(self.ratio) else None, "seeds": self.seeds, "words": self.words,
        }  # fmt: skip


def ranked(found: Trial, asked: Pairs, offer: Offer, values: Mapping[tuple[str, str], float | None]) -> list[Moved]:
    """Return what moved the result, the most first; nudges of which nothing is known yet are left out."""
    noise = _mean(_known(asked.noise, values))
    moved = []
    for nudge, wanted, alike in zip(found.nudges, asked.nudges, asked.alike, strict=True):
        distances = [*_known(wanted, values), *([0.0] * alike)]
        if distances:
            moved.append(Moved(nudge, offer, _mean(distances), noise, len(distances)))
    return sorted(moved, key=lambda one: -one.distance)


def _known(wanted: Iterable[Wanted], values: Mapping[tuple[str, str], float | None]) -> list[float]:
    return [value for one in wanted if (value := values.get(one.key)) is not None]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def told(found: Trial, moved: list[Moved]) -> list[str]:
    """Return sentences beside a ranking: what its unit is, how sure it is, what was not tried."""
    said = []
    noise = moved[0].noise if moved else math.nan
    if math.isnan(noise):
        said.append("Chance has no part here, so there is no seed noise to compare with." if len(found.seeds) < 2
                    else "Seed noise is not known yet.")  # fmt: skip
    elif not noise:
        said.append("All seeds give the same result: there is no seed noise to compare with.")
    else:
        said.append(
            "1 × seed noise: the step moves the result as far as another seed does, "
            f"{moved[0].offer.measure.words(noise)} here."
        )
    seeds = min((one.seeds for one in moved), default=0)
    if 0 < seeds < SEEDS_MOST and len(found.seeds) > 1:
        said.append(
            f"Some steps were tried with {seeds} seed{'s' * (seeds != 1)} only: too few to tell close ones apart."
        )
    left = [one.item.label for one in found.nudges if one not in [other.nudge for other in moved]]
    if left:
        said.append(f"Not tried yet: {', '.join(left)}.")
    if found.still:
        said.append(f"Without a step: {', '.join(item.label for item in found.still)}.")
    return said
