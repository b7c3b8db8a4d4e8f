"""Requests that a family makes at once: which of some may go together, and their run in an engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from models import device
from models.errors import NotNow, PlaygroundError
from models.events import Event, Progress
from models.family import Context
from models.runtime import memory, tools
from models.runtime.running import Running
from models.types import Request

if TYPE_CHECKING:
    from models.catalog import Catalog
    from models.runtime.registry import Registry
    from models.settings import Settings

log = logging.getLogger(__name__)

Told = tuple[int, Event | PlaygroundError]  # the index of a request, and what it says


def how_many(catalog: Catalog, requests: Sequence[Request]) -> int:
    """Return how many of the first of some requests may be made at once, by what their family declares; 1 for alone."""
    first, count = None, 0
    for request in requests:
        try:
            request = catalog.current(request)
            spec, family = catalog[request.model], catalog.family(request.model)
            same = family.together(spec, request, catalog.validate(request)) if family.together_most > 1 else ""
        except PlaygroundError:
            break
        first = (spec.id, same) if first is None else first
        if not same or first != (spec.id, same) or count >= family.together_most:
            break
        count += 1
    return max(1, count)


def run_bytes(catalog: Catalog, requests: Sequence[Request]) -> int:
    """Forecast what some runs at once take beside their model: what each of them would. Raises `PlaygroundError`s."""
    found = 0
    for request in map(catalog.current, requests):
        spec, family = catalog[request.model], catalog.family(request.model)
        found += family.run_bytes(spec, request, catalog.validate(request))
    return found


def run_together(
    requests: Sequence[Request], catalog: Catalog, registry: Registry, settings: Settings, *,
    stopped: Callable[[], bool], open_ref: Callable[[str], bytes],
    open_beside: Callable[[str, str], bytes | None] = lambda ref, name: None, asker: str = "",
    aside_s: Callable[[], float] = lambda: 0.0,
) -> Iterator[Told]:  # fmt: skip
    """Run requests at once on one loaded model, in parts where all of them do not fit in memory.

    Yields what `run_request` yields, with the request's index, and in place of an end the error of one that failed.
    `Final.stats` gains `together`; `seconds` are those since its part began.
    """
    size = len(requests)
    while size > 1 and not registry.forecast(requests[0].model, run_bytes(catalog, requests[:size])).fits:
        size = (size + 1) // 2
    for at in range(0, len(requests), size):
        if stopped():
            return
        part = _part(
            requests[at : at + size], catalog, registry, settings, Context(
                stopped, lambda: False, open_ref, open_beside, {}, asker
            ), aside_s,
        )  # fmt: skip
        for index, event in part:
            yield at + index, event


def _part(
    requests: Sequence[Request], catalog: Catalog, registry: Registry, settings: Settings, context: Context,
    aside_s: Callable[[], float],
) -> Iterator[Told]:  # fmt: skip
    assert context.open_ref is not None
    rested_before = aside_s()
    runs: list[Running] = []
    for request in requests:
        run = Running(request, catalog, lambda: aside_s() - rested_before)
        catalog.check_uploads(run.request, context.open_ref)
        runs.append(run)
    spec, family = runs[0].spec, runs[0].family
    memory.reset_peak()
    held = registry.holds(spec.id)
    if not held:
        yield 0, Progress("load", 0, spec.weights_bytes(), spec.name)
    loading = time.monotonic()
    with registry.lease(spec.id, run_bytes(catalog, requests)) as loaded:
        load_s = 0.0 if held else time.monotonic() - loading
        device.set_threads(family.needed_bytes(spec), settings)
        events = family.generate_together(
            spec, [run.full for run in runs], [run.params for run in runs], loaded, context,
            [run.stamp() for run in runs],
        )  # fmt: skip
        for index, event in events:
            yield index, event if isinstance(event, PlaygroundError) else runs[index].told(event, load_s)


def rest_alone(
    generate: Callable[[Request], Iterator[Event]], requests: Sequence[Request], stopped: Callable[[], bool],
    told: Iterator[Told],
) -> Iterator[Told]:  # fmt: skip
    """Yield what is told of requests that are made at once, and `generate` alone what did not end, unless `stopped()`.

    So what ends them all, as a lack of memory, a fault or the worker's death, is told of the one that brings it about.
    Raises `NotNow` alone.
    """
    ended: set[int] = set()
    try:
        for index, event in told:
            if isinstance(event, PlaygroundError) or event.kind == "final":
                ended.add(index)
            yield index, event
    except NotNow:
        raise
    except Exception as error:
        log.warning("%s requests at once failed (%s); the rest is made alone", len(requests), tools.as_error(error))
    for index in [index for index in range(len(requests)) if index not in ended]:
        if stopped():
            return
        try:
            for event in generate(requests[index]):
                yield index, event
        except NotNow:
            raise
        except PlaygroundError as error:
            yield index, error
