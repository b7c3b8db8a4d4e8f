"""Whose turn it is: a policy without threads and without a clock, so that it can be tested to the second.

Turns go by compute used, not by count. What an owner has used is measured in seconds of running and halves every
`HALF_LIFE_S`; who has used least goes first, the clients (network addresses) among each other and then the owners of
one client. A job counts as what its owner would have used after it (weighted fair queueing, Demers et al. 1989), so
that of two newcomers the one with the shorter run goes first; one that has waited for `PATIENCE_S` counts no more than
what was used, so that short runs of ever new owners do not keep it waiting for ever.

A run that is long by forecast is set aside for a short one of somebody else, or for one of at most 1 / `TIMES` of its
length, as on a machine so slow that nothing is short. It is not set aside again while it has rested for longer than it
has run, by more than `GRACE_S`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from models.amounts import span

HALF_LIFE_S = 300.0
PATIENCE_S = 120.0
GRACE_S = 20.0
TIMES = 4
OPEN_MAX = 3  # runs begun and not ended: one computes, the others are set aside
FORGOTTEN_S = 1e-6  # an hour after a run of a millisecond; until then even that decides between two who used little


@dataclass(frozen=True)
class Waiting:
    """Tell of a job that waits. `client` is a network address, "" for one that is not known by an address.

    `forecast_s` is what it will take, `asked_at` when it came; `gone` says that its owner's pages are closed.
    """

    job: str
    owner: str
    client: str = ""
    forecast_s: float = 1.0
    asked_at: float = 0.0
    gone: bool = False


@dataclass(frozen=True)
class Open:
    """Tell of a job that has begun: for how many seconds it has run, and for how many it has been set aside.

    `not_for` are jobs that it was not set aside for, because both do not fit in memory.
    """

    job: str
    owner: str
    client: str = ""
    forecast_s: float = 1.0
    ran_s: float = 0.0
    aside_s: float = 0.0
    not_for: Collection[str] = ()


class Turns:
    """Remember who has used how much, and choose who is next. The caller guards it, and passes the time.

    `now` is in seconds of a clock that may start anywhere; where it goes back, nothing is forgotten meanwhile. A run of
    more than `short_s` is long.
    """

    def __init__(self, short_s: float) -> None:
        self.short_s = short_s
        self._used: dict[str, tuple[float, float]] = {}  # "o" + owner or "c" + client -> seconds, as of when

    def charge(self, owner: str, client: str, seconds: float, now: float) -> None:
        """Add seconds of running to what an owner and their client have used."""
        for name in (f"o{owner}", f"c{client}"):
            self._used[name] = (self._left(name, now) + max(0.0, seconds), now)
        for name in [name for name in self._used if self._left(name, now) < FORGOTTEN_S]:
            del self._used[name]

    def used(self, owner: str, now: float) -> float:
        """Return what is left of an owner's use, in seconds."""
        return self._left(f"o{owner}", now)

    def used_by_client(self, client: str, now: float) -> float:
        """Return what is left of a client's use, of all its owners, in seconds."""
        return self._left(f"c{client}", now)

    def move(self, old: str, new: str, now: float) -> None:
        """Count what one owner has used as another's, as when they sign in."""
        if old == new:
            return
        if left := self.used(old, now):
            self._used[f"o{new}"] = (self.used(new, now) + left, now)
        self.forget(old)

    def forget(self, owner: str) -> None:
        """Drop what is known of an owner. Their client's use stays: a new name on one machine is no newcomer."""
        self._used.pop(f"o{owner}", None)

    def is_long(self, forecast_s: float, ran_s: float = 0.0) -> bool:
        """Say whether a run counts as long: by its forecast, or because it has run for so long already."""
        return max(forecast_s, ran_s) > self.short_s

    def goes_before(self, forecast_s: float, other: Waiting | Open) -> bool:
        """Say whether a run of that forecast is short beside another one, so that the other is set aside for it."""
        length = max(other.forecast_s, other.ran_s) if isinstance(other, Open) else other.forecast_s
        return self.is_long(length) and forecast_s <= max(self.short_s, length / TIMES)

    def order(self, waiting: Sequence[Waiting], running: Sequence[Open], now: float) -> list[Waiting]:
        """Return the jobs that wait in the order in which they will begin, if each takes what it is forecast to.

        An owner's own jobs stay in the order in which they came. Those whose owner has gone come last, and before them
        the second long run of an owner: only one at a time.
        """
        used = {job.owner: self.used(job.owner, now) for job in waiting}
        taken = {job.client: self.used_by_client(job.client, now) for job in waiting}
        for one in running:
            used[one.owner] = used.get(one.owner, 0.0) + one.ran_s
            taken[one.client] = taken.get(one.client, 0.0) + one.ran_s
        long = {one.owner for one in running if self.is_long(one.forecast_s, one.ran_s)}
        queues: dict[str, list[Waiting]] = {}
        for job in waiting:
            queues.setdefault(job.owner, []).append(job)
        found: list[Waiting] = []

        def key(job: Waiting) -> tuple[bool, bool, float, float, float]:
            cost = job.forecast_s if now - job.asked_at < PATIENCE_S else 0.0
            second = job.owner in long and self.is_long(job.forecast_s)
            return job.gone, second, taken[job.client] + cost, used[job.owner] + cost, job.asked_at

        while queues:
            chosen = min((queue[0] for queue in queues.values()), key=key)
            found.append(chosen)
            queues[chosen.owner].pop(0)
            if not queues[chosen.owner]:
                del queues[chosen.owner]
            used[chosen.owner] += chosen.forecast_s
            taken[chosen.client] += chosen.forecast_s
            if self.is_long(chosen.forecast_s):
                long.add(chosen.owner)
        return found

    def next(self, waiting: Sequence[Waiting], running: Sequence[Open], now: float) -> Waiting | None:
        """Return the job that begins now, None where all wait.

        `running` are the jobs that have begun, the one that computes last. Where one computes, only a job for which it
        is set aside begins: a short one of somebody who has none begun.
        """
        if not waiting:
            return None
        if not running:
            return self.order(waiting, running, now)[0]
        computes = running[-1]
        if len(running) >= OPEN_MAX:
            return None
        if any(one.aside_s > one.ran_s + GRACE_S for one in running):
            return None
        begun = {one.owner for one in running}
        barred = {job for one in running for job in one.not_for}
        for job in self.order(waiting, running, now):
            may = not (job.gone or job.owner in begun or job.job in barred)
            if may and self.goes_before(job.forecast_s, computes):
                return job
        return None

    def _left(self, name: str, now: float) -> float:
        seconds, at = self._used.get(name, (0.0, now))
        return seconds * math.pow(0.5, max(0.0, now - at) / HALF_LIFE_S)


