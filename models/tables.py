"""The tables of the run index as they are now, and whose the files are. What changes here needs a migration."""

from __future__ import annotations

import re
import time

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite's own number of a row has 64 bits
_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_DELETED = sa.text("deleted_at IS NOT NULL")

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
library = sa.Table(  # what each run is found by, and what its owner said of it; studies are not in it
    "library",
    metadata,
    sa.Column("number", NUMBER, primary_key=True, autoincrement=False),  # by age, and the row of its words
    sa.Column("run_id", sa.String(64), nullable=False, unique=True),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("job", sa.String(64), nullable=False),  # of what is one row: its job, or the sweep that it is of
    sa.Column("model", sa.String(255), nullable=False),
    sa.Column("task", sa.String(64), nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),  # UTC seconds since the epoch, as of the run
    sa.Column("starred", sa.Boolean, nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("note", _LONG, nullable=False),
    sa.Column("deleted_at", sa.Double, nullable=True),  # UTC seconds since the epoch; NULL: it is there
    sa.Index("library_by_owner", "owner", "created_at", "run_id"),
    sa.Index("library_by_model", "owner", "model", "created_at", "run_id"),
    sa.Index("library_by_task", "owner", "task", "created_at", "run_id"),
    sa.Index("library_by_star", "owner", "starred", "created_at", "run_id"),
    sa.Index("library_by_job", "job", "owner", "created_at", "run_id"),
    sa.Index("library_deleted", "owner", "deleted_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
)
sweeps = sa.Table(  # which sweep a job makes: one that was stopped and gone on with has several
    "sweeps",
    metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),  # the same for all jobs of a sweep: see `models.library`
    sa.Column("content", _LONG, nullable=False),  # its file: see `models.sweeps.spec`
    sa.Index("sweeps_by_name", "owner", "name"),
)
tags = sa.Table(
    "tags",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("tag", sa.String(40), primary_key=True),
    sa.Index("tags_by_tag", "tag", "run_id"),
)
shares = sa.Table(  # what owners share by a link
    "shares",
    metadata,
    sa.Column("token", sa.String(64), primary_key=True),  # what the link carries: nobody guesses it
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("content", _LONG, nullable=False),  # JSON: see `models.sharing`
    sa.Column("created_at", sa.Double, nullable=False),  # UTC seconds since the epoch, as those below
    sa.Column("expires_at", sa.Double, nullable=True),  # NULL: never
    sa.Column("revoked_at", sa.Double, nullable=True),  # NULL: it is open
    sa.Index("shares_by_owner", "owner", "created_at"),
)
REFERENCES = re.compile(r"sha256:([0-9a-f]{64})")


def files_of(connection: sa.Connection, owner: str) -> set[str]:
    """Return the hashes of an owner's files."""
    return set(connection.execute(sa.select(files.c.sha256).where(files.c.owner == owner)).scalars())


def own_files(connection: sa.Connection, owner: str, names: set[str], at: float | None = None) -> None:
    """Count artefact files as an owner's, since `at` (UTC seconds since the epoch), or now."""
    new = names - files_of(connection, owner)
    if new:
        now = time.time() if at is None else at
        connection.execute(files.insert(), [{"owner": owner, "sha256": name, "taken_at": now} for name in sorted(new)])
