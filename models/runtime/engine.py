"""Where requests run: the protocol that jobs speak, and the engine in this process."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from models import device
from models.blobs import Blobs
from models.catalog import Catalog, load_catalog
from models.events import Event, Final, Progress
from models.family import Context
from models.params import values_in_effect
from models.runtime import memory, tools
from models.runtime.registry import Registry
from models.settings import Settings
from models.types import ASIDE, Output, Request, RunStats

Phase = Literal["starting", "warming", "ready", "stopped"]


class StopSignal:
    """Carry a user's Stop to a run: `request()` asks, a second time it insists (`forced`). Thread-safe.

    `skip()` asks for the outputs at hand to be left; `take_skip()` says so once for each press. `asker` is whom the run
    is for: what a model keeps from one run to the next, it keeps for one asker.
    """

    def __init__(self, asker: str = "") -> None:
        self.asker = asker
        self._asked = threading.Event()
        self._forced = threading.Event()
        self._skip = threading.Event()

    def skip(self) -> None:
        """Ask the run to leave the outputs at hand and to go on with the next."""
        self._skip.set()

    def take_skip(self) -> bool:
        """Say whether Skip was pressed since the last call."""
        pressed = self._skip.is_set()
        if pressed:
            self._skip.clear()
        return pressed

    def request(self) -> None:
        """Ask the run to end with what it has; asked again, unload what does not listen."""
        (self._forced if self._asked.is_set() else self._asked).set()

    @property
    def asked(self) -> bool:
        """Say whether Stop was pressed."""
        return self._asked.is_set()

    @property
    def forced(self) -> bool:
        """Say whether Stop was pressed twice."""
        return self._forced.is_set()


@dataclass(frozen=True)
class EngineState:
    """Tell what an engine last said of itself. Sizes in bytes, times in UTC seconds since the epoch.

    `loaded` is a list of `{"model", "bytes", "leases"}`; `last_death` is `WorkerDied.to_dict()` or None.
    """

    phase: Phase = "starting"
    since: float = 0.0
    pid: int | None = None
    loaded: tuple[dict[str, Any], ...] = ()
    used_bytes: int = 0
    budget_bytes: int = 0
    refused: tuple[str, ...] = ()
    last_death: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Run requests somewhere. One engine serves many threads; it decides how many requests run at a time."""

    def generate(self, request: Request, stop: StopSignal | None = None) -> Iterator[Event]:
        """Yield the run's events, the last one `Final`. Raises `PlaygroundError`s."""

    def call(self, model: str, tool: str, data: dict[str, Any], stop: StopSignal | None = None) -> dict[str, Any]:
        """Return what a family's tool says of `data` (plain JSON both ways). Raises `PlaygroundError`s.

        What is forecast over `Settings.tool_max_s` or the memory's budget is refused; what takes long, `stop` ends
        (`Stopped`).
        """

    def state(self) -> EngineState:
        """Return the last state at once; never waits for a busy engine."""

    def unload(self, model: str) -> None:
        """Drop a loaded model that no run uses."""

    def allow(self, model: str) -> None:
        """Run a refused model all the same ("try anyway")."""

    def close(self) -> None:
        """End the engine and free what it holds."""


def run_request(
    request: Request,
    catalog: Catalog,
    registry: Registry,
    settings: Settings,
    *,
    stopped: Callable[[], bool],
    open_ref: Callable[[str], bytes],
    open_beside: Callable[[str, str], bytes | None] = lambda ref, name: None,
    skipped: Callable[[], bool] = lambda: False,
    asker: str = "",
) -> Iterator[Event]:
    """Run one request on loaded models: what every engine does, in whichever process it lives.

    Yields the family's events; `Final.stats` gains `in_effect` (see `values_in_effect`; without what the family says
    was `unused`; empty of a study), `seconds`, `first_output_s` (both from the request's arrival)
    and `peak_bytes` (of the process). The artefacts' stamp is the request in today's form with its params in full, so
    that a request which leaves a default out, or was made long ago, gives the same bytes as one that names all. An
    artefact that the family did not hash is hashed here; one without the stamp inside is told in `Final.stats`.
    """
    started = time.monotonic()
    request = catalog.current(request)
    params = catalog.validate(request)
    catalog.check_uploads(request, open_ref)
    spec, family = catalog[request.model], catalog.family(request.model)
    memory.reset_peak()
    if not registry.holds(spec.id):
        yield Progress("load", 0, spec.weights_bytes(), spec.name)
    with registry.lease(spec.id) as loaded:
        device.set_threads(family.needed_bytes(spec), settings)
        full = request.model_copy(update={"params": params.model_dump(mode="json")})
        stamp = {"request": full.model_dump(), "revision": spec.revision(), **device.stamp_facts()}
        if request.study:
            stopped, late = _until(stopped, started + settings.study_max_s)
        context = Context(stopped, skipped, open_ref, open_beside, stamp, asker)
        first_output_s: float | None = None
        values = {**full.params, "seed": full.seed}
        acted = {} if request.study else values_in_effect(family.fields(spec), values)
        run = getattr(family, family.studies[request.study]) if request.study else family.generate
        events: Iterator[Event] = run(spec, full, params, loaded, context)
        for event in events:
            if event.kind == "preview" and first_output_s is None:
                first_output_s = time.monotonic() - started
            if event.kind == "final":
                seconds = time.monotonic() - started
                stats: RunStats = {
                    "stopped": False,
                    **event.stats,
                    "seconds": round(seconds, 3),
                    "first_output_s": round(seconds if first_output_s is None else first_output_s, 3),
                    "peak_bytes": memory.peak_bytes(),
                }
                unused = stats.pop("unused", [])
                if not request.study and (said := family.warnings(spec, full, params)):
                    stats["notes"] = [*said, *stats.get("notes", [])]
                if request.study and late():
                    stats["notes"] = [*stats.get("notes", []), _STUDY_LATE.format(settings.study_max_s)]
                stats["in_effect"] = {name: value for name, value in acted.items() if name not in unused}
                outputs = tuple(_hashed(output) for output in event.outputs)
                bare = [one.index for one in outputs if one.kind not in ASIDE and not _holds(one.data, spec.revision())]
                if bare and not request.study:
                    stats["bare"] = bare
                event = Final(outputs, stats)
            yield event


