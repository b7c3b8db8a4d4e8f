"""Generate text, images and sound from Python as the pages and the command line do.

    import models

    for event in models.generate(models.Request(model="text/story-gpt", inputs={"prompt": "Once"}, seed=7)):
        if event.kind == "final":
            print(event.outputs[0].text)

Importing this package imports no torch; the first `generate` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from models.errors import PlaygroundError
from models.events import Event, Final, Preview, Progress
from models.settings import Settings
from models.stamps import Recovered
from models.types import Output, Request, Run

if TYPE_CHECKING:
    from models.runtime.engine import LocalEngine, StopSignal
    from models.spec import ModelSpec

__all__ = [
    "Event",
    "Final",
    "Output",
    "PlaygroundError",
    "Preview",
    "Progress",
    "Recovered",
    "Request",
    "Run",
    "Settings",
    "generate",
    "get_model",
    "list_models",
    "read_settings",
]  # fmt: skip


def list_models() -> list[ModelSpec]:
    """List the catalogue's models, by modality and order. Raises `CatalogError` for a wrong catalogue file."""
    from models.catalog import load_catalog

    return list(load_catalog(Settings()).values())


def get_model(model: str) -> ModelSpec:
    """Return one model's catalogue entry. Raises `UnknownModel`."""
    return _engine().catalog[model]


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

    return readers.read_settings(data, Settings())[1]


@cache
def _engine() -> LocalEngine:
    from models.runtime.engine import LocalEngine

    return LocalEngine(Settings())
