"""Runs that last: an index in SQL beside the artefact files of `models.blobs`.

A run's row is written last, in one transaction, so that a row never names a file that was not there.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from models.blobs import REFERENCE, Blobs, file_errors
from models.errors import PlaygroundError
from models.settings import Settings
from models.tables import desks as _desks
from models.tables import files as _owned
from models.tables import files_of, migrate, own_files
from models.tables import notes as _notes
from models.tables import runs as _runs
from models.tables import used as _used
from models.types import Output, Request, Run

KEEP_S = 3600.0
BUSY_TIMEOUT_S = 15.0

_AGE = (_runs.c.created_at, _runs.c.id)
_ROW_SIZES = sa.select(_runs.c.id, _runs.c.created_at, _runs.c.record_bytes).order_by(*_AGE)


@dataclass(frozen=True)
class Pruned:
    """Count what `Store.prune` removed: runs, artefact files and bytes of both."""

    runs: int = 0
    artifacts: int = 0
    bytes: int = 0


class Store(Blobs):
    """Keep runs and artefacts. Thread-safe; several processes may share one store.

    `source` is a `Settings`, or an SQL URL with `data_dir` beside it; an empty URL means SQLite in
    `data_dir/runs.sqlite`. Makes the folders and tables that are missing. Every method raises `PlaygroundError` with a
    sentence where the index is damaged, locked, out of reach or newer than this code, or the disk is full.
    """

    def __init__(self, source: Settings | str, data_dir: Path | str | None = None) -> None:
        url = source if isinstance(source, str) else source.database_url
        folder = data_dir if isinstance(source, str) else data_dir or source.data_dir
        if folder is None:
            raise ValueError("data_dir is needed beside an SQL URL")
        super().__init__(folder)
        self._engine, self._index = _connect(url, self.data_dir)
        try:
            with self._write() as connection:
                migrate(connection, self._index)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close the connections to the index. Artefacts can still be read."""
        self._engine.dispose()

    def save_run(self, run: Run) -> None:
        """Store a run: its artefacts, then its row. A run of the same id is replaced.

        An output without bytes keeps its text and its `sha256`. Raises `PlaygroundError` where bytes and `sha256`
        do not fit; then, as after any error, the index is as it was.
        """
        outputs = [self._stored(output) for output in run.outputs]
        made = {output.sha256 for output in outputs if output.sha256}
        headers = [output.to_header() for output in outputs]
        parts: dict[str, Any] = {
            "request": run.request.model_dump(),
            "outputs": headers,
            "stats": run.stats,
            "error": run.error,
        }
        if run.purpose:
            parts["purpose"] = run.purpose
        record = json.dumps(parts)
        row = {
            "id": run.id, "owner": run.owner, "job": run.job, "model": run.request.model, "status": run.status,
            "created_at": run.created_at, "record": record, "record_bytes": len(record),
        }  # fmt: skip
        with self._write() as connection:
            _delete_runs(connection, [run.id])
            connection.execute(_runs.insert(), row)
            own_files(connection, run.owner, made, run.created_at)
            # a hash that stands in a text, as anybody may write it, holds nobody else's file
            refs = made | (_uploads(run.request) & files_of(connection, run.owner))
            if refs:
                connection.execute(_used.insert(), [{"run_id": run.id, "sha256": ref} for ref in sorted(refs)])
            for output in outputs:  # a prune between the files and this transaction may have taken one
                if output.data and not self._file(output.sha256).exists():
                    self.put_bytes(output.data)

    def runs(
        self, owner: str | None = None, job: str | None = None, limit: int = 50, *, load: bool = False
    ) -> list[Run]:
        """Return up to `limit` runs of an owner, of a job, or of all, the newest first.

        Outputs keep their text; `load` fetches their bytes too (see `get_bytes`).
        """
        query = sa.select(_runs).order_by(*(column.desc() for column in _AGE)).limit(limit)
        if owner is not None:
            query = query.where(_runs.c.owner == owner)
        if job is not None:
            query = query.where(_runs.c.job == job)
        return self._select(query, load)

    def move_owner(self, old: str, new: str) -> int:
        """Give all runs of one owner to another, as when a reload adopts; return how many. The new one's desks stay."""
        with self._write() as connection:
            theirs = sa.select(_desks.c.model).where(_desks.c.owner == new).scalar_subquery()
            mine = _desks.c.owner == old
            connection.execute(_desks.update().where(mine, _desks.c.model.not_in(theirs)).values(owner=new))
            connection.execute(_desks.delete().where(mine))
            named = sa.select(_notes.c.name).where(_notes.c.owner == new).scalar_subquery()
            mine = _notes.c.owner == old
            connection.execute(_notes.update().where(mine, _notes.c.name.not_in(named)).values(owner=new))
            connection.execute(_notes.delete().where(mine))
            own_files(connection, new, files_of(connection, old))
            connection.execute(_owned.delete().where(_owned.c.owner == old))
            return connection.execute(_runs.update().where(_runs.c.owner == old).values(owner=new)).rowcount

    def take_sessions(self, new: str) -> int:
        """Give an owner the runs of sessions, as all were before there were owners that last; return how many."""
        with self._write() as connection:
            sessions = _runs.c.owner.not_like("%:%")
            theirs = sa.select(_owned.c.sha256).where(_owned.c.owner.not_like("%:%"))
            own_files(connection, new, set(connection.execute(theirs).scalars()))
            connection.execute(_owned.delete().where(_owned.c.owner.not_like("%:%"), _owned.c.owner != new))
            return connection.execute(_runs.update().where(sessions).values(owner=new)).rowcount

    def take(self, owner: str, data: bytes) -> str:
        """Store an owner's upload, or what they made of a result, and return its reference. See `put_bytes`."""
        ref = self.put_bytes(data)
        self.own(owner, ref)
        return ref

    def own(self, owner: str, *refs: str) -> None:
        """Count stored files as an owner's: they go with the owner. Raises `BadInput` for what is no reference."""
        new = {self.path(ref).name for ref in refs if not self.owns(owner, ref)}
        if new:
            with self._write() as connection:
                own_files(connection, owner, new)

    def owns(self, owner: str, ref: str) -> bool:
        """Say whether a stored file is an owner's: what they gave (`take`), or a run of theirs made.

        A hash is no key: whoever learns the reference of another's upload, as from a result that was shared, and writes
        it into a link or a prompt, must not get what it stands for. Raises `BadInput` for what is no reference.
        """
        query = sa.select(_owned.c.owner).where(_owned.c.owner == owner, _owned.c.sha256 == self.path(ref).name)
        with _index_errors(self._index), self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def save_desk(self, owner: str, request: Request) -> None:
        """Keep what an owner's page holds for a model, in place of what was kept for that model before."""
        with self._write() as connection:
            key = (_desks.c.owner == owner, _desks.c.model == request.model)
            connection.execute(_desks.delete().where(*key))
            row = {"owner": owner, "model": request.model, "content": request.canonical(), "saved_at": time.time()}
            connection.execute(_desks.insert(), row)

    def desks(self, owner: str) -> list[Request]:
        """Return what an owner's pages hold, one request for each model, the one that was changed last at the end."""
        query = sa.select(_desks.c.content).where(_desks.c.owner == owner).order_by(_desks.c.saved_at)
        with _index_errors(self._index), self._engine.connect() as connection:
            rows = connection.execute(query).scalars().all()
        found = []
        for content in rows:
            with suppress(ValueError):  # one that is damaged is as good as none: the page has its defaults
                found.append(Request.model_validate_json(content))
        return found

    def save_note(self, owner: str, name: str, content: Any) -> None:
        """Keep what an owner's page keeps beside its settings, JSON, in place of what was kept by this name before."""
        with self._write() as connection:
            connection.execute(_notes.delete().where(_notes.c.owner == owner, _notes.c.name == name))
            row = {"owner": owner, "name": name, "content": json.dumps(content), "saved_at": time.time()}
            connection.execute(_notes.insert(), row)

    def note(self, owner: str, name: str) -> Any:
        """Return what `save_note` kept; None where there is nothing, or it is damaged."""
        query = sa.select(_notes.c.content).where(_notes.c.owner == owner, _notes.c.name == name)
        with _index_errors(self._index), self._engine.connect() as connection:
            content = connection.execute(query).scalar()
        with suppress(ValueError):
            return json.loads(content) if content is not None else None
        return None

    def forget(self, owner: str) -> int:
        """Delete all that is kept of an owner, and the files that nobody else needs; return how many runs."""
        with self._write() as connection:
            ids = list(connection.execute(sa.select(_runs.c.id).where(_runs.c.owner == owner)).scalars())
            files = files_of(connection, owner)
            _delete_runs(connection, ids)
            connection.execute(_desks.delete().where(_desks.c.owner == owner))
            connection.execute(_notes.delete().where(_notes.c.owner == owner))
            connection.execute(_owned.delete().where(_owned.c.owner == owner))
        with self._write() as connection:  # no file goes before the rows that name it
            for needed in (_used, _owned):
                files -= set(connection.execute(sa.select(needed.c.sha256).distinct()).scalars())
            for file, _, _ in self._files():
                if file.name.split(".")[0] in files:
                    with suppress(OSError):
                        file.unlink()
        return len(ids)

    def forget_idle(self, prefix: str, before: float) -> int:
        """Forget the owners whose name begins with `prefix` and who ran and changed nothing since `before`.

        `before` in UTC seconds since the epoch. Return how many owners.
        """
        newest = sa.union_all(
            sa.select(_runs.c.owner, _runs.c.created_at.label("at")),
            sa.select(_desks.c.owner, _desks.c.saved_at.label("at")),
            sa.select(_notes.c.owner, _notes.c.saved_at.label("at")),
            sa.select(_owned.c.owner, _owned.c.taken_at.label("at")),
        ).subquery()
        idle = (
            sa.select(newest.c.owner).where(newest.c.owner.startswith(prefix, autoescape=True))
            .group_by(newest.c.owner).having(sa.func.max(newest.c.at) < before)
        )  # fmt: skip
        with _index_errors(self._index), self._engine.connect() as connection:
            owners = list(connection.execute(idle).scalars())
        for owner in owners:
            self.forget(owner)
        return len(owners)

    def prune(self, max_bytes: int | None = None, max_runs: int | None = None, *, keep_s: float = KEEP_S) -> Pruned:
        """Drop the oldest runs, and files that no run needs, until the store is within its budget.

        `max_bytes` is over artefact files and rows, `max_runs` over rows. Within both, nothing is dropped. Nothing
        younger than `keep_s` seconds goes: no run, and no upload whose run may still wait. What lies beside a file goes
        first, however young: it can be made again.
        """
        before = time.time() - keep_s
        with self._write() as connection:
            rows = connection.execute(_ROW_SIZES).all()
            needs: dict[str, list[str]] = {}
            for run_id, digest in connection.execute(sa.select(_used.c.run_id, _used.c.sha256)):
                needs.setdefault(run_id, []).append(digest)
            users = Counter(digest for digests in needs.values() for digest in digests)
            files = list(self._files())
            row_bytes = sum(row.record_bytes for row in rows)
            too_large = max_bytes is not None and row_bytes + sum(size for _, size, _ in files) > max_bytes
            # Files that no run needs go first, the young ones stay and count; then runs go with what only they need.
            stay = [one for one in files if not one[0].suffix and (one[0].name in users or one[2] > before)]
            sizes = {file.name: size for file, size, _ in stay}
            left_bytes, freed, victims = row_bytes + sum(sizes.values()), 0, list[str]()
            for run_id, created_at, record_bytes in rows:
                within_bytes = max_bytes is None or left_bytes <= max_bytes
                within_runs = max_runs is None or len(rows) - len(victims) <= max_runs
                if created_at > before or (within_bytes and within_runs):
                    break
                users.subtract(needs.get(run_id, ()))
                unused = sum(sizes.get(digest, 0) for digest in needs.get(run_id, ()) if not users[digest])
                left_bytes, freed = left_bytes - record_bytes - unused, freed + record_bytes
                victims.append(run_id)
            _delete_runs(connection, victims)
        return self._sweep(before, len(victims), freed) if victims or too_large else Pruned()

    def _stored(self, output: Output) -> Output:
        """Store the output's bytes, if it has any, and return it with their hash."""
        if not output.data:
            return output
        digest = self.put_bytes(output.data).removeprefix("sha256:")
        if output.sha256 not in ("", digest):
            raise PlaygroundError(f"Output {output.index + 1} was damaged on its way: its hash differs. Run it again.")
        return replace(output, sha256=digest)

    def _sweep(self, before: float, runs: int, freed: int) -> Pruned:
        """Drop files that no run needs, in a transaction of its own: no file goes before the rows that name it."""
        count, gone = 0, []
        with self._write() as connection:
            used = set(connection.execute(sa.select(_used.c.sha256).distinct()).scalars())
            for file, size, changed in self._files():
                if file.suffix or (changed <= before and file.name not in used):
                    with suppress(OSError):
                        file.unlink()
                        count, freed = count + 1, freed + size
                        gone.append({"gone": file.name})
            if gone:
                connection.execute(_owned.delete().where(_owned.c.sha256 == sa.bindparam("gone")), gone)
        return Pruned(runs, count, freed)

    def _select(self, query: sa.Select[Any], load: bool) -> list[Run]:
        with _index_errors(self._index), self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        found = [_run_from(row) for row in rows]
        if load:
            for run in found:
                run.outputs = [replace(o, data=self.get_bytes(o.sha256)) if o.sha256 else o for o in run.outputs]
        return found

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with _index_errors(self._index), self._engine.execution_options(writes=True).begin() as connection:
            yield connection


