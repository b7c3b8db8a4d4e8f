"""The words by which runs are found. All that depends on the kind of database is here.

SQLite has its index of words (FTS5); PostgreSQL a table of vectors, of which a generated column with a GIN index is
searched. Both take the same texts for words, so that the same is found. PostgreSQL's own parser (as of the
configuration `simple`, whose words these are but for accents) would leave pictographs out and take addresses and
numbers apart. Another database has a plain table, in which each word is looked for as a part of the texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql import visitors

PARTS = ("prompt", "said", "title", "note", "tags")
WORDS_MOST = 20  # of a query; what follows is left out
LETTERS_MOST = 200  # of a word in PostgreSQL, which takes 2,046 bytes
_PLACES_MOST, _PLACE_LAST = 255, 16_383  # of one word in a vector

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
words = sa.Table(
    "library_words",
    sa.MetaData(),
    sa.Column("rowid", sa.Integer, primary_key=True),  # the number of a run in the library
    *(sa.Column(name, _LONG, nullable=False) for name in PARTS),
)
vectors = sa.Table(
    "library_vectors",
    sa.MetaData(),
    sa.Column("rowid", sa.Integer, primary_key=True, autoincrement=False),
    *(sa.Column(name, postgresql.TSVECTOR, nullable=False) for name in PARTS),
    sa.Column("every", postgresql.TSVECTOR, sa.Computed(" || ".join(PARTS), persisted=True)),
    sa.Index("library_vectors_by_word", "every", postgresql_using="gin"),
)
# letters and digits of any script make words, and so does each row of pictographs; accents do not count
_CREATE = f"""CREATE VIRTUAL TABLE IF NOT EXISTS {words.name} USING fts5(
    {", ".join(PARTS)}, tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co So'")"""


def table(connection: sa.Connection) -> sa.Table:
    """Return the table of words of a database."""
    return vectors if connection.dialect.name == "postgresql" else words


def create(connection: sa.Connection) -> None:
    """Make the table of words."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text(_CREATE))
    else:
        table(connection).create(connection, checkfirst=True)


def put(connection: sa.Connection, number: int, parts: Mapping[str, str]) -> None:
    """Keep the words of a run, in place of earlier ones. A part that is not given has none."""
    to = table(connection)
    connection.execute(to.delete().where(to.c.rowid == number))
    row = {name: _value(to, parts.get(name, "")) for name in PARTS}
    connection.execute(to.insert().values({"rowid": number, **row}))


def change(connection: sa.Connection, number: int, **parts: str) -> None:
    """Replace some parts of the words of a run."""
    to = table(connection)
    changed = {name: _value(to, text) for name, text in parts.items()}
    connection.execute(to.update().where(to.c.rowid == number).values(changed))


def remove(connection: sa.Connection, numbers: Collection[int]) -> None:
    """Forget the words of runs."""
    of = table(connection)
    if numbers:
        connection.execute(
            of.delete().where(of.c.rowid == sa.bindparam("gone")), [{"gone": number} for number in numbers]
        )


def matching(connection: sa.Connection, text: str) -> sa.ColumnElement[bool] | None:
    """Return the condition on `table` that a run has every word of a text, in whatever part; None for no word.

    A word stands for all that begin with it. The text is data: no mark in it means anything, and nothing in it raises.
    """
    asked = [word for word in clean(text).split() if any(_tells(letter) for letter in word)][:WORDS_MOST]
    if not asked:
        return None
    if connection.dialect.name == "sqlite":
        query = " ".join('"' + word.replace('"', '""') + '"*' for word in asked)
        return sa.literal_column(words.name).op("MATCH", return_type=sa.Boolean())(query)
    if connection.dialect.name == "postgresql":
        # as in FTS5: what stands in one word is a phrase, the last of it a beginning
        phrases = (" <-> ".join(f"'{word}'" for word in _words_of(one)) for one in asked)
        wanted = sa.cast(sa.literal(" & ".join(f"({one}:*)" for one in phrases), sa.Text), postgresql.TSQUERY)
        return vectors.c.every.op("@@", return_type=sa.Boolean())(wanted)
    found = (sa.or_(*(words.c[name].icontains(word, autoescape=True) for name in PARTS)) for word in asked)
    return sa.and_(*found)


def first(connection: sa.Connection, fits: sa.ColumnElement[bool], most: int) -> list[int]:
    """Return the numbers of runs for which a condition of `matching` holds, at most so many: any of them."""
    of = table(connection)
    if connection.dialect.name == "postgresql":  # it would read the whole table for a word that it takes for frequent
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    found = list(connection.execute(sa.select(of.c.rowid).where(fits).limit(most)).scalars())
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
    return found


def among(connection: sa.Connection, fits: sa.ColumnElement[bool], numbers: Collection[int]) -> set[int]:
    """Return those of the runs for which a condition of `matching` holds."""
    if not numbers:
        return set()
    of = table(connection)
    if of is vectors:  # by their numbers alone: the index would be gone through for all that have the words
        fits = visitors.replacement_traverse(fits, {}, _beside_its_index)
    # FTS5 would begin anew for each of them; a range it goes through once
    here = of.c.rowid.between(min(numbers), max(numbers)) if of is words else of.c.rowid.in_(numbers)
    return set(connection.execute(sa.select(of.c.rowid).where(fits, here)).scalars()) & set(numbers)


def _beside_its_index(element: Any, **_: Any) -> Any:
    return vectors.c.every.op("||")(sa.cast("", postgresql.TSVECTOR)) if element is vectors.c.every else None


def _value(to: sa.Table, text: str) -> Any:
    return sa.cast(sa.literal(_vector(clean(text)), sa.Text), postgresql.TSVECTOR) if to is vectors else clean(text)


def _vector(text: str) -> str:
    """Return the words of a text with their places, as PostgreSQL reads a vector."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(_words_of(text), 2):  # from 2: no phrase goes from one part on into the next
        if len(at := places.setdefault(word, [])) < _PLACES_MOST and place <= _PLACE_LAST:
            at.append(place)
    # no quotation mark is a part of a word
    return " ".join(f"'{word}'" + (":" + ",".join(map(str, at)) if at else "") for word, at in places.items())


def _words_of(text: str) -> list[str]:
    parts = unicodedata.normalize("NFD", text.lower()).translate(_SIGNS).split()
    return [part[:LETTERS_MOST] for part in parts]


class _Signs(dict[int, int | str | None]):
    """Say of each sign whether it is a part of words, parts them (" ") or does not count (None), as FTS5 does."""

    def __missing__(self, code: int) -> int | str | None:
        accent = 0x300 <= code <= 0x36F or 0xFE00 <= code <= 0xFE0F  # the second: how a pictograph is drawn
        found: int | str | None = None if accent else code if _tells(chr(code), "LNM") else " "
        self[code] = found
        return found


_SIGNS = _Signs()


def _tells(letter: str, kinds: str = "LN") -> bool:
    kind = unicodedata.category(letter)
    return kind[0] in kinds or kind in ("Co", "So")


def clean(text: str) -> str:
    """Return a text that every database takes: without NUL, and without half a character."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
