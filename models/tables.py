"""The tables of the run index."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

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
desks = sa.Table(  # what an owner's pages hold: the newest of each model
    "desks",
    metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("model", sa.String(255), primary_key=True),
    sa.Column("content", _LONG, nullable=False),  # JSON: a request, with all settings
    sa.Column("saved_at", sa.Double, nullable=False),
)
files = sa.Table(  # whose uploads and by-products the artefact files are that no run names, or names no longer
    "owned_files",
    metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("taken_at", sa.Double, nullable=False),  # UTC seconds since the epoch
    sa.Index("owned_files_by_sha256", "sha256"),
)
