"""What goes from the store when there is too much of it: by size, by age and by owner, and what goes last.

Files are listed and weighed outside of any transaction: the pages' own writes wait for rows to be deleted, and for
nothing else. A file that young runs, uploads or another process may need is looked at again before it goes.
"""

from __future__ import annotations

import json
import re
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from models import library
from models.blobs import TEMPORARY, Blobs
from models.retention import Held, Kept, Limits, going
from models.tables import causes as _causes
from models.tables import files as _owned
from models.tables import measured as _measured
from models.tables import notes as _notes
from models.tables import runs as _runs
from models.tables import shares as _shares
from models.tables import used as _used

KEEP_S = 3600.0
SQUEEZED_KEEP_S = 60.0  # on a full disk: what is younger may still be on its way
AGAIN = "view"  # the kind of output that can be computed again from its run's request
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_AGE = (_runs.c.created_at, _runs.c.id)
_SIZES = sa.select(_runs.c.id, _runs.c.owner, _runs.c.created_at, _runs.c.record_bytes).order_by(*_AGE)


@dataclass(frozen=True)
class Pruned:
    """Count what was removed: runs, artefact files and bytes of both."""

    runs: int = 0
    artifacts: int = 0
    bytes: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(self.runs + other.runs, self.artifacts + other.artifacts, self.bytes + other.bytes)


class Pruning(Blobs):
    """Remove what is too much from an index of runs and the files that they need.

    `alone`: no other index has runs whose files are in the same folder.
    """

    alone = True

    @abstractmethod
    def _write(self) -> AbstractContextManager[sa.Connection]:
        """Return a transaction that may write."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[sa.Connection]:
        """Return a connection to read by."""

    def prune(
        self, max_bytes: int | None = None, max_runs: int | None = None, *, keep_s: float = KEEP_S,
        max_age_s: float | None = None, owner_bytes: int | None = None, last: Collection[str] = (),
        never: Collection[str] = (), now: float | None = None,
    ) -> Pruned:  # fmt: skip
        """Drop the oldest runs, and files that no run needs, until the store is within its budget.

        `max_bytes` is over artefact files and rows, `max_runs` over rows, `owner_bytes` over one owner's rows and what
        their runs need; runs older than `max_age_s` go whatever the size. Within all, nothing is dropped. Nothing
        younger than `keep_s` seconds goes: no run, and no upload whose run may still wait. What lies beside a file goes
        first, however young: it can be made again. Runs whose ids are in `last`, or that a note of their owner or an
        open link names, go after all others, and not for their age; those in `never` stay, and those that have a star.
        `now` is UTC seconds since the epoch.
        """
        now = time.time() if now is None else now
        limits, before = Limits(max_bytes, max_runs, max_age_s, owner_bytes), now - keep_s
        held, every = self._held(before, last, never)
        too_large = max_bytes is not None and sum(row.record_bytes for row in held.rows) + every > max_bytes
        rows = going(held, limits, now, keep_s)
        victims, freed = [row.id for row in rows], sum(row.record_bytes for row in rows)
        if victims:
            with self._write() as connection:
                stay = library.starred(connection) | (_named(connection) - set(held.last))  # kept by a person meanwhile
                victims = [run_id for run_id in victims if run_id not in stay]
                delete_runs(connection, victims)
        return self._sweep(before, len(victims), freed) if victims or too_large else Pruned()

    def kept_at(
        self, limits: Limits, every_s: float, *, keep_s: float = KEEP_S, last: Collection[str] = (),
        now: float | None = None,
    ) -> Kept:  # fmt: skip
        """Return what is kept, and what a look `every_s` seconds from now drops if nothing comes meanwhile."""
        now = time.time() if now is None else now
        held, every = self._held(now + every_s - keep_s, last, ())
        rows = going(held, limits, now + every_s, keep_s)
        return Kept(now, now + every_s, len(held.rows), sum(row.record_bytes for row in held.rows) + every,
                    len(held.never), Counter(row.owner for row in rows))  # fmt: skip

    def _held(self, before: float, last: Collection[str], never: Collection[str]) -> tuple[Held, int]:
        """Return what there is, without the files that go before any run, and the bytes of all files."""
        files = list(self._files())
        with self._read() as connection:
            rows = connection.execute(_SIZES).all()
            needs: dict[str, list[str]] = {}
            for run_id, digest in connection.execute(sa.select(_used.c.run_id, _used.c.sha256)):
                needs.setdefault(run_id, []).append(digest)
            named, starred = _named(connection), library.starred(connection)
        users = {digest for digests in needs.values() for digest in digests}
        # Files that no run needs go first, the young ones stay and count; then runs go with what only they need.
        stay = {file.name: size for file, size, changed in files
                if not file.suffix and (file.name in users or changed > before)}  # fmt: skip
        return Held(rows, needs, stay, {*last, *named}, {*never, *starred}), sum(size for _, size, _ in files)

    def sweep(self, keep_s: float = KEEP_S, now: float | None = None) -> Pruned:
        """Drop files that belong to no run and to nobody: what a process that was killed had not finished.

        Nothing younger than `keep_s` seconds goes. Of a folder that the runs of another index use too, only what was
        being written goes: what belongs to whom is not known here.
        """
        before = (time.time() if now is None else now) - keep_s
        old = [(file, size) for file, size, changed in self._files() if changed <= before]
        with self._read() as connection:
            known = self._known_names(connection)
        if not (lost := [one for one in old if self._is_orphan(one[0], known)]):
            return Pruned()
        count = freed = 0
        with self._write() as connection:  # nobody takes one up from here on
            known = self._known_names(connection)
            for file, size in lost:
                with suppress(OSError):
                    if self._is_orphan(file, known) and file.stat().st_mtime <= before:  # not stored again meanwhile
                        file.unlink()
                        count, freed = count + 1, freed + size
        return Pruned(0, count, freed)

    def _known_names(self, connection: sa.Connection) -> set[str]:
        return {
            name for of in (_used, _owned) for name in connection.execute(sa.select(of.c.sha256).distinct()).scalars()
        }

    def _is_orphan(self, file: Path, known: Collection[str]) -> bool:
        name = file.name.split(".")[0]
        if file.name.startswith(TEMPORARY):
            return True
        return self.alone and name not in known and (not file.suffix or not file.with_name(name).exists())

    def thin(self, newest: int, *, keep_s: float = 0.0, last: Collection[str] = (), now: float | None = None) -> Pruned:
        """Drop what was kept of runs' making and can be computed again, but of the `newest` runs of each owner.

        That is the files of outputs of kind `AGAIN` of generations: a text's logits. The runs stay, and so does each
        file that a run within the number, one of `last` or one that a note names needs too. Frees space without writing
        to the index, so that it works on a full disk. `keep_s` and `now` as of `prune`.
        """
        before = (time.time() if now is None else now) - keep_s
        sizes = {file.name: size for file, size, changed in self._files() if not file.suffix and changed <= before}
        with self._read() as connection:
            with_files = sa.select(_used.c.run_id).where(_used.c.run_id == _runs.c.id).exists()
            query = sa.select(_runs.c.id, _runs.c.owner, _runs.c.record).where(with_files)
            rows = connection.execute(query.order_by(*(column.desc() for column in _AGE)))
            kept = {*last, *_named(connection)}
            seen: Counter[str] = Counter()
            needed, gone = set[str](), set[str]()
            for run_id, owner, record in rows:
                study, hashes = _again(record)
                if study and run_id in kept:  # it computed them again, and someone looks
                    needed.update(hashes)
                if study or not hashes:
                    continue
                seen[owner] += 1
                (needed if seen[owner] <= newest or run_id in kept else gone).update(hashes)
            made = set(connection.execute(sa.select(_used.c.sha256).distinct()).scalars())
        count = freed = 0
        for name in sorted((gone - needed) & set(sizes) & made):
            with suppress(OSError):
                self._file(name).unlink()
                count, freed = count + 1, freed + sizes[name]
        return Pruned(0, count, freed)

    def make_room(self, needed: int, last: Collection[str] = (), never: Collection[str] = ()) -> Pruned:
        """Free at least `needed` bytes on a full disk, if that much may go: first what can be made again, then runs.

        `last` and `never` as of `prune`.
        """
        freed = self.thin(0, last=last)
        for file, size, _ in self._files():
            if file.suffix:  # what lies beside another; one that is being written has none yet
                with suppress(OSError):
                    file.unlink()
                    freed += Pruned(0, 1, size)
        if freed.bytes >= needed:
            return freed
        with self._read() as connection:
            rows = connection.execute(sa.select(sa.func.sum(_runs.c.record_bytes))).scalar() or 0
        total = rows + sum(size for _, size, _ in self._files())
        return freed + self.prune(max(0, total - needed), keep_s=SQUEEZED_KEEP_S, last=last, never=never)

    def _sweep(self, before: float, runs: int, freed: int) -> Pruned:
        """Drop files that no run needs: no file goes before the rows that name it."""
        count, gone = 0, []
        old = [one for one in self._files() if one[0].suffix or one[2] <= before]
        with self._write() as connection:
            if not self.alone:  # what belongs to the runs of another index is not known here
                ours = self._known_names(connection)
                old = [one for one in old if one[0].name.split(".")[0] in ours]
            used = set(connection.execute(sa.select(_used.c.sha256).distinct()).scalars())
            for file, size, _ in old:
                if file.suffix or file.name not in used:
                    with suppress(OSError):
                        if not file.suffix and file.stat().st_mtime > before:
                            continue  # stored again meanwhile
                        file.unlink()
                        count, freed = count + 1, freed + size
                        gone.append({"gone": file.name})
            if gone:
                connection.execute(_owned.delete().where(_owned.c.sha256 == sa.bindparam("gone")), gone)
        return Pruned(runs, count, freed)


def delete_runs(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Delete the rows of runs, and all that is known of them."""
    clear_rows(connection, ids)
    library.remove(connection, ids)


