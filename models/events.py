"""What every family yields, and how it travels: a JSON header and raw bytes, never pickle.

Dispatch on `event.kind`, never on the class: the app may hold classes from before a code reload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from models.types import Output, RunStats


@dataclass(frozen=True)
class Progress:
    """Say how far the current stage is: `step` of `total` (0 where unknown). Never dropped on its way.

    `unit` is what a step is, in the plural: "tokens", "sentences", "parts"; "%" where `step` is a percentage.
    A stage of `APART` is no stepping, whatever its total counts.
    """

    stage: str  # "warm-up", "load", "prompt", "generate", …
    step: int = 0
    total: int = 0
    note: str = ""
    unit: str = "steps"
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

RESTING = "resting"  # the stage of a run that waits, half done, until a shorter one of somebody else has ended
APART = ("warm-up", "start", "load", "prompt", "decode", RESTING)  # before, between and after the steps of a result


def is_stepping(progress: Progress) -> bool:
    """Say whether steps are being made of which it is known how many there are."""
    return progress.total > 0 and progress.stage not in APART


def share(progress: Progress | None) -> float:
    """Return the part of the steps that is done, 0 … 1, of a run that is set aside too; 0 while none are made."""
    if progress is None or not progress.total or not (is_stepping(progress) or progress.stage == RESTING):
        return 0.0
    return min(1.0, progress.step / progress.total)


def count_words(progress: Progress) -> str:
    """Say how far the steps are, for page and shell: "38 of 160 tokens", "picture 2 of 4 · 7 of 20 steps", "37%".

    Without a total it is "38 tokens"; "" where there is nothing to say.
    """
    many = progress.total or progress.step
    unit = progress.unit.removesuffix("s") if many == 1 else progress.unit
    count = f"{progress.step:,} of {progress.total:,} {unit}" if progress.total else f"{progress.step:,} {unit}"
    if progress.unit == "%":
        count = f"{progress.step}%"
    return " · ".join(part for part in (progress.note, count if many else "") if part)


def to_wire(event: Event) -> tuple[dict[str, Any], list[bytes]]:
    """Return a plain-JSON header and the outputs' bytes in order."""
    if event.kind == "progress":
        return {"kind": "progress", "stage": event.stage, "step": event.step, "total": event.total,
                "note": event.note, "unit": event.unit}, []  # fmt: skip
    header = {"kind": event.kind, "stats": event.stats, "outputs": [output.to_header() for output in event.outputs]}
    return header, [output.data for output in event.outputs]


def from_wire(header: dict[str, Any], blobs: list[bytes]) -> Event:
    """Rebuild the event that `to_wire` took apart. Raises `ValueError` for an unknown kind."""
    kind = header["kind"]
    if kind == "progress":
        told = {"unit": header["unit"]} if "unit" in header else {}  # a worker of before does not say it
        return Progress(header["stage"], header["step"], header["total"], header["note"], **told)
    outputs = tuple(Output(data=blob, **part) for part, blob in zip(header["outputs"], blobs, strict=True))
    if kind == "preview":
        return Preview(outputs, header["stats"])
    if kind == "final":
        return Final(outputs, header["stats"])
    raise ValueError(f"unknown event kind {kind!r}")
