"""Markings whole, as text."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("markings")
    op.create_table(
        "markings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("markings")
    op.create_table(
        "markings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tlp", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
