"""What an owner does with what is kept: find it, give it a star, a name, a note and tags, delete it and take it back.

Nothing here reaches a run of another owner: an id that is not the owner's is as good as none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from models import finding, fulltext, library
from models.errors import BadInput, PlaygroundError
from models.finding import Filter, Place
from models.held import needed_by
from models.pruning import Pruned, delete_runs
from models.records import run_from
from models.retention import NAMED_MOST, Mine
from models.sharing import Sharing
from models.tables import files, runs, used
from models.tables import library as _library
from models.tables import tags as _tags
from models.types import Run

log = logging.getLogger(__name__)
TITLE_MAX_CHARS, NOTE_MAX_CHARS, TAG_MAX_CHARS, TAGS_MOST = 200, 5000, 40, 20
UNDO_S = 600.0  # for so long a deleted run can be taken back
MANY = 500  # values in one query


@dataclass(frozen=True)
class Found:
    """Hold a run with what its owner said of it; `count` says of how many runs of its job it is the newest that fits.

    `job` is what it is one row with, as `found_ids` takes it: its job, or its sweep, which may have had several.
    `deleted_at` is UTC seconds since the epoch, None for a run that is there.
    """

    run: Run
    title: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    starred: bool = False
    deleted_at: float | None = None
    count: int = 1
    job: str = ""


@dataclass(frozen=True)
class Page:
    """Hold a page of what was found, and where the next one begins; None where there is none."""

    rows: tuple[Found, ...]
    next: Place | None


@dataclass(frozen=True)
class Kinds:
    """Name what there is to choose from among an owner's runs: models, tasks and tags, in order."""

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    tags: tuple[str, ...]


class Shelf(Sharing):
    """Find an owner's runs, and keep what the owner says of them."""

    def find(self, owner: str, wanted: Filter, after: Place | None = None, limit: int = 20) -> Page:
        """Return a page of rows, the newest first: one for each job. One whose record is damaged is left out."""
        with self._read() as connection:
            some = finding.rows(connection, owner, wanted, after, limit + 1)
            counts = {place[1]: count for place, count in some[:limit]}
            rows = _found(connection, owner, counts, counts)
        return Page(tuple(rows), some[limit - 1][0] if len(some) > limit else None)

    def found(self, owner: str, ids: Sequence[str], *, deleted: bool = False) -> list[Found]:
        """Return runs of an owner by their ids, in that order; what is not there is left out.

        So is what was deleted, but for `deleted`.
        """
        with self._read() as connection:
            return [one for one in _found(connection, owner, ids) if deleted or one.deleted_at is None]

    def found_ids(self, owner: str, wanted: Filter, *, job: str | None = None, limit: int | None = None) -> list[str]:
        """Return the ids of all runs that are wanted, of one job or of all, the newest first."""
        with self._read() as connection:
            return finding.ids(connection, owner, wanted, job=job, limit=limit)

    def note_sweep(self, owner: str, job: str, content: str) -> None:
        """Note which sweep a job of an owner makes, by its file (`models.sweeps.spec`): all of it is one row then."""
        with self._write() as connection:
            library.note_sweep(connection, owner, job, content)

    def sweep_of(self, owner: str, run_id: str) -> str:
        """Return the file of the sweep that a run of an owner is a cell of; "" where that was not noted."""
        with self._read() as connection:
            return library.sweep_of(connection, owner, run_id)

    def count(self, owner: str, wanted: Filter, most: int) -> int:
        """Return how many runs are wanted; counting ends at `most`."""
        with self._read() as connection:
            return finding.count(connection, owner, wanted, most)

    def kinds(self, owner: str) -> Kinds:
        """Return what an owner's runs can be narrowed by."""
        with self._read() as connection:
            models, tasks = (finding.kinds(connection, owner, column) for column in ("model", "task"))
            return Kinds(tuple(models), tuple(filter(None, tasks)), tuple(finding.tags_of(connection, owner)))

    def mine(self, owner: str) -> Mine:
        """Return how many runs an owner has, and which of them go first."""
        mine = (_library.c.owner == owner, _library.c.deleted_at.is_(None))
        count = sa.select(sa.func.count()).select_from(_library)
        first = sa.select(_library.c.run_id, _library.c.created_at).where(*mine, ~_library.c.starred)
        first = first.order_by(_library.c.created_at, _library.c.run_id).limit(NAMED_MOST)
        with self._read() as connection:
            counts = [
                connection.execute(count.where(*mine, *more)).scalar_one() for more in ((), (_library.c.starred,))
            ]
            return Mine(counts[0], counts[1], tuple((row.run_id, row.created_at) for row in connection.execute(first)))

    def ran(self, owner: str) -> dict[str, int]:
        """Return how many runs of an owner came to their end, by model."""
        query = (
            sa.select(runs.c.model, sa.func.count()).where(runs.c.owner == owner, runs.c.status == "done")
            .group_by(runs.c.model)
        )  # fmt: skip
        with self._read() as connection:
            return {str(model): int(count) for model, count in connection.execute(query)}

    def star(self, owner: str, ids: Collection[str], on: bool = True) -> int:
        """Give runs a star, or take it away; return how many there were. What has one is not pruned."""
        return self._set(owner, ids, starred=on)

    def rename(self, owner: str, run_id: str, title: str) -> int:
        """Give a run a name, "" for none; return how many there were. Raises `BadInput` for one that is too long."""
        title = " ".join(fulltext.clean(title).split())
        _check("A name", title, TITLE_MAX_CHARS)
        return self._set(owner, [run_id], title=title)

    def write_note(self, owner: str, run_id: str, note: str) -> int:
        """Keep a note on a run, "" for none; return how many there were. Raises `BadInput` for one that is too long."""
        _check("A note", note, NOTE_MAX_CHARS)
        return self._set(owner, [run_id], note=fulltext.clean(note).strip())

    def tag(self, owner: str, run_id: str, tags: Iterable[str]) -> int:
        """Give a run these tags in place of others; return how many runs there were. Raises `BadInput`."""
        wanted = sorted({name for tag in tags if (name := " ".join(fulltext.clean(tag).split()))})
        for name in wanted:
            _check("A tag", name, TAG_MAX_CHARS)
        if len(wanted) > TAGS_MOST:
            raise BadInput(f"These are {len(wanted)} tags; a run has at most {TAGS_MOST}. Take some away.")
        with self._write() as connection:
            numbers = _numbers(connection, owner, [run_id])
            for number in numbers:
                connection.execute(_tags.delete().where(_tags.c.run_id == run_id))
                if wanted:
                    connection.execute(_tags.insert(), [{"run_id": run_id, "tag": name} for name in wanted])
                fulltext.change(connection, number, tags=" ".join(wanted))
        return len(numbers)

    def delete(self, owner: str, ids: Collection[str], now: float | None = None) -> int:
        """Delete runs, so that nothing shows them; return how many. For `UNDO_S` they can be taken back: `restore`."""
        return self._set(owner, ids, deleted_at=time.time() if now is None else now)

    def restore(self, owner: str, ids: Collection[str]) -> int:
        """Take deleted runs back; return how many there were: not those whose time is over."""
        return self._set(owner, ids, deleted_at=None)

    def drop_deleted(self, now: float | None = None, after_s: float = UNDO_S) -> Pruned:
        """Drop the runs that were deleted more than `after_s` seconds ago, with the files that nothing else needs."""
        limit = (time.time() if now is None else now) - after_s
        gone = sa.select(_library.c.run_id, _library.c.owner).where(_library.c.deleted_at <= limit)
        with self._read() as connection:
            if connection.execute(gone).first() is None:
                return Pruned()
        made: dict[str, set[str]] = {}
        with self._write() as connection:
            rows = connection.execute(gone).all()
            for run_id, owner in rows:
                needs = sa.select(used.c.sha256).where(used.c.run_id == run_id)
                made.setdefault(owner, set()).update(connection.execute(needs).scalars())
            delete_runs(connection, [row.run_id for row in rows])
            for owner, names in made.items():
                for name in names - needed_by(connection, owner):
                    connection.execute(files.delete().where(files.c.owner == owner, files.c.sha256 == name))
        every = {name for names in made.values() for name in names}
        sizes = {file.name: size for file, size, _ in self._files() if file.name.split(".")[0] in every}
        self._unlink(set(every))
        away = [name for name in sizes if not self._file(name.split(".")[0]).with_name(name).exists()]
        return Pruned(len(rows), len(away), sum(sizes[name] for name in away))

    def _set(self, owner: str, ids: Collection[str], **values: Any) -> int:
        with self._write() as connection:
            numbers = _numbers(connection, owner, ids)
            for at in range(0, len(numbers), MANY):
                some = _library.c.number.in_(numbers[at : at + MANY])
                connection.execute(_library.update().where(some).values(values))
            words = {name: value for name, value in values.items() if name in fulltext.PARTS}
            for number in numbers if words else ():
                fulltext.change(connection, number, **words)
        return len(numbers)


