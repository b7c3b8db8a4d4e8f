"""Numbers of runs that follow their age, whose they are among the words, and which sweep a job makes."""

from __future__ import annotations

import hashlib
import math

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "order"
down_revision = "shares"
branch_labels = depends_on = None

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_PARTS = "prompt, said, title, note, tags"
_LAST_S = 1 << 45
_SECOND = 1 << 16  # numbers in a second
_MANY = 500  # rows at a time
_numbers = sa.table("library", *(sa.column(name) for name in ("number", "owner", "job", "created_at", "run_id")))


def upgrade() -> None:
    """Number the runs anew, give each one's words the owner's and the job's, and make what is missing."""
    connection = op.get_bind()
    kind = connection.dialect.name
    if kind != "sqlite":
        op.alter_column("library", "number", type_=sa.BigInteger, existing_type=sa.Integer, existing_nullable=False,
                        server_default=None)  # fmt: skip
    if kind == "postgresql":
        op.execute(sa.text("DROP SEQUENCE IF EXISTS library_number_seq"))
    there = set(sa.inspect(connection).get_table_names())
    words = {"sqlite": "library_words", "postgresql": "library_vectors"}.get(kind, "")
    if words in there:
        (_words_of_sqlite if kind == "sqlite" else _words_of_postgresql)(connection)
    else:  # they are indexed again after the last step
        _number(connection)
        if "library_words" in there and kind != "postgresql":
            op.drop_table("library_words")
    op.create_index(
        "library_deleted",
        "library",
        ["owner", "deleted_at"],
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_table(
        "sweeps",
        sa.Column("owner", sa.String(128), primary_key=True),
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("content", _LONG, nullable=False),
    )
    op.create_index("sweeps_by_name", "sweeps", ["owner", "name"])


def _number(connection: sa.Connection) -> list[tuple[int, int, str]]:
    """Number the runs by the seconds in which they began; return the numbers of before and now, and the keys."""
    query = sa.select(_numbers).order_by(_numbers.c.created_at, _numbers.c.run_id)
    found: list[tuple[int, int, str]] = []
    last = -1
    for number, owner, job, at, _ in connection.execute(query).all():
        last = max(last + 1, int(min(max(at, 0.0), _LAST_S)) * _SECOND if math.isfinite(at) else last + 1)
        found.append((number, last, f"{_key('o', owner)} {_key('j', job)}"))
    changed = _numbers.update().where(_numbers.c.number == sa.bindparam("old")).values(number=sa.bindparam("new"))
    for sign in (-1, 1):  # by way of numbers that none has
        rows = [{"old": old, "new": -1 - new} if sign < 0 else {"old": -1 - new, "new": new} for old, new, _ in found]
        for at in range(0, len(rows), _MANY):
            connection.execute(changed, rows[at : at + _MANY])
    return found


def _words_of_sqlite(connection: sa.Connection) -> None:
    """Make the index of words anew, from the texts that the one of before holds."""
    found = _number(connection)
    op.execute(sa.text("ALTER TABLE library_words RENAME TO library_words_before"))
    op.execute(sa.text(
        f"CREATE VIRTUAL TABLE library_words USING fts5({_PARTS}, keys, prefix = '1 2 3', "
        "tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co So'\")"
    ))  # fmt: skip
    op.execute(sa.text("CREATE VIRTUAL TABLE library_words_terms USING fts5vocab(library_words, instance)"))
    parts = ", ".join(f"replace({name}, char(57344), ' ')" for name in _PARTS.split(", "))
    copy = sa.text(
        f"INSERT INTO library_words (rowid, {_PARTS}, keys) SELECT :new, {parts}, :keys FROM library_words_before "
        "WHERE rowid = :old"
    )
    for at in range(0, len(found), _MANY):
        connection.execute(copy, [{"old": old, "new": new, "keys": keys} for old, new, keys in found[at : at + _MANY]])
    op.execute(sa.text("DROP TABLE library_words_before"))


def _words_of_postgresql(connection: sa.Connection) -> None:
    for statement in (
        "ALTER TABLE library_vectors ALTER COLUMN rowid TYPE BIGINT, ADD COLUMN keys tsvector, DROP COLUMN every",
        "UPDATE library_vectors SET rowid = -1 - rowid",
    ):
        op.execute(sa.text(statement))
    found = _number(connection)
    change = sa.text("UPDATE library_vectors SET rowid = :new, keys = CAST(:keys AS tsvector) WHERE rowid = :old")
    for at in range(0, len(found), _MANY):
        connection.execute(change, [
            {"old": -1 - old, "new": new, "keys": " ".join(f"'{key}'" for key in keys.split())}
            for old, new, keys in found[at : at + _MANY]
        ])  # fmt: skip
    every = " || ".join((*_PARTS.split(", "), "keys"))
    for statement in (
        "DELETE FROM library_vectors WHERE keys IS NULL",
        "ALTER TABLE library_vectors ALTER COLUMN keys SET NOT NULL, "
        f"ADD COLUMN every tsvector GENERATED ALWAYS AS ({every}) STORED",
        "CREATE INDEX library_vectors_by_word ON library_vectors USING gin (every)",
    ):
        op.execute(sa.text(statement))


def _key(kind: str, name: str) -> str:
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"\ue000{kind}{digest}" if name else ""
