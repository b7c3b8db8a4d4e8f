"""The library: a row for each run, by which it is found, with what its owner said of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from models import fulltext, records
from models.errors import PlaygroundError
from models.tables import library, runs, tags
from models.types import STUDY, Run

log = logging.getLogger(__name__)
MANY = 500  # values in one query


def place(connection: sa.Connection, run: Run) -> None:
    """Put a run into the library; what was said of an earlier one of its id stays. A look into a result is left out."""
    if run.request.study or run.purpose == STUDY:
        return
    row: dict[str, Any] = {
        "owner": run.owner, "job": run.job, "model": run.request.model, "task": records.task_of(run),
        "seed": run.request.seed, "created_at": run.created_at,
    }  # fmt: skip
    known = connection.execute(sa.select(library).where(library.c.run_id == run.id)).mappings().first()
    words = {"prompt": records.prompt_words(run.request), "said": records.said_words(run)}
    if known is None:
        new = {**row, "run_id": run.id, "starred": False, "title": "", "note": "", "deleted_at": None}
        key = connection.execute(library.insert().values(new)).inserted_primary_key
        assert key is not None
        number = key[0]
    else:
        number = known["number"]
        connection.execute(library.update().where(library.c.number == number).values(row))
        said = connection.execute(sa.select(tags.c.tag).where(tags.c.run_id == run.id)).scalars()
        words |= {"title": known["title"], "note": known["note"], "tags": " ".join(said)}
    fulltext.put(connection, number, words)


def remove(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Take runs out of the library, with all that was said of them."""
    for at in range(0, len(ids), MANY):
        some = ids[at : at + MANY]
        numbers = connection.execute(sa.select(library.c.number).where(library.c.run_id.in_(some))).scalars().all()
        fulltext.remove(connection, numbers)
        connection.execute(tags.delete().where(tags.c.run_id.in_(some)))
        connection.execute(library.delete().where(library.c.run_id.in_(some)))


def index_missing(connection: sa.Connection, *, again: bool = False) -> int:
    """Put every run that is not in the library into it, `again`: every run; return how many.

    One whose record is damaged is left out.
    """
    there = sa.false() if again else sa.select(library.c.run_id).where(library.c.run_id == runs.c.id).exists()
    ids = list(connection.execute(sa.select(runs.c.id).where(~there).order_by(runs.c.created_at, runs.c.id)).scalars())
    count = 0
    for at in range(0, len(ids), MANY):
        rows = connection.execute(
            sa.select(runs).where(runs.c.id.in_(ids[at : at + MANY])).order_by(runs.c.created_at, runs.c.id)
        )
        for row in rows.mappings().all():
            try:
                place(connection, records.run_from(row))
            except PlaygroundError as error:
                log.warning("left out of the library: %s", error.message)
            else:
                count += 1
    return count


def is_deleted() -> sa.Exists:
    """Return the condition that its owner has deleted a run, for queries of the table of runs."""
    gone = sa.select(library.c.number).where(library.c.run_id == runs.c.id, library.c.deleted_at.is_not(None))
    return gone.correlate(runs).exists()


def starred(connection: sa.Connection) -> set[str]:
    """Return the ids of all runs that have a star."""
    return set(connection.execute(sa.select(library.c.run_id).where(library.c.starred)).scalars())


def tags_of(connection: sa.Connection, ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the tags of runs, in order."""
    found: dict[str, tuple[str, ...]] = {}
    wanted = sorted(ids)
    for at in range(0, len(wanted), MANY):
        query = sa.select(tags).where(tags.c.run_id.in_(wanted[at : at + MANY])).order_by(tags.c.tag)
        for row in connection.execute(query):
            found[row.run_id] = (*found.get(row.run_id, ()), row.tag)
    return found
