"""The tables of the run index, how they came to be, and whose the files are."""

from __future__ import annotations

import re
import time

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from models.errors import PlaygroundError

SCHEMA_VERSION = 1

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")

metadata = sa.MetaData()
schema = sa.Table("playground_schema", metadata, sa.Column("version", sa.Integer, nullable=False))
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("job", sa.String(64), nullable=False),
    sa.Column("model", sa.String(255), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),  # UTC seconds since the epoch
    sa.Column("record", _LONG, nullable=False),  # JSON: request, outputs without their bytes, stats, error
    sa.Column("record_bytes", sa.Integer, nullable=False),
    sa.Index("runs_by_owner", "owner", "created_at"),
    sa.Index("runs_by_job", "job", "created_at"),
)
used = sa.Table(  # what each run needs of the artefact files: its outputs and its uploads
    "run_artifacts",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Index("run_artifacts_by_sha256", "sha256"),
)
causes = sa.Table(  # what each finished run follows from: a hash by which it is found again
    "causes",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("cause", sa.String(64), nullable=False),
    sa.Index("causes_by_cause", "cause"),
)
measured = sa.Table(  # what was measured of finished runs, so that it is not computed again
    "measured",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),  # of the measure, with its version and its reference's run
    sa.Column("value", sa.Double, nullable=True),  # NULL: it has none
)
desks = sa.Table(  # what an owner's pages hold: the newest of each model
    "desks",
    metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("model", sa.String(255), primary_key=True),
    sa.Column("content", _LONG, nullable=False),  # JSON: a request, with all settings
    sa.Column("saved_at", sa.Double, nullable=False),
)
notes = sa.Table(  # what else an owner's pages keep, such as which results stand beside the next
    "notes",
    metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("content", _LONG, nullable=False),  # JSON
    sa.Column("saved_at", sa.Double, nullable=False),
)
votes = sa.Table(  # what an owner preferred in blind comparisons
    "votes",
    metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("sitting", sa.String(64), primary_key=True),  # one time that a comparison was gone through
    sa.Column("pair", sa.Integer, primary_key=True),
    sa.Column("content", _LONG, nullable=False),  # JSON: see `models.sweeps.votes`
    sa.Column("voted_at", sa.Double, nullable=False),  # UTC seconds since the epoch
)
files = sa.Table(  # whose the artefact files are: what they gave, and what their runs made
    "owned_files",
    metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("taken_at", sa.Double, nullable=False),  # UTC seconds since the epoch
    sa.Index("owned_files_by_sha256", "sha256"),
)
REFERENCES = re.compile(r"sha256:([0-9a-f]{64})")


def migrate(connection: sa.Connection, name: str) -> None:
    """Make what is missing. A later version changes older tables here, step by step, by the number that it finds."""
    schema.create(connection, checkfirst=True)
    version = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar()
    if version is None:
        connection.execute(schema.insert(), {"version": SCHEMA_VERSION})
    elif version > SCHEMA_VERSION:
        raise PlaygroundError(
            f"The run index {name} was written by a newer version of the playground (schema {version}; this one reads "
            f"up to {SCHEMA_VERSION}). Update the playground, or set PLAYGROUND_DATABASE_URL to another database.",
            version=version,
        )
    listed = sa.inspect(connection).has_table(files.name)
    metadata.create_all(connection)
    if not listed:  # of before there was a list: what runs and pages name is counted as its owner's
        rows = sa.select(runs.c.owner, used.c.sha256).join(used, used.c.run_id == runs.c.id)
        found = {(whose, name) for whose, name in connection.execute(rows)}
        for whose, content in connection.execute(sa.select(desks.c.owner, desks.c.content)):
            found |= {(whose, name) for name in REFERENCES.findall(content)}
        for whose in {whose for whose, _ in found}:
            own_files(connection, whose, {name for other, name in found if other == whose})


def files_of(connection: sa.Connection, owner: str) -> set[str]:
    """Return the hashes of an owner's files."""
    return set(connection.execute(sa.select(files.c.sha256).where(files.c.owner == owner)).scalars())


def own_files(connection: sa.Connection, owner: str, names: set[str], at: float | None = None) -> None:
    """Count artefact files as an owner's, since `at` (UTC seconds since the epoch), or now."""
    new = names - files_of(connection, owner)
    if new:
        now = time.time() if at is None else at
        connection.execute(files.insert(), [{"owner": owner, "sha256": name, "taken_at": now} for name in sorted(new)])
