"""Try the settings of a request for the machine's user: what was made before is taken from the store.

So a trial that was stopped goes on where it was.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from models import measuring, whose
from models.runtime import sweeping
from models.runtime.engine import LocalEngine, StopSignal
from models.runtime.forecasts import Rates, work_of
from models.store import Store
from models.sweeps import kept, sensitivity
from models.types import Request

if TYPE_CHECKING:
    from models.settings import Settings
    from models.sweeps.results import Result


def tell(
    engine: LocalEngine, settings: Settings, request: Request, budget_s: float, stop: StopSignal | None = None,
    told: Callable[[str], None] = lambda sentence: None, shown: Callable[[str], None] = lambda sentence: None,
) -> dict[str, Any]:  # fmt: skip
    """Try a request's settings for about `budget_s` seconds and return what came of it, as `--json` prints it.

    `told` hears the cost before the first run, `shown` how far it is. Raises `BadInput` and `BadParam`.
    """
    catalog, store, rates = engine.catalog, Store(settings), Rates(settings.data_dir / "rates.json")
    found = sensitivity.fitting(
        catalog, request, budget_s, lambda cell: rates.seconds(work_of(catalog, cell.request))
    )  # fmt: skip
    causes = kept.causes_of(catalog, found.plan)
    made = dict(kept.found(found.plan, causes, partial(store.made, whose.machine_owner())))
    left = [cell for cell in found.ordered() if cell.number not in made]
    seconds = sum(rates.seconds(work_of(catalog, cell.request)) for cell in left)
    told(sensitivity.cost_words(found, len(left), seconds, budget_s))
    begun, cached = time.monotonic(), len(made)
    go = partial(sweeping.run, engine, owner=whose.machine_owner(), job=uuid.uuid4().hex, stop=stop)
    for result in go(left, budget_s=budget_s):  # the time to spend begins behind the first, which loads the model
        assert result.run is not None
        if result.run.status == "done":
            rates.learn(work_of(catalog, result.cell.request), result.run)
            store.save_run(result.run)
        made[result.cell.number] = result
        shown(f"{len(made)} of {len(found.plan.distinct)} runs")
    shown("")
    offer = sensitivity.distance(catalog, settings, found, made)
    moved, said = _told(offer, found, made, store, shown)
    states = Counter(result.state for result in made.values())
    return {
        "model": request.model, "seeds": list(found.seeds), "runs": len(found.plan.distinct),
        "computed": states["computed"], "cached": cached, "failed": states["failed"],
        "error": next((one.error for one in made.values() if one.error), ""),
        "seconds": round(time.monotonic() - begun, 3),
        "measure": offer.name if offer is not None else None,
        "settings": [one.to_plain() for one in moved], "said": said,
    }  # fmt: skip


def _told(
    offer: measuring.Offer | None,
    found: sensitivity.Trial,
    made: dict[int, Result],
    store: Store,
    shown: Callable[[str], None],
) -> tuple[list[sensitivity.Moved], list[str]]:
    """Return the ranking and what is said beside it; distances are measured once and kept."""
    if offer is None:
        return [], ["Nothing was made that could be compared."]
    asked = sensitivity.pairs(found, made, offer)
    values = measuring.values(
        store, list(asked.every), lambda one: one.data or store.get_bytes(one.sha256), measuring.here,
        said=lambda known, wanted: shown(f"compared {known:,} of {wanted:,} pairs"),
    )  # fmt: skip
    shown("")
    moved = sensitivity.ranked(found, asked, offer, values)
    return moved, sensitivity.told(found, moved)
