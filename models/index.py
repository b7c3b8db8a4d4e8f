"""The connection to the run index, whatever the database: how it is opened, and what its errors say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from models.blobs import file_errors
from models.errors import PlaygroundError

BUSY_TIMEOUT_S = 15.0


def connect(url: str, data_dir: Path) -> tuple[sa.Engine, str, Path | None]:
    """Return an engine for the URL, what to call the database in messages (without its password), and its file.

    None for the file of a database that is no file of this machine. Raises `PlaygroundError`.
    """
    with index_errors("named by database_url"):
        parsed = sa.make_url(url) if url else sa.URL.create("sqlite", database=str(data_dir / "runs.sqlite"))
    name = f"at {parsed.render_as_string(hide_password=True)}"
    if parsed.get_backend_name() != "sqlite":
        with index_errors(name):
            return sa.create_engine(parsed, pool_pre_ping=True), name, None
    memory = not parsed.database or parsed.database == ":memory:" or parsed.query.get("mode") == "memory"
    file = None
    if not memory and parsed.database and not parsed.database.startswith("file:"):
        name, file = f"at {parsed.database}", Path(parsed.database)
        with file_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
    # A database in memory lives as long as its connection: there is one, and threads take turns.
    pool = {"pool_size": 1, "max_overflow": 0} if memory else {}
    options = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    with index_errors(name):
        engine = sa.create_engine(parsed, poolclass=sa.QueuePool, connect_args=options, **pool)
    sa.event.listen(engine, "connect", _open_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine, name, file


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


def identity(file: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name; None where there is none."""
    if file is None:
        return None
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def index_errors(name: str) -> Iterator[None]:
    """Turn an error of the database into a `PlaygroundError` with a sentence."""
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
        raise PlaygroundError(
            f"The run index {name} {said}", **({"full": True} if "disk is full" in why else {})
        ) from error
