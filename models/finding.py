"""Find an owner's runs among very many: what they are narrowed to, and a page of them at a time, the newest first.

Runs of one job are one row, that of the newest of them that fits. A page begins behind the last row of the one before
(keyset), so that the thousandth costs what the first does, and nothing is shown twice while runs are added.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from models import fulltext
from models.tables import library, tags

TEXT_MAX_CHARS = 500
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
    one, newer, each = library.alias("one"), library.alias("newer"), library.alias("each")
    later = sa.or_(
        newer.c.created_at > one.c.created_at,
        sa.and_(newer.c.created_at == one.c.created_at, newer.c.run_id > one.c.run_id),
    )
    hidden = sa.select(newer.c.number).where(newer.c.job == one.c.job, later, *_fits(connection, newer, owner, wanted))
    count = sa.select(sa.func.count()).where(each.c.job == one.c.job, *_fits(connection, each, owner, wanted))
    query = (
        sa.select(one.c.created_at, one.c.run_id, count.correlate(one).scalar_subquery())
        .where(*_fits(connection, one, owner, wanted), ~hidden.correlate(one).exists())
        .order_by(one.c.created_at.desc(), one.c.run_id.desc()).limit(limit)
    )  # fmt: skip
    if after is not None:
        at, run_id = after
        query = query.where(
            one.c.created_at <= at,
            sa.or_(one.c.created_at < at, sa.and_(one.c.created_at == at, one.c.run_id < run_id)),
        )
    return [((row[0], row[1]), row[2]) for row in connection.execute(query)]


def ids(
    connection: sa.Connection, owner: str, wanted: Filter, *, job: str | None = None, limit: int | None = None
) -> list[str]:
    """Return the ids of the runs that are wanted, of one job or of all, the newest first."""
    query = sa.select(library.c.run_id).where(*_fits(connection, library, owner, wanted))
    if job is not None:
        query = query.where(library.c.job == job)
    query = query.order_by(library.c.created_at.desc(), library.c.run_id.desc()).limit(limit)
    return list(connection.execute(query).scalars())


def count(connection: sa.Connection, owner: str, wanted: Filter, most: int) -> int:
    """Return how many runs are wanted; counting ends at `most`."""
    some = sa.select(library.c.number).where(*_fits(connection, library, owner, wanted)).limit(most).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar() or 0)


def _fits(connection: sa.Connection, of: Any, owner: str, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a filter on a table of the library."""
    found: list[Any] = [of.c.owner == owner]
    if not wanted.deleted:
        found.append(of.c.deleted_at.is_(None))
    if wanted.text.strip():
        numbers = fulltext.matching(connection, wanted.text)
        found.append(of.c.number.in_(numbers) if numbers is not None else sa.false())
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
