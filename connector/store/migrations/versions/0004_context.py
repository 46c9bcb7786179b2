"""Context of indicators, and what all claims on an entry say together.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("object", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("object"),
    )
    op.create_index("nodes_by_key", "nodes", ["key"], unique=False)
    op.create_table(
        "edges",
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("link", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("object", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("source", "target", "link", "object"),
        sqlite_with_rowid=False,
    )
    op.create_index("edges_by_target", "edges", ["target"], unique=False)
    op.create_index("edges_by_object", "edges", ["object"], unique=False)
    op.create_table(
        "contexts",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("digest"),
    )
    op.add_column("objects", sa.Column("context", _NUMBER, server_default="0", nullable=False))
    op.add_column("objects", sa.Column("sighted", sa.BigInteger(), nullable=True))
    op.add_column("entries", sa.Column("confidence", sa.SmallInteger(), nullable=True))
    op.add_column("entries", sa.Column("until", sa.BigInteger(), nullable=True))
    tlp = sa.Column("tlp", sa.SmallInteger(), server_default="4", nullable=False)
    op.add_column("entries", tlp)
    op.add_column("entries", sa.Column("first_seen", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in ("first_seen", "tlp", "until", "confidence"):
        op.drop_column("entries", name)
    op.drop_column("objects", "sighted")
    op.drop_column("objects", "context")
    op.drop_table("contexts")
    op.drop_index("edges_by_object", table_name="edges")
    op.drop_index("edges_by_target", table_name="edges")
    op.drop_table("edges")
    op.drop_index("nodes_by_key", table_name="nodes")
    op.drop_table("nodes")
