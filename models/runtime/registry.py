"""The loaded models of one process: bytes, leases, one load at a time, eviction.

A run holds memory of its own beside its model's (`Family.run_bytes`): idle models go before a run that would not fit.

`_guard` protects the table and is held for moments only; `_loading` is held for a whole load, so that two models never
load at once and a second requester of a model finds it loaded. Order: `_loading`, then `_guard`.
"""

from __future__ import annotations

import itertools
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from models.amounts import size
from models.catalog import Catalog
from models.errors import NotEnoughMemory, PlaygroundError, WeightsError, restore
from models.family import Loaded
from models.runtime import memory

log = logging.getLogger(__name__)


@dataclass
class _Entry:
    loaded: Loaded
    bytes: int
    leases: int = 0
    running: int = 0  # bytes that the runs which hold the leases may take
    used: int = 0  # turn of the last use: the lowest goes first
    tool: bool = False  # memory of a tool's process, no model


@dataclass(frozen=True)
class Forecast:
    """Say what loading a model, and a run of it, takes. Sizes in bytes.

    `needed_bytes` is for the load, 0 where it is loaded; `could_unload` are ids that no run uses, oldest first;
    `room_bytes` is what is free when they are gone.
    """

    needed_bytes: int
    free_bytes: int
    could_unload: tuple[str, ...]
    fits: bool
    run_bytes: int = 0
    room_bytes: int = 0

    def __str__(self) -> str:
        needs = " and ".join(
            [size(self.needed_bytes)] * bool(self.needed_bytes or not self.run_bytes)
            + [f"about {size(round(self.run_bytes, -6))} for this run"] * bool(self.run_bytes)
        )
        return f"needs {needs}, {size(self.free_bytes)} is free"


