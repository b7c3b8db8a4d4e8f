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
    from models.known import Unseen
    from models.runtime.engine import LocalEngine, StopSignal
    from models.settings import Settings
    from models.spec import ModelSpec
    from models.stamps import Recovered
    from models.types import Output, Request, Run

__all__ = [
    "Event", "Final", "Output", "PlaygroundError", "Preview", "Progress", "Recovered", "Request", "Run", "Settings",
    "generate", "get_model", "list_models", "new_seed", "read_settings", "unseen",
]  # fmt: skip

# imported when they are asked for: `python -m models` passes here before it can hear Ctrl+C
_WHERE = {
    "Event": "events", "Final": "events", "Output": "types", "PlaygroundError": "errors", "Preview": "events",
    "Progress": "events", "Recovered": "stamps", "Request": "types", "Run": "types", "Settings": "settings",
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


def read_settings(data: bytes) -> Recovered | None:
    """Return what the bytes of a result's file say of its making, ours or another program's; None for nothing.

    Raises `BadInput` for a file of no known kind, and where the settings are there but damaged.
    """
    from models import readers
    from models.settings import Settings

    return readers.read_settings(data, Settings())[1]


@cache
def _engine() -> LocalEngine:
    from models.runtime.engine import LocalEngine
    from models.settings import Settings

    return LocalEngine(Settings())
