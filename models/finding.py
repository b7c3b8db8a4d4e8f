"""Find an owner's runs among very many: what they are narrowed to, and a page of them at a time, the newest first.

Runs of one job are one row, that of the newest of them that fits. A page begins behind the last row of the one before
(keyset), so that the thousandth costs what the first does, and nothing is shown twice while runs are added.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from models import fulltext
from models.tables import library, tags

TEXT_MAX_CHARS = 500
FEW = 2000  # runs that have the words of a search, and are looked at one by one
AT_ONCE, AT_ONCE_MOST = 128, 2048  # runs that are looked at together: twice as many each time
LOOKED_FIRST = 2  # so often, before it is asked how many have the words
MANY = 500  # values in one query
_COLUMNS = (library.c.created_at, library.c.run_id, library.c.number, library.c.job)
Place = tuple[float, str]  # of the last row of a page: when its run was made, and its id


class Filter(BaseModel):
    """Say which runs are wanted; each part narrows them, and what is left out does not.

    `text` has words that must all stand in a run's prompts, texts, name, note or tags, each at least as the beginning
    of a word. `rooms`, `models` and `tasks` have alternatives; of `tags` a run has all. `since` and `until` are UTC
    seconds since the epoch, from the first until before the second. `deleted`: those that were deleted too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(default="", max_length=TEXT_MAX_CHARS)
    rooms: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    starred: bool = False
    tags: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    seed: int | None = None
    deleted: bool = False


def rows(
    connection: sa.Connection, owner: str, wanted: Filter, after: Place | None, limit: int
) -> list[tuple[Place, int]]:
    """Return up to `limit` rows behind `after`: the place of the newest run of each, and of how many runs it is."""
    if wanted.text.strip():
        return _searched(connection, owner, wanted, after, limit)
    one, newer, each = library.alias("one"), library.alias("newer"), library.alias("each")
    later = sa.or_(
        newer.c.created_at > one.c.created_at,
        sa.and_(newer.c.created_at == one.c.created_at, newer.c.run_id > one.c.run_id),
    )
    hidden = sa.select(newer.c.number).where(newer.c.job == one.c.job, later, *_fits(newer, owner, wanted))
    count = sa.select(sa.func.count()).where(each.c.job == one.c.job, *_fits(each, owner, wanted))
    query = (
        sa.select(one.c.created_at, one.c.run_id, count.correlate(one).scalar_subquery())
        .where(*_fits(one, owner, wanted), ~hidden.correlate(one).exists(), *_behind(one, after))
        .order_by(one.c.created_at.desc(), one.c.run_id.desc()).limit(limit)
    )  # fmt: skip
    return [((row[0], row[1]), row[2]) for row in connection.execute(query)]


def ids(
    connection: sa.Connection, owner: str, wanted: Filter, *, job: str | None = None, limit: int | None = None
) -> list[str]:
    """Return the ids of the runs that are wanted, of one job or of all, the newest first."""
    query = sa.select(library.c.run_id).where(*_fits(library, owner, wanted), *_says(connection, wanted))
    if job is not None:
        query = query.where(library.c.job == job)
    query = query.order_by(library.c.created_at.desc(), library.c.run_id.desc()).limit(limit)
    return list(connection.execute(query).scalars())


def count(connection: sa.Connection, owner: str, wanted: Filter, most: int) -> int:
    """Return how many runs are wanted; counting ends at `most`."""
    some = sa.select(library.c.number).where(*_fits(library, owner, wanted))
    if wanted.text.strip():
        if (says := fulltext.matching(connection, wanted.text)) is None:
            return 0
        numbers = fulltext.first(connection, says, FEW + 1)
        if len(numbers) <= FEW:
            return len(_of_numbers(connection, owner, wanted, numbers))
        of = fulltext.table(connection)
        # + 0: so that the words lead; SQLite would ask them anew for each run of the owner, which takes seconds
        some = some.join_from(of, library, library.c.number == of.c.rowid + 0).where(says)
    some = some.limit(most)
    return int(connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar() or 0)