def clear_rows(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Delete the rows of runs, and what says which files they need; what people said of them stays."""
    if ids:
        rows = [{"gone": run_id} for run_id in ids]
        connection.execute(_used.delete().where(_used.c.run_id == sa.bindparam("gone")), rows)
        connection.execute(_causes.delete().where(_causes.c.run_id == sa.bindparam("gone")), rows)
        connection.execute(_measured.delete().where(_measured.c.run_id == sa.bindparam("gone")), rows)
        connection.execute(_runs.delete().where(_runs.c.id == sa.bindparam("gone")), rows)


def _named(connection: sa.Connection) -> set[str]:
    """Return the ids of runs that owners' pages keep, and of those that a link still shows: those that these name."""
    now = time.time()
    ended = _shares.c.revoked_at.is_not(None) | (_shares.c.expires_at.is_not(None) & (_shares.c.expires_at <= now))
    asked = sa.union_all(sa.select(_notes.c.content), sa.select(_shares.c.content).where(~ended))
    contents = connection.execute(asked).scalars()
    return {run_id for content in contents for run_id in _RUN_ID.findall(content)}


def _again(record: str) -> tuple[bool, set[str]]:
    """Return whether a row is of a study, and the hashes of its outputs that can be computed again."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):  # a damaged row keeps its files
        found = json.loads(record)
        hashes = {one["sha256"] for one in found["outputs"] if one["kind"] == AGAIN and one["sha256"]}
        return bool(found["request"].get("study")), hashes
    return False, set()