class Registry:
    """Hold loaded models, and what runs take, within a budget. Thread-safe. `on_change` is called after every change.

    `budget` is a number of bytes, or a `memory.Budget`, which is asked anew each time and told when nothing runs.
    """

    def __init__(
        self, catalog: Catalog, budget: int | memory.Budget, on_change: Callable[[], None] | None = None
    ) -> None:
        self._budget = budget
        self._catalog = catalog
        self._begun: set[str] = set()  # families that ran: their libraries are imported
        self._on_change = on_change or (lambda: None)
        self._entries: dict[str, _Entry] = {}
        self._guard = threading.Lock()
        self._loading = threading.Lock()
        self._turns = itertools.count(1)

    @property
    def budget_bytes(self) -> int:
        """Return what models and runs may take together, as it is now."""
        return self._budget if isinstance(self._budget, int) else self._budget()

    @property
    def held_bytes(self) -> int:
        """Return the bytes of all loaded models and what the runs under way may take."""
        with self._guard:
            return self._held()

    @property
    def used_bytes(self) -> int:
        """Return the bytes of all loaded models: their parameters and buffers."""
        with self._guard:
            return sum(entry.bytes for entry in self._entries.values())

    def holds(self, model: str) -> bool:
        """Say whether a model is loaded."""
        with self._guard:
            return model in self._entries

    def state(self) -> list[dict[str, Any]]:
        """Return `{"model", "bytes", "leases"}` of each loaded model, the least recently used first.

        What `reserve` holds is among them, with `"tool": True`.
        """
        with self._guard:
            ranked = sorted(self._entries.items(), key=lambda item: item[1].used)
            return [{"model": model, "bytes": entry.bytes, "leases": entry.leases,
                     **({"tool": True} if entry.tool else {})} for model, entry in ranked]  # fmt: skip

    def forecast(self, model: str, run_bytes: int = 0) -> Forecast:
        """Say what loading `model` and a run of it would take and what stands in the way. Raises `UnknownModel`.

        `run_bytes` as of `Family.run_bytes`; the libraries that a first run imports are added where there is a run.
        """
        spec, family = self._catalog[model], self._catalog.family(model)
        needed, budget = family.needed_bytes(spec), self.budget_bytes
        with self._guard:
            if model in self._entries:
                needed = 0
            if run_bytes and family.name not in self._begun:
                run_bytes += family.libraries_bytes
            free = budget - self._held()
            idle = sorted(
                (entry.used, name, entry.bytes) for name, entry in self._entries.items()
                if not entry.leases and (name != model or not run_bytes)
            )  # fmt: skip
        room = free + sum(size for _, _, size in idle)
        fits = needed + run_bytes <= room
        return Forecast(needed, max(0, free), tuple(name for _, name, _ in idle), fits, run_bytes, max(0, room))

    @contextmanager
    def lease(self, model: str, run_bytes: int = 0) -> Iterator[Loaded]:
        """Lend a model for a run that takes `run_bytes`, loaded if need be; it is not evicted before the block ends.

        Idle models go, least recently used first, until it fits. Raises `UnknownModel`, `WeightsError`, and
        `NotEnoughMemory` where it does not fit beside what is in use; `fresh` in its details says that a fresh process
        would have the room.
        """
        entry = self._take(model)
        if entry is None or run_bytes:
            try:
                with self._loading:
                    entry = entry or self._take(model)  # another requester may have loaded it meanwhile
                    run_bytes = self._make_room(model, run_bytes)
                    if entry is None:
                        entry = self._load(model)
                    with self._guard:
                        entry.running += run_bytes
            except BaseException:
                if entry is not None:
                    self._give_back(entry, 0)
                raise
        try:
            self._on_change()
            yield entry.loaded
        finally:
            self._give_back(entry, run_bytes)
            self._on_change()

    def gain_bytes(self, model: str) -> int:
        """Return how much more room a run of `model` would have in a fresh process that holds no other model."""
        with self._guard:
            others = sum(entry.bytes for name, entry in self._entries.items() if name != model)
        grown = 0 if isinstance(self._budget, int) else self._budget.fresh_bytes() - self._budget()
        return others + max(0, grown)

    def note_quiet(self) -> None:
        """Hand freed memory back and measure what this process holds beside its models; nothing while a run is on."""
        with self._guard:
            if any(entry.leases for entry in self._entries.values()):
                return
        memory.trim()
        if not isinstance(self._budget, int):
            self._budget.note_quiet(self.used_bytes)

    @contextmanager
    def reserve(self, name: str, needed: int) -> Iterator[None]:
        """Hold bytes of the budget for what runs beside the models, such as a tool's process, until the block ends.

        Idle models go for it. Raises `NotEnoughMemory` where it does not fit beside what is in use.
        """
        with self._loading:
            for entry in self.state():
                if needed <= self.budget_bytes - self.held_bytes:
                    break
                if not entry["leases"]:
                    with suppress(PlaygroundError):  # leased since
                        self.unload(entry["model"])
            free = self.budget_bytes - self.held_bytes
            if needed > free:
                raise NotEnoughMemory(
                    f"This needs {size(needed)} of memory, {size(max(0, free))} is free of "
                    f"{size(self.budget_bytes)}: what runs now uses the rest. Wait until it is done, then try again.",
                    needed_bytes=needed, free_bytes=max(0, free),
                )  # fmt: skip
            with self._guard:
                self._entries[name] = _Entry(Loaded({}), needed, leases=1, used=next(self._turns), tool=True)
        try:
            self._on_change()
            yield
        finally:
            with self._guard:
                del self._entries[name]
            self._on_change()

    def unload(self, model: str) -> None:
        """Drop a model that no run uses. Raises `PlaygroundError` if one does; not loaded is fine."""
        with self._guard:
            entry = self._entries.get(model)
            if entry is None:
                return
            if entry.leases:
                raise PlaygroundError(f"{model} is in use by a run. Stop that run first, or wait until it is done.")
            del self._entries[model]
        del entry
        memory.trim()
        self._on_change()

    def _take(self, model: str) -> _Entry | None:
        with self._guard:
            entry = self._entries.get(model)
            if entry is not None:
                entry.leases += 1
                entry.used = next(self._turns)
            return entry

    def _give_back(self, entry: _Entry, run_bytes: int) -> None:
        with self._guard:
            entry.leases -= 1
            entry.running -= run_bytes

    def _held(self) -> int:
        return sum(entry.bytes + entry.running for entry in self._entries.values())

    def _make_room(self, model: str, run_bytes: int) -> int:
        """Unload idle models until a model's load and run fit; `_loading` is held. Return what the run may take."""
        forecast = self.forecast(model, run_bytes)
        needed = forecast.needed_bytes + forecast.run_bytes
        if not forecast.fits:
            raise self._refusal(model, forecast)
        for idle in forecast.could_unload:
            if needed <= self.budget_bytes - self.held_bytes:
                break
            with suppress(PlaygroundError):  # leased since the forecast
                self.unload(idle)
        if needed > self.budget_bytes - self.held_bytes:
            raise self._refusal(model, self.forecast(model, run_bytes))
        if run_bytes:
            self._begun.add(self._catalog.family(model).name)
        return forecast.run_bytes

    def _load(self, model: str) -> _Entry:
        """Load what there is room for. `_loading` is held; the entry comes with one lease taken."""
        spec = self._catalog[model]
        try:
            loaded = self._catalog.family(model).load(spec)
        except (PlaygroundError, MemoryError) as error:
            _drop_locals(error)
            raise
        except Exception as error:
            _drop_locals(error)
            if "can't allocate memory" in str(error):
                raise
            log.error("%s could not be loaded", model, exc_info=error)
            advice = restore() if spec.embedded else f"Get {spec.weights.hub or spec.id} again."
            files = ", ".join(sorted(path.name for path in spec.weight_files())) if spec.here else "its files"
            raise WeightsError(
                f"{model} could not be loaded: {files} or a file beside it is damaged or missing "
                f"({type(error).__name__}). {advice} The log has the details."
            ) from error
        entry = _Entry(loaded, count_bytes(loaded), leases=1, used=next(self._turns))
        with self._guard:
            self._entries[model] = entry
        return entry

    def _refusal(self, model: str, forecast: Forecast) -> NotEnoughMemory:
        in_use = [one["model"] for one in self.state() if one["leases"] and one["model"] != model]
        could = ", ".join(forecast.could_unload)
        advice = "Choose a smaller model."
        if in_use:
            advice = f"{', '.join(in_use)} is in use: wait until that run is done, or choose a smaller model."
        unload = f" Unloading {could} would not be enough." if could else ""
        return NotEnoughMemory(
            f"{model} {forecast} of {size(self.budget_bytes)}.{unload} {advice}",
            needed_bytes=forecast.needed_bytes, free_bytes=forecast.free_bytes,
            could_unload=list(forecast.could_unload), in_use=in_use, **self._run_details(model, forecast),
        )  # fmt: skip

    def _run_details(self, model: str, forecast: Forecast) -> dict[str, Any]:
        """Return what is told of a run that does not fit: its bytes, its most room, and if a fresh process has it."""
        if not forecast.run_bytes:
            return {}
        family = self._catalog.family(model)
        begun, libraries = family.name in self._begun, family.libraries_bytes
        fixed = isinstance(self._budget, int)
        room = self._budget if isinstance(self._budget, int) else self._budget.fresh_bytes()
        left = room - family.needed_bytes(self._catalog[model])
        busy = any(one["leases"] for one in self.state() if one["model"] != model)
        # a process that is fresh imports them anew; the forecast has them in it where this one did not yet
        fresh = not fixed and not busy and forecast.run_bytes + libraries * begun <= left
        room_bytes = max(0, left if fixed and begun else left - libraries)
        return {"run_bytes": forecast.run_bytes, "room_bytes": room_bytes, "fresh": fresh}


def _drop_locals(error: BaseException | None) -> None:
    """Free what a failed load had read: its frames, kept by the error's traceback, still hold it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    memory.trim()


def count_bytes(loaded: Loaded) -> int:
    """Return the bytes of a model's parameters and buffers, shared storage counted once."""
    seen: dict[int, int] = {}
    for module in loaded.modules():
        for tensor in (*module.parameters(), *module.buffers()):
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
    return sum(seen.values())
