"""A request while it runs: its params in full, its clock, and what an engine adds to its end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models import causes, device
from models.catalog import Catalog
from models.events import Event, Final
from models.params import values_in_effect
from models.runtime import memory
from models.types import ASIDE, Output, Request, RunStats


class Running:
    """Hold what is known of a request while it runs, from its arrival: its params in full, its seconds.

    `aside_s()` says for how many of them it was set aside. Raises as `Catalog.validate` does.
    """

    def __init__(self, request: Request, catalog: Catalog, aside_s: Callable[[], float]) -> None:
        self._begun, self._aside_s = time.monotonic(), aside_s
        self.request = catalog.current(request)
        self.params = catalog.validate(self.request)
        self.spec, self.family = catalog[self.request.model], catalog.family(self.request.model)
        self.full = self.request.model_copy(update={"params": catalog.offered(self.request.model, self.params)})
        self._first_output_s: float | None = None
        values = {**self.full.params, "seed": self.full.seed}
        self._acted = {} if self.request.study else values_in_effect(self.family.fields(self.spec), values)

    def ran_s(self) -> float:
        """Return the seconds since it came, without those for which it was set aside."""
        return time.monotonic() - self._begun - self._aside_s()

    def _facts(self) -> dict[str, Any]:
        return {**device.stamp_facts(), "dtype": self.family.dtype(self.spec)}

    def stamp(self) -> dict[str, Any]:
        """Return what its artefacts embed. Call it once the threads are set."""
        return {"request": self.full.model_dump(), "revision": self.spec.revision(), **self._facts()}

    def told(self, event: Event, load_s: float) -> Event:
        """Return an event of its family as the engine tells it: an end with all that `run_request` adds."""
        if event.kind == "preview" and self._first_output_s is None:
            self._first_output_s = self.ran_s()
        if event.kind != "final":
            return event
        seconds, rested, first = self.ran_s(), self._aside_s(), self._first_output_s
        stats: RunStats = {
            "stopped": False,
            **_without(event.stats, rested),
            "seconds": round(seconds, 3),
            "first_output_s": round(seconds if first is None else first, 3),
            "peak_bytes": memory.peak_bytes(),
        }
        if load_s:
            stats["load_s"] = round(load_s, 3)
        if rested:
            stats["aside_s"] = round(rested, 3)
        unused, study = stats.pop("unused", []), self.request.study
        if not study and (said := self.family.warnings(self.spec, self.full, self.params)):
            stats["notes"] = [*said, *stats.get("notes", [])]
        if not study:
            stats["cause"] = causes.of_full(self.full, self.spec.revision())
            stats["made_with"] = {"revision": self.spec.revision(), **self._facts(), "cpu": device.cpu()}
        stats["in_effect"] = {name: value for name, value in self._acted.items() if name not in unused}
        outputs = tuple(_hashed(output) for output in event.outputs)
        revision = self.spec.revision()
        bare = [one.index for one in outputs if one.kind not in ASIDE and not _holds(one.data, revision)]
        if bare and not study:
            stats["bare"] = bare
        return Final(outputs, stats)


def _without(stats: RunStats, rested: float) -> RunStats:
    """Return a family's stats with its speeds told without the seconds for which the run was set aside."""
    speeds: RunStats = {}
    if rested and (speed := stats.get("tokens_per_s")) and (count := stats.get("tokens")) and count / speed > rested:
        speeds["tokens_per_s"] = round(count / (count / speed - rested), 2)
    if rested and (speed := stats.get("steps_per_s")) and (count := stats.get("steps")) and count / speed > rested:
        speeds["steps_per_s"] = round(count / (count / speed - rested), 2)
    return {**stats, **speeds}


def _hashed(output: Output) -> Output:
    if output.sha256 or not output.data:
        return output
    return replace(output, sha256=hashlib.sha256(output.data).hexdigest())


def _holds(data: bytes, revision: str) -> bool:
    """Say whether a file holds a stamp: the hash of the weights stands in it as plain text, whatever the format."""
    return revision.encode() in data