_STUDY_LATE = "This analysis took longer than {:.0f} s, the most allowed, and was stopped. Choose a shorter result."


def _until(stopped: Callable[[], bool], limit: float) -> tuple[Callable[[], bool], Callable[[], bool]]:
    """Return `stopped`, true past `limit` (monotonic seconds) too, and what says whether that was why."""
    found = []

    def ended() -> bool:
        if time.monotonic() > limit:
            found.append(True)
        return bool(found) or stopped()

    return ended, lambda: bool(found)


def _hashed(output: Output) -> Output:
    if output.sha256 or not output.data:
        return output
    return replace(output, sha256=hashlib.sha256(output.data).hexdigest())


def _holds(data: bytes, revision: str) -> bool:
    """Say whether a file holds a stamp: the hash of the weights stands in it as plain text, whatever the format."""
    return revision.encode() in data


class LocalEngine:
    """Run requests in this process, one at a time: the CLI, scripts and tests. Imports torch at the first run."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._catalog = load_catalog(self._settings, strict=False)
        self._blobs = Blobs(self._settings.data_dir)
        self._registry: Registry | None = None
        self._turn = threading.Lock()

    @property
    def catalog(self) -> Catalog:
        """Return the catalogue that requests are checked against."""
        return self._catalog

    def generate(self, request: Request, stop: StopSignal | None = None) -> Iterator[Event]:
        """Yield the run's events; see `Engine.generate`."""
        stop = stop or StopSignal()
        self._catalog.validate(request)  # before torch is imported: a bad request answers at once
        with self._turn:
            registry = self._ready()
            yield from run_request(
                request,
                self._catalog,
                registry,
                self._settings,
                stopped=lambda: stop.asked,
                skipped=stop.take_skip,
                open_ref=self._blobs.get_bytes,
                open_beside=self._blobs.get_beside,
                asker=stop.asker,
            )

    def call(self, model: str, tool: str, data: dict[str, Any], stop: StopSignal | None = None) -> dict[str, Any]:
        """Return what a family's tool says of `data`; see `Engine.call`."""
        stop, registry = stop or StopSignal(), self._registry
        cost = tools.forecast(self._catalog, model, tool, data, self._blobs)
        tools.check_budget(cost, self._settings, memory.budget_bytes(self._settings))
        return tools.run_tool(
            self._catalog,
            self._settings,
            self._blobs,
            model,
            tool,
            data,
            cost,
            stopped=lambda: stop.asked,
            reserve=registry.reserve if registry else None,
        )

    def state(self) -> EngineState:
        """Return what is loaded now."""
        if self._registry is None:
            return EngineState()
        loaded = tuple(self._registry.state())
        return EngineState("ready", 0.0, os.getpid(), loaded, self._registry.used_bytes, self._registry.budget_bytes)

    def unload(self, model: str) -> None:
        """Drop a loaded model; see `Engine.unload`."""
        if self._registry is not None:
            self._registry.unload(model)

    def allow(self, model: str) -> None:
        """Do nothing: this engine refuses no model."""

    def close(self) -> None:
        """Drop every loaded model."""
        if self._registry is not None:
            for entry in self._registry.state():
                self._registry.unload(entry["model"])

    def _ready(self) -> Registry:
        if self._registry is None:
            device.import_libraries(self._settings)
            self._registry = Registry(self._catalog, memory.budget_bytes(self._settings))
        return self._registry