def _searched(
    connection: sa.Connection, owner: str, wanted: Filter, after: Place | None, limit: int
) -> list[tuple[Place, int]]:
    """Return what `rows` does for a filter with words.

    The way is chosen here and not by the database, whose guess of how frequent a beginning of a word is costs seconds
    in a long history: first the owner's newest runs are looked at, which is enough for frequent words; then, where few
    runs of all have the words, those; else the owner's runs go on until there are enough.
    """
    if (says := fulltext.matching(connection, wanted.text)) is None:
        return []
    shown: list[tuple[Place, int]] = []
    place, step, seen, looked = after, AT_ONCE, set[str](), 0
    while len(shown) < limit:
        if looked == LOOKED_FIRST:
            numbers = fulltext.first(connection, says, FEW + 1)
            if len(numbers) <= FEW:
                return _few(_of_numbers(connection, owner, wanted, numbers), after, limit)
        query = (
            sa.select(*_COLUMNS).where(*_fits(library, owner, wanted), *_behind(library, place))
            .order_by(library.c.created_at.desc(), library.c.run_id.desc()).limit(step)
        )  # fmt: skip
        batch = [tuple(row) for row in connection.execute(query)]
        if not batch:
            break
        have = fulltext.among(connection, says, [number for _, _, number, _ in batch])
        heads = {}
        for at, run_id, number, job in batch:
            if number in have and job not in seen:
                seen.add(job)
                heads[job] = (at, run_id)
        shown += _whole_jobs(connection, owner, wanted, says, heads)
        place, step, looked = (batch[-1][0], batch[-1][1]), min(2 * step, AT_ONCE_MOST), looked + 1
    return shown[:limit]


def _few(runs: list[Any], after: Place | None, limit: int) -> list[tuple[Place, int]]:
    """Return the rows of runs that are all that fit."""
    found = sorted(runs, reverse=True)
    counts = Counter(job for *_, job in found)
    heads = {job: (at, run_id) for at, run_id, _, job in reversed(found)}  # the newest is set last
    newest = sorted(((place, counts[job]) for job, place in heads.items()), reverse=True)
    return [(place, count) for place, count in newest if after is None or place < after][:limit]


def _whole_jobs(
    connection: sa.Connection, owner: str, wanted: Filter, says: sa.ColumnElement[bool], heads: dict[str, Place]
) -> list[tuple[Place, int]]:
    """Return the places of jobs' newest runs, and how many runs of each fit; not of those that have a newer one."""
    runs: list[Any] = []
    wanted_jobs = sorted(heads)
    for at in range(0, len(wanted_jobs), MANY):
        some = library.c.job.in_(wanted_jobs[at : at + MANY])
        runs += connection.execute(sa.select(*_COLUMNS).where(some, *_fits(library, owner, wanted))).all()
    have = fulltext.among(connection, says, [number for _, _, number, _ in runs])
    fitting = [(at, run_id, job) for at, run_id, number, job in runs if number in have]
    counts = Counter(job for *_, job in fitting)
    newest: dict[str, Place] = {}
    for at, run_id, job in fitting:
        newest[job] = max(newest.get(job, (at, run_id)), (at, run_id))
    return [(place, counts[job]) for job, place in heads.items() if newest.get(job) == place]


def _of_numbers(connection: sa.Connection, owner: str, wanted: Filter, numbers: list[int]) -> list[Any]:
    """Return those of a few runs that fit but for the words; whose they are is asked here, so that these lead."""
    if not numbers:
        return []
    fits = (library.c.number.in_(numbers), *_fits(library, None, wanted))
    found = connection.execute(sa.select(*_COLUMNS, library.c.owner).where(*fits)).all()
    return [tuple(row)[:-1] for row in found if row.owner == owner]


def _behind(of: Any, after: Place | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a run comes after a place, the newest first."""
    if after is None:
        return []
    at, run_id = after
    return [of.c.created_at <= at,
            sa.or_(of.c.created_at < at, sa.and_(of.c.created_at == at, of.c.run_id < run_id))]  # fmt: skip


def _says(connection: sa.Connection, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return the condition that runs have the words of a filter."""
    if not wanted.text.strip():
        return []
    says = fulltext.matching(connection, wanted.text)
    numbers = sa.select(fulltext.table(connection).c.rowid)
    return [sa.false() if says is None else library.c.number.in_(numbers.where(says))]


def _fits(of: Any, owner: str | None, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a filter on a table of the library, but for its words; `owner` None: of anybody."""
    found: list[Any] = [] if owner is None else [of.c.owner == owner]
    if not wanted.deleted:
        found.append(of.c.deleted_at.is_(None))
    if wanted.rooms:
        found.append(sa.or_(*(of.c.model.startswith(f"{room}/", autoescape=True) for room in wanted.rooms)))
    for column, given in ((of.c.model, wanted.models), (of.c.task, wanted.tasks)):
        if given:
            found.append(column.in_(given))
    if wanted.starred:
        found.append(of.c.starred)
    found += [of.c.run_id.in_(sa.select(tags.c.run_id).where(tags.c.tag == tag)) for tag in wanted.tags]
    if wanted.since is not None:
        found.append(of.c.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(of.c.created_at < wanted.until)
    if wanted.seed is not None:
        found.append(of.c.seed == wanted.seed)
    return found
