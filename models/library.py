"""The library: a row for each run, by which it is found, with what its owner said of it."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from models import fulltext, records
from models.errors import PlaygroundError
from models.tables import library, runs, sweeps, tags
from models.types import STUDY, Run

log = logging.getLogger(__name__)
MANY = 500  # values in one query
IN_A_SECOND = 1 << 16  # numbers; where more runs began in one second, what follows is in their order but nearly
_LAST_S = 1 << 45


def place(connection: sa.Connection, run: Run) -> None:
    """Put a run into the library; what was said of an earlier one of its id stays. A look into a result is left out."""
    if run.request.study or run.purpose == STUDY:
        return
    row: dict[str, Any] = {
        "owner": run.owner, "job": _row_of(connection, run), "model": run.request.model, "task": records.task_of(run),
        "seed": run.request.seed, "created_at": run.created_at,
    }  # fmt: skip
    known = connection.execute(sa.select(library).where(library.c.run_id == run.id)).mappings().first()
    words = {"prompt": records.prompt_words(run.request), "said": records.said_words(run)}
    number = known["number"] if known is not None else _next_number(connection, run.created_at)
    if known is None:
        new = {**row, "run_id": run.id, "starred": False, "title": "", "note": "", "deleted_at": None}
        connection.execute(library.insert().values(number=number, **new))
    else:
        if first_number(run.created_at) != first_number(known["created_at"]):
            fulltext.remove(connection, [number])
            row["number"] = _next_number(connection, run.created_at)
        connection.execute(library.update().where(library.c.number == number).values(row))
        number = row.get("number", number)
        said = connection.execute(sa.select(tags.c.tag).where(tags.c.run_id == run.id)).scalars()
        words |= {"title": known["title"], "note": known["note"], "tags": " ".join(said)}
    fulltext.put(connection, number, words, run.owner, row["job"])


def first_number(at: float) -> int:
    """Return the least number of a run that began in the second `at`, since the epoch: the older, the less."""
    second = int(min(max(at, 0.0), _LAST_S)) if math.isfinite(at) else 0
    return second * IN_A_SECOND


def _next_number(connection: sa.Connection, at: float) -> int:
    """Return a number that no run has, behind those of its second. Who writes is alone."""
    least = first_number(at)
    of_second = library.c.number.between(least, least + IN_A_SECOND - 1)
    last = connection.execute(sa.select(sa.func.max(library.c.number)).where(of_second)).scalar()
    number = least if last is None else int(last) + 1
    while connection.execute(sa.select(library.c.number).where(library.c.number == number)).scalar() is not None:
        number += 1
    return number


def _row_of(connection: sa.Connection, run: Run) -> str:
    """Return what a run is one row with: its job, or the sweep that its job makes."""
    if not run.purpose:
        return run.job
    of = sa.select(sweeps.c.name).where(sweeps.c.owner == run.owner, sweeps.c.job == run.job)
    return str(connection.execute(of).scalar() or run.job)


def note_sweep(connection: sa.Connection, owner: str, job: str, content: str) -> None:
    """Note which sweep a job makes, by its file: all its jobs are one row, with what this one made by now."""
    name = f"sweep-{hashlib.sha256(content.encode()).hexdigest()[:32]}"
    connection.execute(sweeps.delete().where(sweeps.c.owner == owner, sweeps.c.job == job))
    connection.execute(sweeps.insert(), {"owner": owner, "job": job, "name": name, "content": content})
    there = (library.c.job == job, library.c.owner == owner)
    numbers = connection.execute(sa.select(library.c.number).where(*there)).scalars().all()
    connection.execute(library.update().where(*there).values(job=name))
    for number in numbers:
        fulltext.move(connection, number, owner, name)


def sweep_of(connection: sa.Connection, owner: str, run_id: str) -> str:
    """Return the file of the sweep that a run is a cell of; "" where that is not known."""
    of = sa.select(sweeps.c.content).join(
        library, sa.and_(library.c.job == sweeps.c.name, library.c.owner == sweeps.c.owner)
    )
    query = of.where(sweeps.c.owner == owner, library.c.run_id == run_id).limit(1)
    return str(connection.execute(query).scalar() or "")


def move(connection: sa.Connection, old: sa.ColumnElement[bool], new: str) -> None:
    """Give what owners have to another one; `old` is the condition that it is theirs, on the library."""
    rows = connection.execute(sa.select(library.c.number, library.c.job).where(old)).all()
    connection.execute(library.update().where(old).values(owner=new))
    for number, job in rows:
        fulltext.move(connection, number, new, job)


def remove(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Take runs out of the library, with all that was said of them."""
    for at in range(0, len(ids), MANY):
        some = ids[at : at + MANY]
        columns = (library.c.number, library.c.owner, library.c.job)
        rows = connection.execute(sa.select(*columns).where(library.c.run_id.in_(some))).all()
        fulltext.remove(connection, [row.number for row in rows])
        connection.execute(tags.delete().where(tags.c.run_id.in_(some)))
        connection.execute(library.delete().where(library.c.run_id.in_(some)))
        left = sa.select(library.c.number).where(library.c.job == sweeps.c.name, library.c.owner == sweeps.c.owner)
        for owner, job in {(row.owner, row.job) for row in rows}:
            connection.execute(
                sweeps.delete().where(sweeps.c.owner == owner, sweeps.c.name == job, ~left.correlate(sweeps).exists())
            )


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
