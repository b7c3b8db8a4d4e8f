"""The words by which runs are found. All that depends on the kind of database is here.

SQLite has an index of words (FTS5); another database a plain table, in which each word is looked for as a part of the
texts, until it gets an index of its own kind.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

PARTS = ("prompt", "said", "title", "note", "tags")
WORDS_MOST = 20  # of a query; what follows is left out

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
words = sa.Table(
    "library_words",
    sa.MetaData(),
    sa.Column("rowid", sa.Integer, primary_key=True),  # the number of a run in the library
    *(sa.Column(name, _LONG, nullable=False) for name in PARTS),
)
# letters and digits of any script make words, and so does each row of pictographs; accents do not count
_CREATE = f"""CREATE VIRTUAL TABLE IF NOT EXISTS {words.name} USING fts5(
    {", ".join(PARTS)}, tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co So'")"""


def create(connection: sa.Connection) -> None:
    """Make the table of words."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text(_CREATE))
    else:
        words.create(connection, checkfirst=True)


def put(connection: sa.Connection, number: int, parts: Mapping[str, str]) -> None:
    """Keep the words of a run, in place of earlier ones. A part that is not given has none."""
    connection.execute(words.delete().where(words.c.rowid == number))
    row: dict[str, Any] = {name: clean(parts.get(name, "")) for name in PARTS}
    connection.execute(words.insert(), {"rowid": number, **row})


def change(connection: sa.Connection, number: int, **parts: str) -> None:
    """Replace some parts of the words of a run."""
    connection.execute(
        words.update().where(words.c.rowid == number).values({name: clean(text) for name, text in parts.items()})
    )


def remove(connection: sa.Connection, numbers: Collection[int]) -> None:
    """Forget the words of runs."""
    if numbers:
        connection.execute(
            words.delete().where(words.c.rowid == sa.bindparam("gone")), [{"gone": number} for number in numbers]
        )


def matching(connection: sa.Connection, text: str) -> sa.Select[Any] | None:
    """Return the query for the numbers of runs that have every word of a text, in whatever part; None for no word.

    A word stands for all that begin with it. The text is data: no mark in it means anything, and nothing in it raises.
    """
    asked = [word for word in clean(text).split() if any(_tells(letter) for letter in word)][:WORDS_MOST]
    if not asked:
        return None
    if connection.dialect.name == "sqlite":
        query = " ".join('"' + word.replace('"', '""') + '"*' for word in asked)
        return sa.select(words.c.rowid).where(sa.literal_column(words.name).op("MATCH")(query))
    found = [sa.or_(*(words.c[name].icontains(word, autoescape=True) for name in PARTS)) for word in asked]
    return sa.select(words.c.rowid).where(*found)


def _tells(letter: str) -> bool:
    kind = unicodedata.category(letter)
    return kind[0] in "LN" or kind in ("Co", "So")


def clean(text: str) -> str:
    """Return a text that every database takes: without NUL, and without half a character."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
