"""Bring the run index up to date when it is opened: a look at its version, and only if need be alembic.

The steps are in `models.migrations`. A new index is made as it is now, without them. An existing SQLite file is copied
before it is changed; what somebody asks to be forgotten is deleted from the copies, too.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from models import fulltext, library
from models.blobs import file_errors
from models.errors import PlaygroundError
from models.index import index_errors
from models.tables import metadata

log = logging.getLogger(__name__)
HEAD = "order"  # the last step
SCHEMA_VERSION = 2  # the last one of the numbers that versions without migrations look at
COPIES = 2
_STEPS = Path(__file__).with_name("migrations")
_own = sa.MetaData()
_version = sa.Table("alembic_version", _own, sa.Column("version_num", sa.String(32), primary_key=True))
_schema = sa.Table("playground_schema", _own, sa.Column("version", sa.Integer, nullable=False))
Age = Literal["new", "old", "head"]


def open_index(engine: sa.Engine, name: str, file: Path | None, data_dir: Path) -> None:
    """Make or bring up to date what an engine leads to; `name` is for sentences, `file` a SQLite index's own.

    Raises `PlaygroundError` for an index that a newer version wrote, which is left as it is.
    """
    with index_errors(name):
        with engine.connect() as connection:
            age = _age(connection, name)
        if age == "head":
            return
        writing = engine.execution_options(writes=True)
        if age == "new":
            with writing.begin() as connection:
                if (age := _age(connection, name)) == "new":  # no other process has made it meanwhile
                    _make(connection)
        if age != "old":
            return
        beside = file.with_name(f"{file.name}.lock") if file is not None else data_dir / "index.lock"
        with _alone(beside):
            with engine.connect() as connection:
                if _age(connection, name) == "head":  # another process has done it meanwhile
                    return
            if file is not None:
                log.info("the index %s is brought up to date; a copy is kept as %s", name, _copy(file))
            with writing.begin() as connection:
                if _age(connection, name) == "head":  # a process of another machine has done it: a server's index
                    return
                _upgrade(connection, name)
                count = _index(connection)
            log.info("the index %s is up to date; %s runs were indexed", name, count)


def copies(file: Path) -> list[Path]:
    """Return the copies that were made of an index before it was changed, the oldest first."""
    return sorted(file.parent.glob(f"{file.name}.before-*[0-9]"), key=lambda copy: copy.name.rsplit("-", 2)[1:])


def forget_in_copies(file: Path | None, owner: str, ids: Collection[str] = ()) -> None:
    """Delete an owner's rows from the copies of an index, and what is there of the runs `ids`, whosever it was then.

    A copy in which that fails is deleted: better none than one that keeps what was to be forgotten.
    """
    for copy in copies(file) if file is not None else ():
        try:
            with closing(sqlite3.connect(copy)) as connection:
                connection.execute("PRAGMA secure_delete = ON")
                with connection:
                    _forget(connection, owner, ids)
        except sqlite3.Error as error:
            log.warning("the copy %s was deleted: nothing could be forgotten in it (%s)", copy, error)
            with suppress(OSError):
                copy.unlink()


def _forget(connection: sqlite3.Connection, owner: str, ids: Collection[str]) -> None:
    listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    columns = {name: {row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')} for (name,) in listed}
    gone = {*ids, *(name for (name,) in connection.execute("SELECT id FROM runs WHERE owner = ?", (owner,)))}
    rows = [(name,) for name in sorted(gone)]
    if "library" in columns and fulltext.words.name in columns:
        connection.executemany(
            f"DELETE FROM {fulltext.words.name} WHERE rowid IN (SELECT number FROM library WHERE run_id = ?)", rows
        )
    for name, has in columns.items():
        for column in ("id",) if name == "runs" else ("run_id",) if "run_id" in has else ():
            connection.executemany(f'DELETE FROM "{name}" WHERE {column} = ?', rows)
        if "owner" in has:
            connection.execute(f'DELETE FROM "{name}" WHERE owner = ?', (owner,))


def _age(connection: sa.Connection, name: str) -> Age:
    """Tell how an index stands to this code. Raises `PlaygroundError` for a newer one."""
    there = set(sa.inspect(connection).get_table_names())
    number = connection.execute(sa.select(sa.func.max(_schema.c.version))).scalar() if _schema.name in there else None
    if number is not None and number > SCHEMA_VERSION:
        raise _newer(name, f"schema {number}; this one reads up to {SCHEMA_VERSION}", version=number)
    if _version.name in there:
        step = connection.execute(sa.select(_version.c.version_num)).scalar()
        return "head" if step == HEAD and fulltext.table(connection).name in there else "old"
    return "old" if there & set(metadata.tables) else "new"


def _index(connection: sa.Connection) -> int:
    """Index the runs that are not; all of them where the words lie in a table that there was not before."""
    lacking = not sa.inspect(connection).has_table(fulltext.table(connection).name)
    fulltext.create(connection)
    if lacking and connection.dialect.name == "postgresql":  # before it had vectors, it had a table as others do
        fulltext.words.drop(connection, checkfirst=True)
    return library.index_missing(connection, again=lacking)


def _newer(name: str, what: str, **details: Any) -> PlaygroundError:
    return PlaygroundError(
        f"The run index {name} was written by a newer version of the playground ({what}). Update the playground, or "
        "set PLAYGROUND_DATABASE_URL to another database.", **details,
    )  # fmt: skip


def _make(connection: sa.Connection) -> None:
    metadata.create_all(connection)
    fulltext.create(connection)
    _own.create_all(connection)
    connection.execute(_version.insert(), {"version_num": HEAD})
    connection.execute(_schema.insert(), {"version": SCHEMA_VERSION})


def _upgrade(connection: sa.Connection, name: str) -> None:
    """Run the steps that are missing, in the transaction that the connection is in."""
    # a tenth of a second, which an index that is up to date does not need
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    steps = ScriptDirectory.from_config(config)

    def missing(revision: Any, _context: Any) -> Any:
        return steps._upgrade_revs("head", revision)

    try:
        with EnvironmentContext(config, steps, fn=missing) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            with environment.begin_transaction():
                environment.run_migrations()
    except CommandError as error:  # a step that this code does not know
        raise _newer(name, str(error)) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process changes the index. The system lets the lock go when its holder ends."""
    with file_errors(path):
        handle = path.open("a")
    with handle:  # the file stays: who removed it would let two in
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _copy(file: Path) -> Path:
    """Copy a SQLite file as it is now, with what its log holds, and drop all but the last copies."""
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)) + f"{int(now * 1000) % 1000:03}"
    target = file.with_name(f"{file.name}.before-{HEAD}-{stamp}")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
        with file_errors(target):
            os.chmod(unfinished, file.stat().st_mode & 0o777)
            os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    for old in copies(file)[:-COPIES]:
        with suppress(OSError):
            old.unlink()
    return target
