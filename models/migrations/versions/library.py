"""What each run is found by, and what people add to it: a star, a name, a note, tags, that it was deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "library"
down_revision = "first"
branch_labels = depends_on = None

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Make the tables, and have versions of before refuse this index. What is there is indexed after the last step."""
    op.create_table(
        "library",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.String(64), nullable=False, unique=True),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("starred", sa.Boolean, nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("note", _LONG, nullable=False),
        sa.Column("deleted_at", sa.Double, nullable=True),
    )
    op.create_index("library_by_owner", "library", ["owner", "created_at", "run_id"])
    op.create_index("library_by_model", "library", ["owner", "model", "created_at", "run_id"])
    op.create_index("library_by_task", "library", ["owner", "task", "created_at", "run_id"])
    op.create_index("library_by_star", "library", ["owner", "starred", "created_at", "run_id"])
    op.create_index("library_by_job", "library", ["job", "owner", "created_at", "run_id"])
    op.create_table(
        "tags",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("tag", sa.String(40), primary_key=True),
    )
    op.create_index("tags_by_tag", "tags", ["tag", "run_id"])
    # the number that versions without migrations look at: they would write runs that nobody finds
    op.execute(sa.text("UPDATE playground_schema SET version = 2"))
