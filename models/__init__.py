"""Generate text, images and sound from Python as the pages and the command line do.

    import models

    for event in models.generate(models.Request(model="text/story-gpt", inputs={"prompt": "Once"}, seed=7)):
        if event.kind == "final":
            print(event.outputs[0].text)

Importing this package imports no torch; the first `generate` does.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.errors import PlaygroundError
    from models.events import Event, Final, Preview, Progress
    from models.finding import Filter
    from models.known import Unseen
    from models.runtime.engine import LocalEngine, StopSignal
    from models.settings import Settings
    from models.shelf import Found
    from models.spec import ModelSpec
    from models.stamps import Recovered
    from models.sweeps.results import Result
    from models.types import Output, Request, Run

__all__ = [
    "Event", "Filter", "Final", "Output", "PlaygroundError", "Preview", "Progress", "Recovered", "Request", "Run",
    "Settings", "code", "generate", "get_model", "list_models", "new_seed", "read_settings", "runs", "sensitivity",
    "sweep", "tipping_points", "unseen", "votes",
]  # fmt: skip

# imported when they are asked for: `python -m models` passes here before it can hear Ctrl+C
_WHERE = {
    "Event": "events", "Filter": "finding", "Final": "events", "Output": "types", "PlaygroundError": "errors",
    "Preview": "events", "Progress": "events", "Recovered": "stamps", "Request": "types", "Run": "types",
    "Settings": "settings",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def list_models() -> list[ModelSpec]:
    """List the catalogue's models, by modality and order.

    A wrong catalogue file takes no other model away: it is left out, and logged as a warning of the logger "models".
    """
    from models.catalog import load_catalog
    from models.settings import Settings

    catalog = load_catalog(Settings(), strict=False)
    for problem in catalog.problems:
        logging.getLogger(__name__).warning(problem.message)
    return list(catalog.values())


def new_seed() -> int:
    """Return a seed by chance, as −1 asks for in a shell or a link: 0 … 2**32 - 1."""
    from models.types import drawn_seed

    return drawn_seed()


def get_model(model: str) -> ModelSpec:
    """Return one model's catalogue entry. Raises `UnknownModel`."""
    return _engine().catalog[model]


def unseen(model: str, prompt: str) -> Unseen | None:
    """Say that a prompt is none of the names that a model learnt, with the nearest; None where it is, or may be any.

    Raises `UnknownModel`.
    """
    from models import known
    from models.catalog import load_catalog
    from models.settings import Settings

    return known.unseen(load_catalog(Settings(), strict=False)[model], prompt)


def generate(request: Request, stop: StopSignal | None = None) -> Iterator[Event]:
    """Run a request in this process and yield its events; the last one is `Final`.

    Models stay loaded between calls, within the memory budget. One request runs at a time: a second caller waits.
    Raises the errors of `models.errors`.
    """
    return _engine().generate(request, stop)


def code(made: Request | Run, style: str = "libraries") -> str:
    """Return the code that makes a result again: with public libraries alone, with this package, for a shell.

    `style` is libraries, models, cli or notebook. Of a run that the store keeps, the head says under which versions it
    was made. Raises `BadParam`, and `BadInput` where a style cannot make this result.
    """
    from models import coding
    from models.catalog import load_catalog
    from models.settings import Settings
    from models.store import Store
    from models.types import Request

    settings = Settings()
    catalog = load_catalog(settings, strict=False)
    if isinstance(made, Request):
        return coding.write(catalog, settings, made, style)
    store = Store(settings)
    try:
        return coding.write(catalog, settings, made.request, style, coding.facts_of(made, store, settings))
    finally:
        store.close()


def sweep(
    spec: str | dict[str, Any], stop: StopSignal | None = None, budget_s: float | None = None
) -> Iterator[Result]:
    """Make a sweep's cells and yield what came of each as it ends: made anew, or `cached` from the store.

    `spec` is the content of a sweep's file ({"v": 1, "request": …, "axes": […]}), as text or as what JSON makes of it.
    What was made is kept, here as on the pages: a sweep that was stopped goes on where it was. `budget_s` makes coarse
    cells first, then those between neighbours that differ most, and begins none after so many seconds. Cells that are
    alike are made once, and told once (their `cell.same_as`). Raises `BadInput` and `BadParam` before
    anything runs; a cell that fails holds its error.
    """
    from models import sweep_making
    from models.settings import Settings

    return sweep_making.made(_engine(), Settings(), spec, stop, budget_s)


def sensitivity(request: Request, budget_s: float = 60.0, stop: StopSignal | None = None) -> dict[str, Any]:
    """Return which settings of a request move its result most, each moved by one step alone, in units of seed noise.

    The answer is what `python -m models sensitivity --json` prints: `settings` are ranked, the first moves most.
    Raises `BadInput` and `BadParam`.
    """
    from models import sensitivity_making
    from models.settings import Settings

    return sensitivity_making.tell(_engine(), Settings(), request, budget_s, stop)


def tipping_points(made: Request | Run, setting: str, output: int = 0, step: float | None = None) -> dict[str, Any]:
    """Return between which values of a setting a run's result stays the same, and what differs first beyond them.

    A request is run first; of a run that the store keeps, what was saved is read. `step` is how far apart the looked-at
    values lie, None for the slider's. See `models.text.looking.tipping.tip` for the answer. Raises `BadParam` and
    `BadInput`.
    """
    from models import tipping
    from models.settings import Settings

    return tipping.tell(_engine(), Settings(), made, setting, output, step)


def read_settings(data: bytes) -> Recovered | None:
    """Return what the bytes of a result's file say of its making, ours or another program's; None for nothing.

    Raises `BadInput` for a file of no known kind, and where the settings are there but damaged.
    """
    from models import readers
    from models.settings import Settings

    return readers.read_settings(data, Settings())[1]


def votes() -> list[dict[str, Any]]:
    """Return the votes of blind comparisons by this machine's user, the oldest first; see `models.sweeps.votes.rows`.

    Raises `PlaygroundError` where the store is out of reach.
    """
    from models import whose
    from models.settings import Settings
    from models.store import Store
    from models.sweeps.votes import rows

    store = Store(Settings())
    try:
        return rows(store.votes(whose.machine_owner()))
    finally:
        store.close()


def runs(wanted: Filter | None = None, limit: int = 50) -> list[Found]:
    """Return up to `limit` runs that this machine's user made, here or on the pages, the newest first.

    `wanted` narrows them, as `models.Filter(text="dragon", starred=True)`. Each has its `run`, `title`, `note`, `tags`
    and `starred`; outputs have their text, their bytes are in the store. Raises `PlaygroundError` where that is out of
    reach.
    """
    from models import whose
    from models.finding import Filter
    from models.settings import Settings
    from models.store import Store

    store, owner = Store(Settings()), whose.machine_owner()
    try:
        return store.found(owner, store.found_ids(owner, wanted or Filter(), limit=limit))
    finally:
        store.close()


@cache
def _engine() -> LocalEngine:
    from models.runtime.engine import LocalEngine
    from models.settings import Settings

    return LocalEngine(Settings())
