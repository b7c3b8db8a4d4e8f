"""Where requests run: the protocol that jobs speak, and the engine in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from models import device
from models.blobs import Blobs
from models.catalog import Catalog, load_catalog
from models.errors import NotEnoughMemory, NotNow, PlaygroundError
from models.events import Event, Final, Progress
from models.family import Context, Loaded
from models.params import Params
from models.runtime import fitting, memory, together, tools
from models.runtime.registry import Registry
from models.runtime.running import Running
from models.settings import Settings
from models.types import Request

Phase = Literal["starting", "warming", "ready", "stopped"]


class StopSignal:
    """Carry a user's Stop to a run: `request()` asks, a second time it insists (`forced`). Thread-safe.

    `skip()` asks for the outputs at hand to be left; `take_skip()` says so once for each press. `asker` is whom the run
    is for: what a model keeps from one run to the next, it keeps for one asker. With `ahead` the run that is under way
    is set aside for this one, where the engine can do that.
    """

    def __init__(self, asker: str = "") -> None:
        self.asker = asker
        self.ahead = False
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

    `loaded` is a list of `{"model", "bytes", "leases"}`; `last_death` is `WorkerDied.to_dict()` or None. `problem` says
    why the engine does not start, which it tries again at `retry_at`.
    """

    phase: Phase = "starting"
    since: float = 0.0
    pid: int | None = None
    loaded: tuple[dict[str, Any], ...] = ()
    used_bytes: int = 0
    budget_bytes: int = 0
    refused: tuple[str, ...] = ()
    last_death: dict[str, Any] | None = None
    problem: str = ""
    retry_at: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Run requests somewhere. One engine serves many threads; it decides how many requests run at a time."""

    def generate(self, request: Request, stop: StopSignal | None = None) -> Iterator[Event]:
        """Yield the run's events, the last one `Final`. Raises `PlaygroundError`s.

        A run that is set aside for another says so (`Progress` of the stage `events.RESTING`) and goes on later. One
        that asks to go `ahead` and cannot raises `NotNow`, and may be asked for again.
        """

    def generate_together(
        self, requests: Sequence[Request], stop: StopSignal | None = None
    ) -> Iterator[tuple[int, Event | PlaygroundError]]:
        """Run requests at once that `models.runtime.together.how_many` says may be; yield their events by index.

        Each ends with its `Final` or its error, as it comes; after Stop some may have none. Raises `NotNow` alone.
        """

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
    aside_s: Callable[[], float] = lambda: 0.0,
) -> Iterator[Event]:
    """Run one request on loaded models: what every engine does, in whichever process it lives.

    Yields the family's events; `Final.stats` gains `in_effect` (see `values_in_effect`; without what the family says
    was `unused`; empty of a study), `cause`, `seconds`, `first_output_s` (both from the request's arrival), `load_s` of
    them where the model had to be loaded, and `peak_bytes` (of the process). `aside_s()` says for how many seconds the
    run was set aside: they count in no time and no speed, and stand apart, if there are any. The artefacts' stamp is
    the request in today's form with its params in full, so that a request which leaves a default out, or was made long
    ago, gives the same bytes as one that names all. An artefact that the family did not hash is hashed here; one
    without the stamp inside is told in `Final.stats`.
    """
    run = Running(request, catalog, aside_s)
    request, spec, family = run.request, run.spec, run.family
    catalog.check_uploads(request, open_ref)
    memory.reset_peak()
    held = registry.holds(spec.id)
    if not held:
        yield Progress("load", 0, spec.weights_bytes(), spec.name)
    loading = run.ran_s()
    with _lent(registry, catalog, request, run.params) as loaded:
        load_s = 0.0 if held else run.ran_s() - loading
        device.set_threads(family.needed_bytes(spec), settings)
        if request.study:
            stopped, late = _until(stopped, run.ran_s, settings.study_max_s)
        context = Context(stopped, skipped, open_ref, open_beside, run.stamp(), asker)
        begin = getattr(family, family.studies[request.study]) if request.study else family.generate
        events: Iterator[Event] = begin(spec, run.full, run.params, loaded, context)
        for event in events:
            if event.kind == "final" and request.study and late():
                said = [*event.stats.get("notes", []), _STUDY_LATE.format(settings.study_max_s)]
                event = Final(event.outputs, {**event.stats, "notes": said})
            yield run.told(event, load_s)


@contextmanager
def _lent(registry: Registry, catalog: Catalog, request: Request, params: Params) -> Iterator[Loaded]:
    """Lend a run's model, with room for the run. Raises `NotEnoughMemory` with what would fit."""
    spec, family = catalog[request.model], catalog.family(request.model)
    try:
        lease = registry.lease(spec.id, family.run_bytes(spec, request, params))
        loaded = lease.__enter__()
    except NotEnoughMemory as error:
        raise fitting.explained(error, catalog, request, params) from error
    with ExitStack() as stack:
        stack.push(lease)
        yield loaded


NOT_NOW = "This run cannot go ahead of the one under way. It waits until that has ended."
_STUDY_LATE = "This analysis took longer than {:.0f} s, the most allowed, and was stopped. Choose a shorter result."


def _until(
    stopped: Callable[[], bool], ran_s: Callable[[], float], limit_s: float
) -> tuple[Callable[[], bool], Callable[[], bool]]:
    """Return `stopped`, true after `limit_s` seconds of running too, and what says whether that was why."""
    found = []

    def ended() -> bool:
        if ran_s() > limit_s:
            found.append(True)
        return bool(found) or stopped()

    return ended, lambda: bool(found)


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
        if stop.ahead and self._turn.locked():
            raise NotNow(NOT_NOW)
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

    def generate_together(
        self, requests: Sequence[Request], stop: StopSignal | None = None
    ) -> Iterator[tuple[int, Event | PlaygroundError]]:
        """Yield the runs' events; see `Engine.generate_together`."""
        stop = stop or StopSignal()
        if stop.ahead and self._turn.locked():
            raise NotNow(NOT_NOW)
        return together.rest_alone(
            lambda request: self.generate(request, stop), requests, lambda: stop.asked, self._at_once(requests, stop)
        )

    def _at_once(self, requests: Sequence[Request], stop: StopSignal) -> Iterator[together.Told]:
        with self._turn:
            yield from together.run_together(
                requests, self._catalog, self._ready(), self._settings, stopped=lambda: stop.asked,
                open_ref=self._blobs.get_bytes, open_beside=self._blobs.get_beside, asker=stop.asker,
            )  # fmt: skip

    def call(self, model: str, tool: str, data: dict[str, Any], stop: StopSignal | None = None) -> dict[str, Any]:
        """Return what a family's tool says of `data`; see `Engine.call`."""
        stop, registry = stop or StopSignal(), self._registry
        cost = tools.forecast(self._catalog, model, tool, data, self._blobs)
        tools.check_budget(cost, self._settings, registry.budget_bytes if registry else self._budget())
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
            self._registry = Registry(self._catalog, memory.Budget(self._settings))
        return self._registry

    def _budget(self) -> int:
        return memory.budget_bytes(self._settings)
