"""All that can be measured of a sweep, at once, as files carry it: page and shell make the same tables of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models import measuring
from models.errors import PlaygroundError
from models.measuring import Offer, Read, Wanted
from models.sweeps import measured
from models.sweeps.cells import Plan
from models.sweeps.measured import Results, Told
from models.sweeps.results import to_csv
from models.types import Output

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.settings import Settings
    from models.store import Store

log = logging.getLogger(__name__)
COLUMNS = ("measure", "unit", "axis", "from", "to", "difference", "noise", "ratio", "p", "verdict", "words")
Call = Callable[..., Any]  # a decoder's, or `measuring.here`


@dataclass(frozen=True)
class Measured:
    """Hold what was measured of a sweep: `columns` by cell and name, and what its axes do (`told`)."""

    columns: dict[int, dict[str, float]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)


def wanted(catalog: Catalog, settings: Settings, plan: Plan, results: Results, reference: int = 0) -> list[Wanted]:
    """Return all values that `measure` finds out."""
    of_names = _wanted(catalog, settings, plan, results, reference)[1]
    return [one for of_name in of_names.values() for one in of_name.values()]


def _wanted(
    catalog: Catalog, settings: Settings, plan: Plan, results: Results, reference: int
) -> tuple[dict[str, Offer], dict[str, dict[int, Wanted]]]:
    """Return the measures by name, and which of their values can be had, by name and number of the cell."""
    offers = {one.name: one for one in measured.of_sweep(catalog, settings, plan, results)}
    return offers, {name: measured.wanted(catalog, plan, results, offer, reference) for name, offer in offers.items()}


def measure(
    catalog: Catalog, settings: Settings, store: Store, plan: Plan, results: Results, read: Read, call: Call, *,
    size: Callable[[Output], int] = lambda output: len(output.data), said: Callable[[int, int], None] | None = None,
    reference: int = 0,
) -> Measured:  # fmt: skip
    """Measure what there is of a sweep, each value once: heavy ones are kept in the store.

    `read` and `call` are those of `measuring.heavy`, `size` that of `measuring.cheap`; `said(known, wanted)` hears how
    far it is. `reference` is the number of the cell that others are compared with. A sweep of one cell has effects on
    nothing.
    """
    offers, found = _wanted(catalog, settings, plan, results, reference)
    every = [one for of_name in found.values() for one in of_name.values()]
    values = measuring.values(store, every, read, call, size=size, said=said)
    by_name = {name: numbers for name, of_name in found.items() if (numbers := measured.numbers(of_name, values))}
    asked = measured.effects_asked(plan, offers, by_name)
    try:
        effects = measured.effects_from(call(measured.effects_apart, said="sweep", **asked))
    except PlaygroundError as error:  # the values are there all the same
        log.warning("the effects of a sweep could not be found: %s", error.message)
        effects = []
    return Measured(measured.columns(by_name), measured.tell(catalog, plan, effects, offers))


def effects_csv(plan: Plan, told: Sequence[Told]) -> str:
    """Return a table with a row for each effect, in the order in which they are told, as `results.to_csv` writes it.

    A number that is not known is nothing; `ratio` is the difference in units of `noise`, the spread between seeds, and
    nothing where the seeds agree.
    """
    rows = []
    for one in told:
        axis, plain = plan.sweep.axes[one.effect.axis], one.to_plain()
        rows.append({
            "measure": one.offer.name, "unit": one.offer.measure.unit, "axis": axis.name,
            "from": _shown(axis.values[one.effect.start]), "to": _shown(axis.values[one.effect.end]),
            **{name: plain[name] for name in COLUMNS[5:]},
        })  # fmt: skip
    return to_csv(rows) if rows else ",".join(COLUMNS) + "\r\n"


def _shown(value: Any) -> Any:
    return "off" if value is None else json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