def _numbers(connection: sa.Connection, owner: str, ids: Collection[str]) -> list[int]:
    found: list[int] = []
    wanted = sorted(set(ids))
    for at in range(0, len(wanted), MANY):
        query = sa.select(_library.c.number, _library.c.owner).where(_library.c.run_id.in_(wanted[at : at + MANY]))
        found += [row.number for row in connection.execute(query) if row.owner == owner]
    return found


def _found(
    connection: sa.Connection, owner: str, ids: Iterable[str], counts: dict[str, int] | None = None
) -> list[Found]:
    wanted = list(dict.fromkeys(ids))
    named = library.tags_of(connection, wanted)
    held: dict[str, Found] = {}
    for at in range(0, len(wanted), MANY):
        query = (
            sa.select(runs, _library.c.title, _library.c.note, _library.c.starred, _library.c.deleted_at,
                      _library.c.job.label("row_of"))
            .join(_library, _library.c.run_id == runs.c.id)
            .where(runs.c.id.in_(wanted[at : at + MANY]))
        )  # fmt: skip
        for row in connection.execute(query).mappings():
            if row["owner"] != owner:  # asked here, so that the database goes by the ids
                continue
            try:
                run = run_from(row)
            except PlaygroundError as error:
                log.warning("left out of a list: %s", error.message)
                continue
            held[run.id] = Found(
                run, row["title"], row["note"], named.get(run.id, ()), bool(row["starred"]), row["deleted_at"],
                (counts or {}).get(run.id, 1), row["row_of"],
            )  # fmt: skip
    return [held[name] for name in wanted if name in held]


def _check(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise BadInput(f"{what} has at most {most:,} characters; this one has {len(text):,}. Shorten it.")
