"""The loaded models of one process: bytes, leases, one load at a time, eviction.

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
    used: int = 0  # turn of the last use: the lowest goes first
    tool: bool = False  # memory of a tool's process, no model


@dataclass(frozen=True)
class Forecast:
    """Say what loading a model takes. Sizes in bytes; `could_unload` are ids that no run uses, oldest first."""

    needed_bytes: int
    free_bytes: int
    could_unload: tuple[str, ...]
    fits: bool

    def __str__(self) -> str:
        return f"needs {size(self.needed_bytes)}, {size(self.free_bytes)} is free"


class Registry:
    """Hold loaded models within `budget_bytes`. Thread-safe. `on_change` is called after every load and unload."""

    def __init__(self, catalog: Catalog, budget_bytes: int, on_change: Callable[[], None] | None = None) -> None:
        self.budget_bytes = budget_bytes
        self._catalog = catalog
        self._on_change = on_change or (lambda: None)
        self._entries: dict[str, _Entry] = {}
        self._guard = threading.Lock()
        self._loading = threading.Lock()
        self._turns = itertools.count(1)

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

    def forecast(self, model: str) -> Forecast:
        """Say what loading `model` would take and what stands in its way. Raises `UnknownModel`."""
        spec = self._catalog[model]
        needed = self._catalog.family(model).needed_bytes(spec)
        with self._guard:
            if model in self._entries:
                needed = 0
            free = self.budget_bytes - sum(entry.bytes for entry in self._entries.values())
            idle = sorted(
                ((entry.used, name, entry.bytes) for name, entry in self._entries.items() if not entry.leases)
            )
        fits = needed <= free + sum(size for _, _, size in idle)
        return Forecast(needed, max(0, free), tuple(name for _, name, _ in idle), fits)

    @contextmanager
    def lease(self, model: str) -> Iterator[Loaded]:
        """Lend a model, loaded if need be; it is not evicted before the block ends.

        Idle models go, least recently used first, until it fits. Raises `UnknownModel`, `WeightsError`, and
        `NotEnoughMemory` where it does not fit beside what is in use.
        """
        entry = self._take(model)
        if entry is None:
            with self._loading:
                entry = self._take(model)  # another requester may have loaded it meanwhile
                if entry is None:
                    entry = self._load(model)
        try:
            self._on_change()
            yield entry.loaded
        finally:
            with self._guard:
                entry.leases -= 1
            self._on_change()

    @contextmanager
    def reserve(self, name: str, needed: int) -> Iterator[None]:
        """Hold bytes of the budget for what runs beside the models, such as a tool's process, until the block ends.

        Idle models go for it. Raises `NotEnoughMemory` where it does not fit beside what is in use.
        """
        with self._loading:
            for entry in self.state():
                if needed <= self.budget_bytes - self.used_bytes:
                    break
                if not entry["leases"]:
                    with suppress(PlaygroundError):  # leased since
                        self.unload(entry["model"])
            free = self.budget_bytes - self.used_bytes
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

    def _load(self, model: str) -> _Entry:
        """Make room and load. `_loading` is held; the entry comes with one lease taken."""
        spec = self._catalog[model]
        forecast = self.forecast(model)
        if not forecast.fits:
            raise self._refusal(model, forecast)
        for idle in forecast.could_unload:
            if forecast.needed_bytes <= self.budget_bytes - self.used_bytes:
                break
            with suppress(PlaygroundError):  # leased since the forecast
                self.unload(idle)
        if forecast.needed_bytes > self.budget_bytes - self.used_bytes:
            raise self._refusal(model, self.forecast(model))
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
            advice = restore() if spec.embedded else f"Get {spec.weights.hub} again."
            files = ", ".join(sorted(path.name for path in spec.weight_files())) if spec.embedded else "its files"
            raise WeightsError(
                f"{model} could not be loaded: {files} or a file beside it is damaged or missing "
                f"({type(error).__name__}). {advice} The log has the details."
            ) from error
        entry = _Entry(loaded, count_bytes(loaded), leases=1, used=next(self._turns))
        with self._guard:
            self._entries[model] = entry
        return entry

    def _refusal(self, model: str, forecast: Forecast) -> NotEnoughMemory:
        in_use = [one["model"] for one in self.state() if one["leases"]]
        could = ", ".join(forecast.could_unload)
        advice = "Choose a smaller model."
        if in_use:
            advice = f"{', '.join(in_use)} is in use: wait until that run is done, or choose a smaller model."
        unload = f" Unloading {could} would not be enough." if could else ""
        return NotEnoughMemory(
            f"{model} {forecast} of {size(self.budget_bytes)}.{unload} {advice}",
            needed_bytes=forecast.needed_bytes, free_bytes=forecast.free_bytes,
            could_unload=list(forecast.could_unload), in_use=in_use,
        )  # fmt: skip


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
