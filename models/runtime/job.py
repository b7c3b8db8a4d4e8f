"""A job as the queue keeps it. What the outside sees of it is `models.runtime.job_view`."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from models.events import Preview, Progress
from models.runtime.engine import StopSignal
from models.runtime.job_view import JobState
from models.types import Request, Run


@dataclass
class Job:
    """Hold one or more requests of one owner, and how far they are. `Jobs` guards every field."""

    id: str
    owner: str
    requests: tuple[Request, ...]
    purpose: str = ""
    state: JobState = "queued"
    index: int = 0
    progress: Progress | None = None
    preview: Preview | None = None
    runs: list[Run] = field(default_factory=list)
    error: dict[str, Any] | None = None
    stop: StopSignal = field(default_factory=StopSignal)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    submitted_at: float = field(default_factory=time.time)
    started_at: float | None = None
    request_started_at: float | None = None
    first_step: tuple[int, float] | None = None  # step and monotonic time
    counts: tuple[str, str] = ("", "")  # stage and unit of the steps that the speed tells of
    steps_per_s: float = 0.0
    finished_at: float | None = None
    version: int = 0
    forgotten: bool = False  # its owner wants nothing of it kept
