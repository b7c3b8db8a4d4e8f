"""The words by which runs are found. All that depends on the kind of database is here.

SQLite has its index of words (FTS5); PostgreSQL a table of vectors, of which a generated column with a GIN index is
searched. Both take the same texts for words, so that the same is found. PostgreSQL's own parser (as of the
configuration `simple`, whose words these are but for accents) would leave pictographs out and take addresses and
numbers apart. Another database has a plain table, in which each word is looked for as a part of the texts.

Beside the words of a run stand two that no text has (`KEY`): whose it is and which job's. So the index itself leads to
an owner's runs, however many others have. In FTS5 a run's row has its number in the library, which follows its age:
the newest that fit come first, and nothing is read beyond those that are wanted. That takes whole words: it gathers
all runs of the words with a beginning before it gives one, but for beginnings of up to three letters, which it has an
index of. Longer ones are spelled out here (`_spelled`), as far as few words of the index begin so.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql import visitors

from models.tables import NUMBER

PARTS = ("prompt", "said", "title", "note", "tags")
WORDS_MOST = 20  # of a query; what follows is left out
LETTERS_MOST = 200  # of a word in PostgreSQL, which takes 2,046 bytes
KEY = "\ue000"  # begins the words that say whose a run is, and is taken out of all texts
PREFIXES = 3  # letters: of beginnings that FTS5 has an index of
SPELLED_MOST = 24  # words with a beginning that are asked for one by one
_PLACES_MOST, _PLACE_LAST = 255, 16_383  # of one word in a vector

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
words = sa.Table(
    "library_words",
    sa.MetaData(),
    sa.Column("rowid", NUMBER, primary_key=True, autoincrement=False),  # the number of a run in the library
    *(sa.Column(name, _LONG, nullable=False) for name in (*PARTS, "keys")),
)
vectors = sa.Table(
    "library_vectors",
    sa.MetaData(),
    sa.Column("rowid", NUMBER, primary_key=True, autoincrement=False),
    *(sa.Column(name, postgresql.TSVECTOR, nullable=False) for name in (*PARTS, "keys")),
    sa.Column("every", postgresql.TSVECTOR, sa.Computed(" || ".join((*PARTS, "keys")), persisted=True)),
    sa.Index("library_vectors_by_word", "every", postgresql_using="gin"),
)
# letters and digits of any script make words, and so does each row of pictographs; accents do not count
_CREATE = f"""CREATE VIRTUAL TABLE IF NOT EXISTS {words.name} USING fts5(
    {", ".join((*PARTS, "keys"))}, prefix = '{" ".join(str(one + 1) for one in range(PREFIXES))}',
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co So'")"""
_TERMS = f"{words.name}_terms"  # the words that there are, in order
_CREATE_TERMS = f"CREATE VIRTUAL TABLE IF NOT EXISTS {_TERMS} USING fts5vocab({words.name}, instance)"

# each from the one before: to list them, FTS5 would go through all runs of each. \x01 comes before what begins with it
_NEXT_TERMS = sa.text(f"""WITH RECURSIVE known(term) AS (
    SELECT (SELECT term FROM {_TERMS} WHERE term >= :begins LIMIT 1)
    UNION ALL SELECT (SELECT term FROM {_TERMS} WHERE term >= known.term || char(1) LIMIT 1) FROM known
    WHERE substr(known.term, 1, length(:begins)) = :begins LIMIT :most) SELECT term FROM known""")


def table(connection: sa.Connection) -> sa.Table:
    """Return the table of words of a database."""
    return vectors if connection.dialect.name == "postgresql" else words


def create(connection: sa.Connection) -> None:
    """Make the table of words."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text(_CREATE))
        connection.execute(sa.text(_CREATE_TERMS))
    else:
        table(connection).create(connection, checkfirst=True)


def put(connection: sa.Connection, number: int, parts: Mapping[str, str], owner: str, job: str) -> None:
    """Keep the words of a run, in place of earlier ones. A part that is not given has none."""
    to = table(connection)
    connection.execute(to.delete().where(to.c.rowid == number))
    row = {name: _value(to, parts.get(name, "")) for name in PARTS} | {"keys": _keys(to, owner, job)}
    connection.execute(to.insert().values({"rowid": number, **row}))


def change(connection: sa.Connection, number: int, **parts: str) -> None:
    """Replace some parts of the words of a run."""
    to = table(connection)
    changed = {name: _value(to, text) for name, text in parts.items()}
    connection.execute(to.update().where(to.c.rowid == number).values(changed))


def move(connection: sa.Connection, number: int, owner: str, job: str) -> None:
    """Give the words of a run to another owner or job."""
    to = table(connection)
    connection.execute(to.update().where(to.c.rowid == number).values(keys=_keys(to, owner, job)))


def remove(connection: sa.Connection, numbers: Collection[int]) -> None:
    """Forget the words of runs."""
    of = table(connection)
    if numbers:
        connection.execute(
            of.delete().where(of.c.rowid == sa.bindparam("gone")), [{"gone": number} for number in numbers]
        )


@dataclass(frozen=True)
class Asked:
    """Hold the words of a query as a kind of database takes them."""

    kind: str
    said: str

    def fits(self, owner: str = "", job: str = "") -> sa.ColumnElement[bool]:
        """Return the condition on `table` that a run has every word, and is of an owner and of a job."""
        keys = [key for key in (_key("o", owner), _key("j", job)) if key]
        if self.kind == "sqlite":
            query = " AND ".join((*(f'keys : "{key}"' for key in keys), self.said))
            return sa.literal_column(words.name).op("MATCH", return_type=sa.Boolean())(query)
        if self.kind == "postgresql":
            query = " & ".join((*(f"'{key}'" for key in keys), self.said))
            wanted = sa.cast(sa.literal(query, sa.Text), postgresql.TSQUERY)
            return vectors.c.every.op("@@", return_type=sa.Boolean())(wanted)
        found = [sa.or_(*(words.c[name].icontains(word, autoescape=True) for name in PARTS))
                 for word in self.said.split()]  # fmt: skip
        return sa.and_(*found, *(words.c["keys"].contains(key, autoescape=True) for key in keys))


def asked(connection: sa.Connection, text: str) -> Asked | None:
    """Return the words of a text; None for no word, and where it is plain that no run has one of them.

    A word stands for all that begin with it. The text is data: no mark in it means anything, and nothing in it raises.
    """
    kind = connection.dialect.name
    wanted = [word for word in clean(text).split() if any(_tells(letter) for letter in word)][:WORDS_MOST]
    if not wanted:
        return None
    if kind == "sqlite":
        spelled = [_spelled(connection, word) for word in wanted]
        return Asked(kind, " AND ".join(spelled)) if all(spelled) else None
    if kind == "postgresql":
        # as in FTS5: what stands in one word is a phrase, the last of it a beginning
        phrases = (" <-> ".join(f"'{word}'" for word in _words_of(one)) for one in wanted)
        return Asked(kind, " & ".join(f"({one}:*)" for one in phrases))
    return Asked(kind, " ".join(wanted))


def matching(connection: sa.Connection, text: str, owner: str = "") -> sa.ColumnElement[bool] | None:
    """Return the condition on `table` that a run, of an owner or of anybody, has every word of a text; see `asked`."""
    found = asked(connection, text)
    return found.fits(owner) if found is not None else None


def _spelled(connection: sa.Connection, word: str) -> str:
    """Return a word, which may be a phrase for FTS5, as a query of it: whole words in place of their beginning.

    "" where no word begins so.

    Only of words without accents and in the letters of ASCII is it known here how FTS5 spells them.
    """
    begins = '"' + word.replace('"', '""') + '"*'
    parts = "".join(letter if letter.isalnum() else " " for letter in word.lower()).split()
    if not word.isascii() or len(parts[-1]) <= PREFIXES:
        return begins
    known = connection.execute(_NEXT_TERMS, {"begins": parts[-1], "most": SPELLED_MOST + 1}).scalars()
    found = [str(term) for term in known if term is not None and term.startswith(parts[-1])]
    if len(found) > SPELLED_MOST:
        return begins
    phrases = [f'"{" ".join([*parts[:-1], one])}"' for one in found]
    return f"({' OR '.join(phrases)})" if phrases else ""


def walks(connection: sa.Connection) -> bool:
    """Say whether a database finds the runs that have some words in the order of their numbers, the greatest first."""
    return connection.dialect.name == "sqlite"


def walk(
    connection: sa.Connection, fits: sa.ColumnElement[bool], down_from: int, most: int, down_to: int = 0
) -> list[int]:
    """Return the numbers of the runs for which a condition of `Asked` holds, the greatest first, at most so many."""
    of = table(connection)
    query = sa.select(of.c.rowid).where(fits, of.c.rowid <= down_from, of.c.rowid >= down_to)
    return list(connection.execute(query.order_by(of.c.rowid.desc()).limit(most)).scalars())


def first(connection: sa.Connection, fits: sa.ColumnElement[bool], most: int) -> list[int]:
    """Return the numbers of runs for which a condition of `Asked` holds, at most so many: any of them."""
    of = table(connection)
    if connection.dialect.name == "postgresql":  # it would read the whole table for a word that it takes for frequent
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    found = list(connection.execute(sa.select(of.c.rowid).where(fits).limit(most)).scalars())
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
    return found


def among(connection: sa.Connection, fits: sa.ColumnElement[bool], numbers: Collection[int]) -> set[int]:
    """Return those of the runs for which a condition of `Asked` holds."""
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


def _key(kind: str, name: str) -> str:
    """Return the word of an owner or of a job, as no text has it and FTS5 takes it for one; "" for none."""
    return f"{KEY}{kind}{hashlib.blake2b(name.encode('utf-8', 'replace'), digest_size=8).hexdigest()}" if name else ""


def _keys(to: sa.Table, owner: str, job: str) -> Any:
    both = [_key("o", owner), _key("j", job)]
    if to is vectors:
        return sa.cast(sa.literal(" ".join(f"'{key}'" for key in both), sa.Text), postgresql.TSVECTOR)
    return " ".join(both)


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
    """Return a text that every database takes: without NUL, without half a character, and without `KEY`."""
    return text.replace("\0", " ").replace(KEY, " ").encode("utf-8", "replace").decode()
