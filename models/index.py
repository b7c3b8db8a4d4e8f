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
CHECK = "Check PLAYGROUND_DATABASE_URL (or the secret [connections.runs])"
SERVER = "Check that the database server runs, then try again."
INDEXES = "indexes.txt"  # in a data folder: the indexes whose files lie there
CONNECT_S = 5  # to reach a server
CACHE_BYTES = 4_000_000  # of a connection: SQLite's own 2 MB do not hold what two frequent words lead through
_ONE_WRITER = 7_237_421  # the number of the lock that a writer holds in PostgreSQL: ours among those of one database
# a server that went without a word is given up after about a minute, not after hours
_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
_POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")
_FULL, _BUSY, _REFUSED = "53100", ("55P03", "40P01"), ("28000", "28P01", "3D000", "42501")  # what PostgreSQL says
_SAYS_NO = ("authentication failed", "no password supplied", "no pg_hba.conf entry", '" does not exist')


def connect(url: str, data_dir: Path) -> tuple[sa.Engine, str, Path | None]:
    """Return an engine for the URL, what to call the database in messages (without its password), and its file.

    `postgres://` and `postgresql://` mean psycopg. None for the file of a database that is no file of this machine.
    Raises `PlaygroundError`.
    """
    with index_errors("named by database_url"):
        parsed = _parsed(url) if url else sa.URL.create("sqlite", database=str(data_dir / "runs.sqlite"))
    if parsed.drivername in _POSTGRESQL:
        return _connect_postgresql(parsed.set(drivername="postgresql+psycopg"))
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


def called(url: str, data_dir: Path) -> str:
    """Return what tells the index of a URL from others: no user, no password, and a file in `data_dir` by its name."""
    with index_errors("named by database_url"):
        parsed = _parsed(url) if url else sa.URL.create("sqlite", database=str(data_dir / "runs.sqlite"))
    if parsed.get_backend_name() != "sqlite":
        return f"{parsed.get_backend_name()[:8]}://{parsed.host or ''}:{parsed.port or ''}/{parsed.database or ''}"
    file = Path(parsed.database or ":memory:")
    return str(file.relative_to(data_dir) if file.is_relative_to(data_dir) else file)


def is_alone(url: str, data_dir: Path) -> bool:
    """Note in `data_dir` that an index has its files there, and say whether it is the only one that ever had.

    Who names another database keeps the folder, and may name the one before again: its runs must find their files.
    """
    name, noted = called(url, data_dir), data_dir / INDEXES
    with file_errors(noted):
        there = set(noted.read_text("utf-8").splitlines()) if noted.exists() else set()
        if (data_dir / "runs.sqlite").exists():  # of before there was this list
            there.add("runs.sqlite")
        if name not in there:
            with noted.open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
    return not there - {name}


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except ValueError as error:  # it would tell a part of the password
        raise sa.exc.ArgumentError("it cannot be read; signs such as / and @ in a password are written %2F, %40") from (
            error if "invalid literal" not in str(error) else None
        )


def _connect_postgresql(url: sa.URL) -> tuple[sa.Engine, str, None]:
    server = f"{url.host or 'this machine'}{f':{url.port}' if url.port else ''}"
    name = f"in the PostgreSQL database “{url.database or url.username or ''}” on {server}"
    # None: a pool of connections between here and the server knows of no statements that were prepared before
    options = {"connect_timeout": CONNECT_S, "prepare_threshold": None, "application_name": "playground", **_ALIVE}
    options = {key: value for key, value in options.items() if key not in url.query}
    with index_errors(name):
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args=options)
    sa.event.listen(engine, "begin", _begin_postgresql)
    return engine, name, None


def _begin_postgresql(connection: sa.Connection) -> None:
    # One writer at a time, as with SQLite: what a sweep of files finds unused must not be taken up by a run whose row
    # is still on its way, which no lock of rows could tell. The lock goes with the transaction, or with who held it.
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {int(BUSY_TIMEOUT_S * 1000)}; SELECT pg_advisory_xact_lock({_ONE_WRITER})"
        )


def _open_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # _begin_sqlite says BEGIN, so that creating tables is part of a transaction
    connection.execute(f"PRAGMA cache_size={-CACHE_BYTES // 1000}")
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
        state = getattr(cause, "sqlstate", None)
        said, details = f"could not be used ({why}). {CHECK}, and that it may be read and written.", {}
        if "disk is full" in why:
            said, details = "found its disk full. Free some space, then try again.", {"full": True}
        elif state == _FULL:  # of the server: no file that goes here would make room there
            said, details = "found the disk of its server full. Free some space there, then try again.", {"later": True}
        elif "locked" in why or "busy" in why or state in _BUSY:
            said, details = "is in use by another process. Try again in a moment.", {"later": True}
        elif "malformed" in why or "not a database" in why:
            said = f"is damaged ({why}). Move it away and start again; a new one is made."
        elif state in _REFUSED or ("FATAL: " in why and any(mark in why for mark in _SAYS_NO)):
            said = f"refused the app: {_why(why)}. {CHECK}, and that its user may read and write there."
        elif _is_lost(error, state):
            said = f"cannot be reached ({_why(why)}). What was saved is not lost. {SERVER}"
            details = {"later": True}
        raise PlaygroundError(f"The run index {name} {said}", **details) from error


def _is_lost(error: BaseException, state: str | None) -> bool:
    """Say whether the connection to a server was lost, or never made."""
    if not isinstance(error, sa.exc.DBAPIError) or isinstance(error.orig, sqlite3.Error):
        return False
    unsaid = state is None and isinstance(error, sa.exc.OperationalError)
    return error.connection_invalidated or unsaid or (state or "")[:3] in ("080", "57P", "533")


def _why(said: str) -> str:
    """Return what a driver says without what comes before: the names of server and user stand in our own sentence."""
    return said.rsplit("FATAL: ", 1)[-1].rsplit(" failed: ", 1)[-1].strip().rstrip(".")[:200]
