"""The jobs that wait and those that have begun, moved on by the policy of `turns`. `Jobs` guards the object."""

from __future__ import annotations

import time
from collections.abc import Callable

from models.runtime.job import Job
from models.runtime.turns import Open, Places, Turns, Waiting
from models.settings import Settings


class Line:
    """Hold the jobs that are not finished, and say which begins. `is_gone` says whether an owner left."""

    def __init__(self, settings: Settings, is_gone: Callable[[str], bool]) -> None:
        self.waiting: list[Job] = []  # in the order in which they came
        self.begun: list[Job] = []  # the last one computes, the others are set aside for it
        self.turns = Turns(settings.short_run_s)
        self._places = Places(
            settings.queue_per_owner, settings.queue_per_address, settings.queue_total, settings.run_budget_s
        )
        self._is_gone = is_gone

    def refusal(self, job: Job, *, measured: bool) -> str:
        """Return a sentence where a job finds no place; `measured` says that its forecast is more than a guess."""
        waiting = self._asks()
        unfinished: list[Waiting | Open] = [*waiting, *self._opened()]
        long = self.turns.is_long(job.forecast_s) and not any(
            self.turns.goes_before(job.forecast_s, one) for one in unfinished
        )
        others = any(one.owner != job.owner for one in unfinished)
        return self._places.refusal(waiting, job.as_waiting(), long=long, measured=measured, others=others)

    def place(self, job: Job) -> int:
        """Return 1 for the job that is next …, by the turns that owners take; 0 for one that does not wait."""
        if job.state != "queued":
            return 0
        order = self.turns.order(self._asks(), self._opened(), time.monotonic())
        return [one.job for one in order].index(job.id) + 1

    def next(self) -> Job | None:
        """Take the job that begins now, if one does; it goes ahead where another has begun."""
        chosen = self.turns.next(self._asks(), self._opened(), time.monotonic())
        if chosen is None:
            return None
        job = next(job for job in self.waiting if job.id == chosen.job)
        self.waiting.remove(job)
        job.stop.ahead = bool(self.begun)
        self.begun.append(job)
        job.state, job.started_at = "running", time.time()
        job.version += 1
        return job

    def begins(self) -> bool:
        """Say whether a job begins now; see `next`."""
        return self.turns.next(self._asks(), self._opened(), time.monotonic()) is not None

    def put_back(self, job: Job) -> None:
        """Let a job wait on that could not go ahead of those that have begun."""
        self.begun.remove(job)
        for other in self.begun:
            other.not_for.add(job.id)
        job.state, job.started_at, job.progress, job.began = "queued", None, None, None
        job.version += 1
        self.waiting.append(job)
        self.waiting.sort(key=lambda one: one.asked_at)

    def end(self, job: Job) -> None:
        """Take out a job that has run, and count what it used as its owner's."""
        now = time.monotonic()
        self.turns.charge(job.owner, job.client, job.ran_s(now), now)
        self.begun.remove(job)

    def left_for_others(self) -> list[Job]:
        """Return the jobs whose owner has gone while somebody who is there waits, or is set aside."""
        there = {job.owner for job in (*self.waiting, *self.begun) if not self._is_gone(job.owner)}
        return [job for job in self.begun if self._is_gone(job.owner) and there]

    def _asks(self) -> list[Waiting]:
        return [job.as_waiting(gone=self._is_gone(job.owner)) for job in self.waiting]

    def _opened(self) -> list[Open]:
        now = time.monotonic()
        return [job.as_open(now) for job in self.begun]
