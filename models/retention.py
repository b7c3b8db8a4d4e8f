"""What is kept of runs and what goes: the limits, which runs go next and when, and how that is said."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.amounts import size
from models.settings import Settings

DAY_S = 86_400.0
NAMED_MOST = 5  # runs that are named as the next to go


@dataclass(frozen=True)
class Limits:
    """Bound what is kept: bytes of files and rows, runs, seconds, bytes of one owner; None: no limit."""

    max_bytes: int | None = None
    max_runs: int | None = None
    max_age_s: float | None = None
    owner_bytes: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Return the limits that settings name; 0 means none there."""
        return cls(
            settings.keep_bytes or None, settings.keep_runs or None,
            settings.keep_days * DAY_S if settings.keep_days else None, settings.keep_owner_bytes or None,
        )  # fmt: skip


class Row(Protocol):
    """Name what a choice needs of a run."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def created_at(self) -> float: ...
    @property
    def record_bytes(self) -> int: ...


@dataclass(frozen=True)
class Held:
    """Hold what there is: rows, files that each run needs, bytes of the files that stay, who is kept how.

    `last` go after all others, and not for their age; `never` stay.
    """

    rows: Sequence[Row]
    needs: Mapping[str, Sequence[str]]
    sizes: Mapping[str, int]
    last: Collection[str] = ()
    never: Collection[str] = ()

    @property
    def bytes(self) -> int:
        """Return what all of it takes."""
        return sum(row.record_bytes for row in self.rows) + sum(self.sizes.values())


def going(held: Held, limits: Limits, now: float, keep_s: float) -> list[Row]:
    """Return the runs that are too much, the first to go first. None is younger than `keep_s` seconds."""
    users = Counter(digest for digests in held.needs.values() for digest in digests)
    theirs = Counter((row.owner, digest) for row in held.rows for digest in held.needs.get(row.id, ()))
    owned: defaultdict[str, int] = defaultdict(int)
    for owner, digest in theirs:
        owned[owner] += held.sizes.get(digest, 0)
    for row in held.rows:
        owned[row.owner] += row.record_bytes
    left_bytes, victims = held.bytes, list[Row]()
    for row in sorted(held.rows, key=lambda row: (row.id in held.last, row.created_at, row.id)):
        oldest = None if limits.max_age_s is None else now - limits.max_age_s
        old = oldest is not None and row.created_at < oldest and row.id not in held.last
        crowded = limits.owner_bytes is not None and owned[row.owner] > limits.owner_bytes
        full = (limits.max_bytes is not None and left_bytes > limits.max_bytes) or (
            limits.max_runs is not None and len(held.rows) - len(victims) > limits.max_runs
        )
        if row.created_at > now - keep_s or row.id in held.never or not (old or crowded or full):
            continue
        mine = held.needs.get(row.id, [])
        users.subtract(mine)
        theirs.subtract((row.owner, digest) for digest in mine)
        unused = sum(held.sizes.get(digest, 0) for digest in mine if not users[digest])
        owned[row.owner] -= row.record_bytes + sum(
            held.sizes.get(digest, 0) for digest in mine if not theirs[row.owner, digest]
        )
        left_bytes -= row.record_bytes + unused
        victims.append(row)
    return victims


@dataclass(frozen=True)
class Kept:
    """Tell what one look found: what there is in all, and how many runs of each owner the next look drops.

    `at` and `next_at` are UTC seconds since the epoch. `starred` counts runs with a star.
    """

    at: float
    next_at: float
    runs: int
    bytes: int
    starred: int
    going: Mapping[str, int]


@dataclass(frozen=True)
class Mine:
    """Tell what an owner has: runs, those with a star, and the oldest without one: id and time, first to go first."""

    runs: int
    starred: int
    first: tuple[tuple[str, float], ...]


def limit_words(limits: Limits) -> str:
    """Say the limits in a sentence."""
    said = []
    if limits.max_bytes is not None:
        said.append(f"{size(limits.max_bytes)} of results in all")
    if limits.owner_bytes is not None:
        said.append(f"{size(limits.owner_bytes)} for one person")
    if limits.max_runs is not None:
        said.append(f"{limits.max_runs:,} results in all")
    parts = [f"At most {_listed(said)} are kept."] if said else []
    if limits.max_age_s is not None:
        parts.append(f"A result is kept for {_days(limits.max_age_s)}.")
    if not parts:
        return "There is no limit: results stay until they are deleted."
    return f"{' '.join(parts)} The oldest go first. Results with a star stay."


def words(kept: Kept | None, mine: Mine, limits: Limits, now: float | None = None) -> list[str]:
    """Say how much is kept, the limits, and how many results go next and when, a sentence or two each."""
    now = time.time() if now is None else now
    stars = f", {mine.starred:,} with a star" if mine.starred else ""
    there = f"You have {_results(mine.runs)}{stars}."
    if kept is not None:
        there += f" {_results(kept.runs)} take up {size(kept.bytes) if kept.bytes else 'nothing'} in all."
    return [there, limit_words(limits), _next_words(kept, mine, limits, now)]


def _next_words(kept: Kept | None, mine: Mine, limits: Limits, now: float) -> str:
    if limits == Limits():
        return "Nothing goes by itself."
    said = []
    count = 0 if kept is None else sum(kept.going.values())
    if kept is not None and count:
        wait = max(0.0, kept.next_at - now)
        own = f"{_results(count)} go{'es' * (count == 1)} next, {_wait(wait)}"
        said.append(f"{own}; {kept.going.get('', 0):,} of them yours." if "" in kept.going else f"{own}.")
    if limits.max_age_s is not None and mine.first:
        dated = [made + limits.max_age_s for _, made in mine.first]
        soon = sum(at <= dated[0] + DAY_S for at in dated)
        more = "at least " if soon == NAMED_MOST else ""
        said.append(f"{more.capitalize()}{_results(soon)} of yours go{'es' * (soon == 1)} "
                    f"{_on(dated[0], now)} for {'its' if soon == 1 else 'their'} age.")  # fmt: skip
    if not count and kept is not None:
        for most, have, unit in ((limits.max_bytes, kept.bytes, size), (limits.max_runs, kept.runs, _results)):
            if most is not None:
                said.append(f"The oldest results go once {unit(max(1, most - have))} more are saved.")
    return " ".join(said) or "Nothing goes now."


def for_owner(kept: Kept | None, owner: str) -> Kept | None:
    """Return what a look found with the owner's own runs that go under "", so that no other owner is named."""
    if kept is None:
        return None
    others = sum(count for name, count in kept.going.items() if name != owner)
    going = {"": kept.going.get(owner, 0), "others": others} if kept.going else {}
    return Kept(kept.at, kept.next_at, kept.runs, kept.bytes, kept.starred, going)


def _results(count: int) -> str:
    return f"{count:,} result{'s' * (count != 1)}"


def _days(seconds: float) -> str:
    days = seconds / DAY_S
    return f"{days:g} day{'s' * (days != 1)}" if days >= 1 else f"{seconds / 3600:g} hours"


def _wait(seconds: float) -> str:
    return f"in about {max(1, round(seconds)):,} s" if seconds < 120 else f"in about {seconds / 60:.0f} minutes"


def _on(at: float, now: float) -> str:
    if at <= now:
        return "at the next look"
    return f"on {time.strftime('%-d %B %Y, %H:%M', time.gmtime(at))} UTC"


def _listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
