"""What every family yields, and how it travels: a JSON header and raw bytes, never pickle.

Dispatch on `event.kind`, never on the class: the app may hold classes from before a code reload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from models.types import Output, RunStats


@dataclass(frozen=True)
class Progress:
    """Say how far the current stage is: `step` of `total` (0 where unknown). Never dropped on its way."""

    stage: str  # "queue", "warm-up", "load", "prompt", "generate", …
    step: int = 0
    total: int = 0
    note: str = ""
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True)
class Preview:
    """Show every output so far. It replaces the preview before it, so that dropping some loses nothing."""

    outputs: tuple[Output, ...]
    stats: RunStats = field(default_factory=RunStats)
    kind: Literal["preview"] = "preview"


@dataclass(frozen=True)
class Final:
    """Close a run, once, as its last event. `stats["stopped"]` is true where a Stop cut it short."""

    outputs: tuple[Output, ...]
    stats: RunStats = field(default_factory=RunStats)
    kind: Literal["final"] = "final"


Event = Progress | Preview | Final


def to_wire(event: Event) -> tuple[dict[str, Any], list[bytes]]:
    """Return a plain-JSON header and the outputs' bytes in order."""
    if event.kind == "progress":
        return {"kind": "progress", "stage": event.stage, "step": event.step, "total": event.total,
                "note": event.note}, []  # fmt: skip
    header = {"kind": event.kind, "stats": event.stats, "outputs": [output.to_header() for output in event.outputs]}
    return header, [output.data for output in event.outputs]


def from_wire(header: dict[str, Any], blobs: list[bytes]) -> Event:
    """Rebuild the event that `to_wire` took apart. Raises `ValueError` for an unknown kind."""
    kind = header["kind"]
    if kind == "progress":
        return Progress(header["stage"], header["step"], header["total"], header["note"])
    outputs = tuple(Output(data=blob, **part) for part, blob in zip(header["outputs"], blobs, strict=True))
    if kind == "preview":
        return Preview(outputs, header["stats"])
    if kind == "final":
        return Final(outputs, header["stats"])
    raise ValueError(f"unknown event kind {kind!r}")