def _connect(url: str, data_dir: Path) -> tuple[sa.Engine, str]:
    """Return an engine for the URL, and what to call the database in messages (without its password)."""
    with _index_errors("named by database_url"):
        parsed = sa.make_url(url) if url else sa.URL.create("sqlite", database=str(data_dir / "runs.sqlite"))
    name = f"at {parsed.render_as_string(hide_password=True)}"
    if parsed.get_backend_name() != "sqlite":
        with _index_errors(name):
            return sa.create_engine(parsed, pool_pre_ping=True), name
    memory = not parsed.database or parsed.database == ":memory:" or parsed.query.get("mode") == "memory"
    if not memory and parsed.database and not parsed.database.startswith("file:"):
        name = f"at {parsed.database}"
        with file_errors(Path(parsed.database)):
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # A database in memory lives as long as its connection: there is one, and threads take turns.
    pool = {"pool_size": 1, "max_overflow": 0} if memory else {}
    options = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    with _index_errors(name):
        engine = sa.create_engine(parsed, poolclass=sa.QueuePool, connect_args=options, **pool)
    sa.event.listen(engine, "connect", _open_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine, name


def _open_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # _begin_sqlite says BEGIN, so that creating tables is part of a transaction
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA auto_vacuum=FULL")  # a new file only: pruned rows give their pages back
        with suppress(sqlite3.OperationalError):  # another process switches it, or the file system has no shared memory
            connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that turns writer fails at once where another wrote meanwhile; a writer from the start waits its turn.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _delete_runs(connection: sa.Connection, ids: Sequence[str]) -> None:
    if ids:
        rows = [{"gone": run_id} for run_id in ids]
        connection.execute(_used.delete().where(_used.c.run_id == sa.bindparam("gone")), rows)
        connection.execute(_runs.delete().where(_runs.c.id == sa.bindparam("gone")), rows)


def _run_from(row: sa.RowMapping) -> Run:
    try:
        record = json.loads(row["record"])
        return Run(
            id=row["id"], owner=row["owner"], job=row["job"], status=row["status"], created_at=row["created_at"],
            request=Request(**record["request"]), outputs=[Output(**header) for header in record["outputs"]],
            stats=record["stats"], error=record["error"], purpose=record.get("purpose", ""),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise PlaygroundError(f"The record of run {row['id']} is damaged and cannot be shown. Run it again.") from error


def _uploads(request: Request) -> set[str]:
    return {
        match[1] for text in request.inputs.values() if text[:7] == "sha256:" and (match := REFERENCE.fullmatch(text))
    }


@contextmanager
def _index_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, ImportError) as error:
        cause = getattr(error, "orig", None) or error
        why = (str(cause).splitlines() or [type(cause).__name__])[0]
        said = f"could not be used ({why}). Check PLAYGROUND_DATABASE_URL, and that it may be read and written."
        if "disk is full" in why:
            said = "found its disk full. Free some space, then try again."
        elif "locked" in why or "busy" in why:
            said = "is in use by another process. Try again in a moment."
        elif "malformed" in why or "not a database" in why:
            said = f"is damaged ({why}). Move it away and start again; a new one is made."
        raise PlaygroundError(f"The run index {name} {said}") from error