@dataclass(frozen=True)
class Places:
    """Say who may still wait. A quarter of the places of all, and of each client, is kept for short runs."""

    per_owner: int
    per_client: int  # 0: as many as there are
    total: int
    budget_s: float  # the most that a run should take while others wait

    def refusal(self, waiting: Sequence[Waiting], job: Waiting, *, long: bool, measured: bool, others: bool) -> str:
        """Return a sentence where a job finds no place, else "".

        `measured`: its forecast comes from finished runs, not from a guess. `others`: somebody else waits or runs.
        """
        own = sum(one.owner == job.owner for one in waiting)
        if own >= self.per_owner:
            return (
                f"{own} of your runs wait already; at most {self.per_owner} may. Wait for one to finish, or stop one."
            )
        if others and measured and job.forecast_s > FAR * self.budget_s:
            return (
                f"This run would take about {span(job.forecast_s)}; while others wait, at most "
                f"{span(FAR * self.budget_s)} are allowed. Choose smaller values, or run it when nobody else waits."
            )
        here = sum(one.client == job.client for one in waiting)
        if job.client and self.per_client and here >= self.per_client:
            return (
                f"{here} runs from your network address wait already; at most {self.per_client} may. "
                "Try again in a minute."
            )
        if len(waiting) >= self.total:
            return f"{len(waiting)} runs wait already; at most {self.total} may. Try again in a minute."
        if long:
            limits = [(self.total, len(waiting), "")]
            if job.client and self.per_client:
                limits.append((self.per_client, here, " from your network address"))
            for most, there, where in limits:
                if there >= (room := max(1, most * 3 // 4)):
                    return (
                        f"{there} runs{where} wait already; the last {_places(most - room)} kept for short runs. "
                        "Choose smaller values, or try again in a minute."
                    )
        return ""


def _places(count: int) -> str:
    return "place is" if count == 1 else f"{count} places are"


FAR = 5  # times the budget: refused while others wait
