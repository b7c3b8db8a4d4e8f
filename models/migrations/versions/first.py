"""The index of before there were migrations. Of one that lacks some of these tables, what is missing is made."""

from __future__ import annotations

import re
import time

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "first"
down_revision = None
branch_labels = depends_on = None

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_REFERENCES = re.compile(r"sha256:([0-9a-f]{64})")

_metadata = sa.MetaData()
_schema = sa.Table("playground_schema", _metadata, sa.Column("version", sa.Integer, nullable=False))
_runs = sa.Table(
    "runs",
    _metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("job", sa.String(64), nullable=False),
    sa.Column("model", sa.String(255), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("record", _LONG, nullable=False),
    sa.Column("record_bytes", sa.Integer, nullable=False),
    sa.Index("runs_by_owner", "owner", "created_at"),
    sa.Index("runs_by_job", "job", "created_at"),
)
_used = sa.Table(
    "run_artifacts",
    _metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Index("run_artifacts_by_sha256", "sha256"),
)
_causes = sa.Table(
    "causes",
    _metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("cause", sa.String(64), nullable=False),
    sa.Index("causes_by_cause", "cause"),
)
_measured = sa.Table(
    "measured",
    _metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("value", sa.Double, nullable=True),
)
_desks = sa.Table(
    "desks",
    _metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("model", sa.String(255), primary_key=True),
    sa.Column("content", _LONG, nullable=False),
    sa.Column("saved_at", sa.Double, nullable=False),
)
_notes = sa.Table(
    "notes",
    _metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("content", _LONG, nullable=False),
    sa.Column("saved_at", sa.Double, nullable=False),
)
_votes = sa.Table(
    "votes",
    _metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("sitting", sa.String(64), primary_key=True),
    sa.Column("pair", sa.Integer, primary_key=True),
    sa.Column("content", _LONG, nullable=False),
    sa.Column("voted_at", sa.Double, nullable=False),
)
_files = sa.Table(
    "owned_files",
    _metadata,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("taken_at", sa.Double, nullable=False),
    sa.Index("owned_files_by_sha256", "sha256"),
)


def upgrade() -> None:
    """Make what is missing; where there was no list of files yet, count what runs and pages name as their owner's."""
    connection = op.get_bind()
    listed = sa.inspect(connection).has_table(_files.name)
    _metadata.create_all(connection)
    if connection.execute(sa.select(sa.func.max(_schema.c.version))).scalar() is None:
        connection.execute(_schema.insert(), {"version": 1})
    if listed:
        return
    rows = sa.select(_runs.c.owner, _used.c.sha256).join(_used, _used.c.run_id == _runs.c.id)
    found = {(owner, name) for owner, name in connection.execute(rows)}
    for owner, content in connection.execute(sa.select(_desks.c.owner, _desks.c.content)):
        found |= {(owner, name) for name in _REFERENCES.findall(content)}
    if found:
        now = time.time()
        connection.execute(
            _files.insert(), [{"owner": owner, "sha256": name, "taken_at": now} for owner, name in sorted(found)]
        )
