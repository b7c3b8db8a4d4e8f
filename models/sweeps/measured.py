"""A sweep's measures: a value for each cell, the colours of its grid, and what its axes do, in words.

Of cells that have the same result only the first counts; what failed, was stopped or waits has no value. A measure that
compares is taken against the reference of the cell's own seed, so that the luck of the seed is not compared as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.measuring import Offer, Wanted, applies, asked_of, cheap, offers
from models.sweeps import noise
from models.sweeps.cells import Cell, Plan, label, words
from models.sweeps.noise import Effect
from models.sweeps.results import Result
from models.sweeps.spec import INPUT, MODEL, SEED
from models.types import Run

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings

Numbers = Mapping[int, float]  # by the number of the cell that is computed
Results = Mapping[int, Result]
SAID_CHARS = 30  # of a value in a sentence
_LOOKED_AT = 16  # runs, for whether they have a value at all


def of_sweep(catalog: Catalog, settings: Settings, plan: Plan, results: Results) -> tuple[Offer, ...]:
    """Return what can be measured of what there is of a sweep."""
    runs = [result.run for result in results.values() if result.run is not None and result.run.status == "done"]
    kinds = {output.kind for run in runs for output in run.outputs}
    found = offers(catalog, settings, {cell.request.model for cell in plan.distinct}, kinds)
    return tuple(one for one in found if one.measure.takes != "run" or any(_has(one, run) for run in runs[:_LOOKED_AT]))


def _has(offer: Offer, run: Run) -> bool:
    """Say whether a run has a value of a measure of runs: a text has no file whose size would tell anything."""
    return cheap(Wanted(offer, run)) is not None


def seed_axis(plan: Plan) -> int | None:
    """Return the number of the axis of seeds, None for none."""
    return next((at for at, axis in enumerate(plan.sweep.axes) if axis.name == SEED), None)


def reference_of(plan: Plan, cell: Cell, reference: int = 0) -> Cell:
    """Return the cell that one is compared with: the `reference` (a number), at the cell's own seed."""
    place, seeds = list(plan.cells[reference].place), seed_axis(plan)
    if seeds is not None:
        place[seeds] = cell.place[seeds]
    return plan.cells[plan.at(place).same_as]


def wanted(catalog: Catalog, plan: Plan, results: Results, offer: Offer, reference: int = 0) -> dict[int, Wanted]:
    """Return which values of a measure can be had, by the number of the cell."""
    found: dict[int, Wanted] = {}
    for cell in plan.distinct:
        run = _done(results, cell)
        if run is None or not applies(catalog, offer, run):
            continue
        beside = None
        if offer.measure.pairs:
            beside = _done(results, reference_of(plan, cell, reference))
            if beside is None or beside.id == run.id:
                continue  # a result is no measure of itself
        prompt = asked_of(catalog, run) if offer.measure.takes == "judged" else ""
        found[cell.number] = Wanted(offer, run, beside, prompt)
    return found


def _done(results: Results, cell: Cell) -> Run | None:
    result = results.get(cell.number)
    return result.run if result is not None and result.run is not None and result.run.status == "done" else None


def numbers(found: Mapping[int, Wanted], values: Mapping[tuple[str, str], float | None]) -> dict[int, float]:
    """Return the values that are there, by the number of the cell."""
    return {number: value for number, one in found.items() if (value := values.get(one.key)) is not None}


def grid(plan: Plan, values: Numbers) -> NDArray[np.float64]:
    """Return values with a dimension for each axis, NaN where there is none and in cells that are as another one."""
    flat = np.full(len(plan.cells), np.nan)
    for number, value in values.items():
        flat[number] = value
    return flat.reshape(plan.sweep.shape)


def heat(plan: Plan, values: Numbers) -> list[float | None]:
    """Return 0 (the least) … 1 (the most) for each cell, its own or that of the cell it is alike to; None for none.

    Where all values are the same there is no more and no less: all are None.
    """
    low, high = (min(values.values()), max(values.values())) if values else (0.0, 0.0)
    return [
        None if (value := values.get(cell.same_as)) is None or not high > low else (value - low) / (high - low)
        for cell in plan.cells
    ]  # fmt: skip


def effects_apart(
    folder: Path | None, *, values: Mapping[str, Sequence[float | None]], shape: Sequence[int], seeds: int | None
) -> list[list[Any]]:
    """Return what `noise.effects` does as plain JSON, for `effects_from`: of a large sweep it takes seconds.

    `values` are a measure's over all cells, None where there is none; nothing is left in `folder`.
    """
    grids = {name: np.array([math.nan if one is None else one for one in every], np.float64).reshape(shape)
             for name, every in values.items()}  # fmt: skip
    return [
        [None if isinstance(part, float) and math.isnan(part) else part for part in astuple(effect)]
        for effect in noise.effects(grids, seeds)
    ]


def effects_asked(plan: Plan, offers: Mapping[str, Offer], by_measure: Mapping[str, Numbers]) -> dict[str, Any]:
    """Return the options of `effects_apart` for a sweep of which all that is on offer was measured.

    One rule for page, files and shell: effects are told of every steady measure that differs anywhere, and corrected
    over all of them, whichever are looked at. So where nothing has an effect, no more than `noise.ALPHA` of sweeps show
    one anywhere, and what is real does not depend on what is chosen.
    """
    told = varying({name: found for name, found in by_measure.items() if offers[name].measure.steady})
    values = {name: [found.get(cell.number) for cell in plan.cells] for name, found in told.items()}
    return {"values": values, "shape": list(plan.sweep.shape), "seeds": seed_axis(plan)}


