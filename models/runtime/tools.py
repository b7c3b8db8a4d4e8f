"""What families offer beside generating: each call within a budget of time and memory, the long ones in a process.

A thread cannot be stopped and shares its process's memory. So a tool says what a call will take (`Family.costs`); what
is forecast above `QUICK_S` runs in a child process (`models.runtime.tool_process`), whose address space is limited and
which Stop, a deadline or the end of its parent kills. What is forecast over the budget is refused in a sentence.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any

from models.amounts import size, span
from models.blobs import Blobs
from models.catalog import Catalog
from models.errors import BadInput, BadRequest, NotEnoughMemory, PlaygroundError, Stopped, error_from_dict
from models.family import Cost
from models.settings import PACKAGE_DIR, Settings

log = logging.getLogger(__name__)

QUICK_S = 1.0  # what takes longer runs in a process of its own
CHILD_BYTES = 300_000_000  # Python and torch, before the tool begins
START_S = 60.0  # most that the child may take to begin; a busy machine imports torch slowly
TICK_S = 0.05
_ONE_AT_A_TIME = threading.Lock()  # of the long ones in one process
_TRACES = (
    "can't allocate memory", "not enough memory", "Cannot allocate memory", "can't start new thread",
    "failed to map segment", "failed to create thread", "Unable to allocate",
)  # fmt: skip


def call_tool(catalog: Catalog, model: str, tool: str, data: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Run a family's tool here. Raises `UnknownModel`, or `BadRequest` for a tool that the family does not have."""
    spec, family = catalog[model], catalog.family(model)
    _check_known(catalog, model, tool)
    answer: dict[str, Any] = getattr(family, family.tools[tool])(spec, data, blobs)
    return answer


def forecast(catalog: Catalog, model: str, tool: str, data: dict[str, Any], blobs: Blobs) -> Cost:
    """Return what a call will take; nothing where the family does not say. Raises as `call_tool` does."""
    _check_known(catalog, model, tool)
    family = catalog.family(model)
    if tool not in family.costs:
        return Cost()
    cost: Cost = getattr(family, family.costs[tool])(catalog[model], data, blobs)
    return cost


def check_budget(cost: Cost, settings: Settings, budget_bytes: int) -> None:
    """Refuse what is forecast over the budget of time (`BadInput`) or memory (`NotEnoughMemory`)."""
    what = f" for {cost.of}" if cost.of else ""
    if cost.seconds > settings.tool_max_s:
        raise BadInput(
            f"This would take about {span(cost.seconds)}{what}; at most {span(settings.tool_max_s)} are allowed. "
            "Choose a shorter one, or change less.", seconds=cost.seconds, limit=settings.tool_max_s,
        )  # fmt: skip
    needed = cost.bytes + (CHILD_BYTES if cost.seconds > QUICK_S else 0)
    if needed > budget_bytes:
        raise NotEnoughMemory(
            f"This would need about {size(needed)} of memory{what}; the playground may use {size(budget_bytes)}. "
            "Choose a shorter one, or change less.", needed_bytes=needed, free_bytes=budget_bytes,
        )  # fmt: skip


def run_tool(
    catalog: Catalog, settings: Settings, blobs: Blobs, model: str, tool: str, data: dict[str, Any], cost: Cost, *,
    stopped: Callable[[], bool] = lambda: False,
    reserve: Callable[[str, int], AbstractContextManager[None]] | None = None,
    log_to: IO[bytes] | int = subprocess.DEVNULL,
) -> dict[str, Any]:  # fmt: skip
    """Run a tool whose forecast is within the budget: here where it is quick, else in a process.

    `stopped` is asked several times a second; `reserve(name, bytes)` holds the child's memory while it runs; its log
    goes to `log_to`. Raises what the tool raises, `Stopped`, `BadInput` past the deadline, and `NotEnoughMemory`.
    """
    if cost.seconds <= QUICK_S:
        return call_tool(catalog, model, tool, data, blobs)
    while not _ONE_AT_A_TIME.acquire(timeout=TICK_S):
        if stopped():
            raise Stopped(_STOPPED)
    try:
        with reserve(f"{model} · {tool}", cost.bytes + CHILD_BYTES) if reserve else nullcontext():
            setup = {"settings": settings.model_dump(mode="json"), "model": model, "tool": tool, "data": data,
                     "bytes": cost.bytes, "seconds": settings.tool_max_s}  # fmt: skip
            return _in_child(setup, cost, settings, stopped, log_to)
    finally:
        _ONE_AT_A_TIME.release()


def _in_child(
    setup: dict[str, Any], cost: Cost, settings: Settings, stopped: Callable[[], bool], log_to: IO[bytes] | int
) -> dict[str, Any]:
    child = subprocess.Popen(
        [sys.executable, "-m", "models.runtime.tool_process"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log_to, cwd=PACKAGE_DIR.parent,
    )  # fmt: skip
    lines: list[bytes] = []
    assert child.stdin is not None and child.stdout is not None
    begun = time.monotonic()
    # its end of stdin stays open: where this process ends, however it ends, the child does too
    with child.stdin, child.stdout as answers:
        reader = threading.Thread(target=lambda: lines.extend(answers), name="tool-answer", daemon=True)
        reader.start()
        try:
            child.stdin.write(json.dumps(setup).encode() + b"\n")
            child.stdin.flush()
        except BrokenPipeError:
            pass  # it ended at once: its exit code tells
        try:
            while reader.is_alive():
                reader.join(TICK_S)
                if lines and begun is not None and lines[0] == b"begun\n":
                    begun, lines[0] = time.monotonic(), b"running\n"
                waited = time.monotonic() - begun
                if stopped():
                    raise Stopped(_STOPPED)
                if waited > (settings.tool_max_s if lines else START_S):
                    raise BadInput(
                        f"This took longer than {span(settings.tool_max_s)}, which is the most allowed"
                        f"{f' (for {cost.of})' if cost.of else ''}, and was stopped. Choose a shorter one, or change "
                        "less."
                    )
        finally:
            child.kill()
            child.wait()
            reader.join()
    return _answer(lines, child.returncode)


def _answer(lines: list[bytes], code: int) -> dict[str, Any]:
    if len(lines) < 2:
        log.error("a tool's process ended with %s before it answered", code)
        raise PlaygroundError("The tool's process ended before it answered. Try again; the log has the details.")
    answer = json.loads(lines[1])
    if "error" in answer:
        raise error_from_dict(answer["error"])
    data: dict[str, Any] = answer["data"]
    return data


def as_error(error: Exception) -> PlaygroundError:
    """Turn what a family raised into a sentence for the reader; the traceback goes to the log.

    torch raises `RuntimeError` ("can't allocate memory") where Python raises `MemoryError`.
    """
    if isinstance(error, PlaygroundError):
        return error
    log.error("a request failed", exc_info=error)
    if isinstance(error, MemoryError) or any(trace in str(error) for trace in _TRACES):
        return NotEnoughMemory(
            "This needed more memory than the playground may use. Choose smaller settings or a smaller model.",
            midway=True,
        )
    return PlaygroundError(
        f"The model stopped with an unexpected problem ({type(error).__name__}). The log has the details; "
        "try other settings, or run it again."
    )


def _check_known(catalog: Catalog, model: str, tool: str) -> None:
    catalog[model]
    family = catalog.family(model)
    if tool not in family.tools:
        raise BadRequest(f"{model} has no tool {tool!r}; it has: {', '.join(family.tools) or 'none'}.")


_STOPPED = "Stopped before it was finished. Nothing was changed."
