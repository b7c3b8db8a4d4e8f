"""Make a sweep's cells for the machine's user: what was made before is taken from the store.

So a sweep that was stopped goes on where it was, and what the pages made is not made again.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from models import causes, measuring, whose
from models.errors import BadInput
from models.runtime import sweeping
from models.runtime.engine import LocalEngine, StopSignal
from models.runtime.forecasts import Rates, work_of
from models.runtime.together import how_many
from models.settings import Settings
from models.store import Store
from models.sweeps.cells import Plan, plan
from models.sweeps.order import coarse_first, middle_first
from models.sweeps.refining import Refiner, apart_by
from models.sweeps.results import Result
from models.sweeps.spec import read
from models.types import Request, Run


def made(
    engine: LocalEngine, settings: Settings, spec: str | dict[str, Any], stop: StopSignal | None = None,
    budget_s: float | None = None,
) -> Iterator[Result]:  # fmt: skip
    """Make the cells of a sweep's file; see `models.sweep`. What is wrong is raised here, not at the first cell."""
    if budget_s is not None and not 0 < budget_s < math.inf:
        raise BadInput(f"budget_s is {budget_s:g}; it must be a number of seconds above 0.")
    text = spec if isinstance(spec, str) else json.dumps(spec)
    sweep = plan(engine.catalog, read(text, "The sweep"))
    rates = Rates(settings.data_dir / "rates.json")
    return Making(engine, settings, Store(settings), rates, sweep, budget_s).results(stop)


class Making:
    """Hold what a sweep lacks: `cells` in the order in which they are made, `kept` of them there already.

    With `budget_s` coarse cells come first, then those between neighbours that differ most, and none is begun so many
    seconds after the first one was made. Raises `BadInput` for a file that a cell reads and the store does not have: it
    is told once, and not by every cell.
    """

    def __init__(
        self, engine: LocalEngine, settings: Settings, store: Store, rates: Rates, sweep: Plan,
        budget_s: float | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._store, self._rates, self._budget_s = engine, store, rates, budget_s
        self._sweep = sweep.sweep
        self.cells = middle_first(sweep) if budget_s is None else coarse_first(sweep)
        self._causes = {cell.request.canonical(): causes.cause(engine.catalog, cell.request) for cell in self.cells}
        self._made = store.made(whose.machine_owner(), self._causes.values())
        self.kept = len(self._made)
        apart = apart_by(
            engine.catalog, settings, sweep, lambda one: one.data or store.get_bytes(one.sha256), measuring.here
        )
        self._refiner = Refiner(sweep, apart)
        for ref in {text for cell in self.cells for text in cell.request.inputs.values() if text.startswith("sha256:")}:
            store.get_bytes(ref)

    def results(self, stop: StopSignal | None = None) -> Iterator[Result]:
        """Yield what came of each cell, as it ends; what was made is kept, and its time learnt from."""
        catalog = self._engine.catalog
        job = uuid.uuid4().hex
        self._store.note_sweep(whose.machine_owner(), job, self._sweep.to_json())
        taken, at_once, begun = 0.0, list[Run](), time.monotonic()  # of those that are made at once
        for result in sweeping.run(
            self._engine, self.cells, find=lambda request: self._made.get(self._causes[request.canonical()]),
            owner=whose.machine_owner(), job=job, stop=stop, budget_s=self._budget_s,
            group=partial(how_many, catalog), choose=None if self._budget_s is None else self._refiner.order,
            fitting=self._fitting,
        ):  # fmt: skip
            run = result.run
            if run is not None:
                self._refiner.take(result.cell.number, run)
            if run is not None and not result.cached and run.status == "done":
                self._rates.learn(work_of(catalog, run.request), run)
                self._store.save_run(run)
                at_once.append(run)
            elif run is not None:
                taken, at_once = 0.0, []
            taken += time.monotonic() - begun
            if run is not None and len(at_once) >= run.stats.get("together", 1):
                self._rates.learn_around(work_of(catalog, run.request), at_once, taken)
                taken, at_once = 0.0, []
            yield result
            begun = time.monotonic()  # what is done with a result is no part of its making

    def _fitting(self, requests: Sequence[Request], left_s: float) -> int:
        return self._rates.fitting([work_of(self._engine.catalog, one) for one in requests], left_s)