def effects_from(answer: Sequence[Sequence[Any]]) -> list[Effect]:
    """Return the effects that `effects_apart` found."""
    parts: list[list[Any]] = [[math.nan if part is None else part for part in one] for one in answer]
    return [Effect(*one) for one in parts]


@dataclass(frozen=True)
class Told:
    """Hold an effect and its words: `step` ("Temperature 0.8 → 1.2"), `change` ("repetition −0.11"), `verdict`."""

    effect: Effect
    offer: Offer
    step: str
    change: str
    verdict: str

    @property
    def words(self) -> str:
        """Return it as a sentence's part: "Temperature 0.8 → 1.2: repetition −0.11, 1.8 × seed noise"."""
        return f"{self.step}: {self.change}, {self.verdict}"

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON; None for what is not known."""
        effect = self.effect
        known = {
            name: value if math.isfinite(value) else None
            for name, value in (("difference", effect.difference), ("noise", effect.noise), ("p", effect.p),
                                ("ratio", effect.ratio))
        }  # fmt: skip
        return {"measure": self.offer.name, **known, "verdict": effect.verdict, "words": self.words}


def rule(told: Iterable[Effect]) -> str:
    """Say by which rule effects are told, the same on page, in files and in a shell; "" for none."""
    every = list(told)
    if not every:
        return ""
    steps, measures = len(every), len({one.measure for one in every})
    over = f"{steps} step{'s' * (steps != 1)}" + (f" of {measures} measures" if measures > 1 else "")
    return (
        f"Real means larger than what seeds alone do, by a permutation test corrected over all {over}, shown or not. "
        f"Where nothing has an effect, at most {noise.ALPHA:.0%} of sweeps show any."
    )


def tell(catalog: Catalog, plan: Plan, told: Iterable[Effect], by_name: Mapping[str, Offer]) -> list[Told]:
    """Return the words of effects, the real ones first, then the larger in units of seed noise."""
    found = []
    for effect in told:
        offer = by_name[effect.measure]
        axis = plan.sweep.axes[effect.axis]
        start, end = (_value(catalog, plan, axis.name, axis.values[at]) for at in (effect.start, effect.end))
        change = "no value" if math.isnan(effect.difference) else offer.measure.words(effect.difference, signed=True)
        step = f"{label(catalog, plan.sweep, axis.name)} {start} → {end}"
        found.append(Told(effect, offer, step, f"{_small(offer.label)} {change}", verdict(plan, effect)))
    rank = {"real": 0, "noise": 1, "few": 2}
    return sorted(found, key=lambda one: (rank[one.effect.verdict], -_ratio(one.effect)))


def verdict(plan: Plan, effect: Effect) -> str:
    """Say how large an effect is beside the seeds, and what is missing to tell."""
    if effect.verdict != "few":
        return noise.words(effect)
    shape, seeds = plan.sweep.shape, seed_axis(plan)
    tried = [many for at, many in enumerate(shape) if at != seeds and many > 1]
    have = 1 if seeds is None else shape[seeds]
    needed = noise.seeds_needed(effect.values, len(tried), math.prod(tried) // shape[effect.axis])
    missing = f"at least {needed} needed" if needed > have else "too many results have no value"
    return f"{noise.words(effect)} ({missing})"


def _ratio(effect: Effect) -> float:
    return 0.0 if math.isnan(effect.ratio) else effect.ratio


def _small(text: str) -> str:
    """Return a label as it stands within a sentence: "Repetition" is "repetition", "SSIM" stays."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _value(catalog: Catalog, plan: Plan, name: str, value: Any) -> str:
    """Say a value without what its axis is called: "0.8", "off", "“A hen”"."""
    said = words(catalog, plan.sweep, name, value)
    if name not in (MODEL, SEED) and not name.startswith(INPUT):
        said = said.removeprefix(label(catalog, plan.sweep, name)).strip() or said
    return said if len(said) <= SAID_CHARS else f"{said[: SAID_CHARS - 1]}…"


def columns(found: Mapping[str, Numbers]) -> dict[int, dict[str, float]]:
    """Return measures as `results.rows` takes them: by cell, then by name."""
    rows: dict[int, dict[str, float]] = {}
    for name, values in found.items():
        for number, value in values.items():
            rows.setdefault(number, {})[name] = value
    return rows


def varying(by_measure: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Return the measures that differ anywhere: what is the same all over cannot be moved."""
    return {name: values for name, values in by_measure.items() if len(set(values.values())) > 1}


def curve(plan: Plan, values: Numbers, along: int, lines: int | None) -> list[dict[str, Any]]:
    """Return points of curves: {"at", "line", "mean", "low", "high", "many"} by indices of the axes' values.

    A mean over all other axes; `low` and `high` are the least and the most of the seeds, each averaged over the other
    axes, and the mean itself where there is one seed. `line` is 0 without an axis of lines.
    """
    whole, seeds = grid(plan, values), seed_axis(plan)
    found = []
    for at in range(whole.shape[along]):
        for line in range(whole.shape[lines]) if lines is not None else (0,):
            part: list[Any] = [slice(None)] * whole.ndim
            part[along] = slice(at, at + 1)
            if lines is not None:
                part[lines] = slice(line, line + 1)
            here = whole[tuple(part)]
            if not np.isfinite(here).any():
                continue
            by_seed = [here]
            if seeds is not None and seeds not in (along, lines):
                by_seed = list(np.moveaxis(here, seeds, 0))
            means = [float(np.nanmean(one)) for one in by_seed if np.isfinite(one).any()]
            found.append({
                "at": at, "line": line, "mean": float(np.nanmean(here)), "low": min(means), "high": max(means),
                "many": int(np.isfinite(here).sum()),
            })  # fmt: skip
    return found
