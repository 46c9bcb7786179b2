"""Gaps, inventories and pages of runs under way.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "gaps",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("after", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("noted", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "collection", "after"),
    )
    op.create_table(
        "inventories",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed"),
    )
    op.create_table(
        "absences",
        sa.Column("object", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("feed", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object"),
    )
    op.create_index("absences_by_feed", "absences", ["feed"], unique=False)
    op.create_table(
        "staged_pages",
        sa.Column("collection", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("ended", sa.SmallInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("collection", "number"),
    )


def downgrade() -> None:
    op.drop_table("staged_pages")
    op.drop_index("absences_by_feed", table_name="absences")
    op.drop_table("absences")
    op.drop_table("inventories")
    op.drop_table("gaps")
