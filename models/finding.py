"""Find an owner's runs among very many: what they are narrowed to, and a page of them at a time, the newest first.

Runs of one job are one row, that of the newest of them that fits. A page begins behind the last row of the one before
(keyset), so that the thousandth costs what the first does, and nothing is shown twice while runs are added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from models import fulltext
from models.fulltext import Asked
from models.library import IN_A_SECOND, first_number
from models.tables import library, tags

TEXT_MAX_CHARS = 500
FEW = 2000  # runs that have the words of a search, and are looked at one by one
AT_ONCE, AT_ONCE_MOST = 64, 2048  # runs that are looked at together: twice as many each time
LOOKED_FIRST = 1  # so often, before it is asked how many have the words
NEWEST = (1 << 62) - 1  # more than the number of any run
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
    query = sa.select(library.c.run_id).where(*_fits(library, owner, wanted), *_says(connection, owner, wanted))
    if job is not None:
        query = query.where(library.c.job == job)
    query = query.order_by(library.c.created_at.desc(), library.c.run_id.desc()).limit(limit)
    return list(connection.execute(query).scalars())


def count(connection: sa.Connection, owner: str, wanted: Filter, most: int) -> int:
    """Return how many runs are wanted; counting ends at `most`."""
    if not wanted.text.strip():
        some = sa.select(library.c.number).where(*_fits(library, owner, wanted)).limit(most)
        return int(connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar() or 0)
    if (asked := fulltext.asked(connection, wanted.text)) is None:
        return 0
    says = asked.fits(owner)
    if wanted == Filter(text=wanted.text):  # the words tell it, but for what was just deleted
        gone = sa.select(library.c.number).where(library.c.owner == owner, library.c.deleted_at.is_not(None))
        deleted = set(connection.execute(gone).scalars())
        some = sa.select(fulltext.table(connection).c.rowid).where(says).limit(most + len(deleted))
        return min(most, len(set(connection.execute(some).scalars()) - deleted))
    found, batches = 0, _walked if fulltext.walks(connection) else _looked
    for runs in batches(connection, owner, wanted, says, None):
        found += len(runs)
        if found >= most:
            break
    return min(most, found)


def kinds(connection: sa.Connection, owner: str, column: str) -> list[str]:
    """Return the values that a column of the library ("model" or "task") has for an owner, in order.

    Each is asked for by the one before (a loose index scan): the database itself would go through all runs. Those of
    what was just deleted are among them, so that an index alone tells them.
    """
    of, mine = library.c[column], library.c.owner == owner
    known = sa.select(sa.func.min(of).label("value")).where(mine).cte(recursive=True)
    more = sa.select(sa.func.min(of)).where(mine, of > known.c.value).correlate(known).scalar_subquery()
    known = known.union_all(sa.select(more).where(known.c.value.is_not(None)))
    return list(connection.execute(sa.select(known.c.value).where(known.c.value.is_not(None))).scalars())


def tags_of(connection: sa.Connection, owner: str) -> list[str]:
    """Return the tags that an owner's runs have, in order."""
    known = sa.select(sa.func.min(tags.c.tag).label("value")).cte(recursive=True)
    more = sa.select(sa.func.min(tags.c.tag)).where(tags.c.tag > known.c.value).correlate(known).scalar_subquery()
    known = known.union_all(sa.select(more).where(known.c.value.is_not(None)))
    theirs = sa.select(library.c.number).join(tags, tags.c.run_id == library.c.run_id).where(
        tags.c.tag == known.c.value, library.c.owner == owner, library.c.deleted_at.is_(None)
    )  # fmt: skip
    query = sa.select(known.c.value).where(known.c.value.is_not(None), theirs.correlate(known).exists())
    return list(connection.execute(query).scalars())


def _searched(
    connection: sa.Connection, owner: str, wanted: Filter, after: Place | None, limit: int
) -> list[tuple[Place, int]]:
    """Return what `rows` does for a filter with words.

    Where the index of words gives the newest runs first, they are taken from there as far as they are needed. Else the
    way is chosen here and not by the database, whose guess of how frequent a beginning of a word is costs seconds in a
    long history: first the owner's newest runs are looked at, which is enough for frequent words; then, where few runs
    have the words, those; else the owner's runs go on until there are enough.
    """
    if (asked := fulltext.asked(connection, wanted.text)) is None:
        return []
    says, walks = asked.fits(owner), fulltext.walks(connection)
    shown: list[tuple[Place, int]] = []
    seen = set[str]()
    for looked, runs in enumerate((_walked if walks else _looked)(connection, owner, wanted, says, after), 1):
        heads: dict[str, Place] = {}
        for at, run_id, _, job in runs:
            if job not in seen:
                seen.add(job)
                heads[job] = (at, run_id)
        shown += _whole_jobs(connection, owner, wanted, asked, heads)
        if len(shown) >= limit:
            break
        if looked == LOOKED_FIRST and not walks:
            numbers = fulltext.first(connection, says, FEW + 1)
            if len(numbers) <= FEW:
                return _few(_of_numbers(connection, owner, wanted, numbers), after, limit)
    return shown[:limit]


def _walked(
    connection: sa.Connection, owner: str, wanted: Filter, says: sa.ColumnElement[bool], after: Place | None
) -> Iterator[list[Any]]:
    """Yield the runs that are wanted behind a place, some at a time, the newest first: as the words lead to them."""
    down_from = NEWEST if after is None else first_number(after[0]) + IN_A_SECOND - 1
    step = AT_ONCE
    while True:
        numbers = fulltext.walk(connection, says, down_from, step)
        if not numbers:
            return
        last = len(numbers) < step
        least = numbers[-1] - numbers[-1] % IN_A_SECOND
        if not last and least < numbers[-1]:  # runs of one second are in the order of their ids, not of their numbers
            numbers += fulltext.walk(connection, says, numbers[-1] - 1, IN_A_SECOND, least)
        yield [run for run in sorted(_of_numbers(connection, owner, wanted, numbers), reverse=True)
               if after is None or (run[0], run[1]) < after]  # fmt: skip
        if last:
            return
        down_from, step = numbers[-1] - 1, min(2 * step, AT_ONCE_MOST)


def _looked(
    connection: sa.Connection, owner: str, wanted: Filter, says: sa.ColumnElement[bool], after: Place | None
) -> Iterator[list[Any]]:
    """Yield what `_walked` does, by looking at the owner's runs, the newest first."""
    place, step = after, AT_ONCE
    while True:
        query = (
            sa.select(*_COLUMNS).where(*_fits(library, owner, wanted), *_behind(library, place))
            .order_by(library.c.created_at.desc(), library.c.run_id.desc()).limit(step)
        )  # fmt: skip
        batch = [tuple(row) for row in connection.execute(query)]
        have = fulltext.among(connection, says, [number for _, _, number, _ in batch])
        yield [run for run in batch if run[2] in have]
        if len(batch) < step:
            return
        place, step = (batch[-1][0], batch[-1][1]), min(2 * step, AT_ONCE_MOST)


def _few(runs: list[Any], after: Place | None, limit: int) -> list[tuple[Place, int]]:
    """Return the rows of runs that are all that fit."""
    found = sorted(runs, reverse=True)
    counts = Counter(job for *_, job in found)
    heads = {job: (at, run_id) for at, run_id, _, job in reversed(found)}  # the newest is set last
    newest = sorted(((place, counts[job]) for job, place in heads.items()), reverse=True)
    return [(place, count) for place, count in newest if after is None or place < after][:limit]


def _whole_jobs(
    connection: sa.Connection, owner: str, wanted: Filter, asked: Asked, heads: dict[str, Place]
) -> list[tuple[Place, int]]:
    """Return the places of jobs' newest runs, and how many runs of each fit; not of those that have a newer one."""
    jobs: dict[str, list[Any]] = {job: [] for job in heads}
    wanted_jobs = sorted(heads)
    for at in range(0, len(wanted_jobs), MANY):
        some = library.c.job.in_(wanted_jobs[at : at + MANY])
        for run in connection.execute(sa.select(*_COLUMNS).where(some, *_fits(library, owner, wanted))):
            jobs[run.job].append(tuple(run))
    found = []
    for job, place in heads.items():
        runs = jobs[job]
        if len(runs) > 1:  # one alone is that which was found
            have = _numbers_of(connection, owner, asked, job, [run[2] for run in runs])
            runs = [run for run in runs if run[2] in have]
        if runs and max(runs)[:2] == place:  # what was just deleted has none
            found.append((place, len(runs)))
    return found


def _numbers_of(connection: sa.Connection, owner: str, asked: Asked, job: str, numbers: list[int]) -> set[int]:
    """Return those of the runs of a job that have the words."""
    if not fulltext.walks(connection):
        return fulltext.among(connection, asked.fits(owner), numbers)
    return set(fulltext.walk(connection, asked.fits(owner, job), NEWEST, NEWEST))


def _of_numbers(connection: sa.Connection, owner: str, wanted: Filter, numbers: list[int]) -> list[Any]:
    """Return those of a few runs that fit but for the words; whose they are is asked here, so that these lead."""
    found = []
    for at in range(0, len(numbers), MANY):
        fits = (library.c.number.in_(numbers[at : at + MANY]), *_fits(library, None, wanted))
        found += [tuple(row)[:-1] for row in connection.execute(sa.select(*_COLUMNS, library.c.owner).where(*fits))
                  if row.owner == owner]  # fmt: skip
    return found


def _behind(of: Any, after: Place | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a run comes after a place, the newest first."""
    if after is None:
        return []
    at, run_id = after
    return [of.c.created_at <= at,
            sa.or_(of.c.created_at < at, sa.and_(of.c.created_at == at, of.c.run_id < run_id))]  # fmt: skip


def _says(connection: sa.Connection, owner: str, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return the condition that runs have the words of a filter."""
    if not wanted.text.strip():
        return []
    says = fulltext.matching(connection, wanted.text, owner)
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
