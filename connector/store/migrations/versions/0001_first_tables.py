"""First tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "absences",
        sa.Column(
            "object",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("feed", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object"),
    )
    with op.batch_alter_table("absences", schema=None) as batch_op:
        batch_op.create_index("absences_by_feed", ["feed"], unique=False)

    op.create_table(
        "audit",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("audit_by_time", ["at"], unique=False)

    op.create_table(
        "buckets",
        sa.Column("list", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "block",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list", "block"),
    )
    op.create_table(
        "claims",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("object", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "observable", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.create_index("claims_by_object", ["object"], unique=False)
        batch_op.create_index("claims_by_observable", ["observable"], unique=False)

    op.create_table(
        "collections",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("feed", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("run", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("collections", schema=None) as batch_op:
        batch_op.create_index("collections_by_key", ["feed", "key"], unique=True)

    op.create_table(
        "contexts",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "departures",
        sa.Column(
            "claim",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("touched", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("claim"),
    )
    with op.batch_alter_table("departures", schema=None) as batch_op:
        batch_op.create_index("departures_by_touch", ["touched"], unique=False)

    op.create_table(
        "dictionaries",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("feed", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "disputes",
        sa.Column(
            "object",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object"),
    )
    op.create_table(
        "edges",
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("link", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "object",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("source", "target", "link", "object"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("edges", schema=None) as batch_op:
        batch_op.create_index("edges_by_object", ["object"], unique=False)
        batch_op.create_index("edges_by_target", ["target"], unique=False)

    op.create_table(
        "entries",
        sa.Column("list", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "observable",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("wanted", sa.SmallInteger(), nullable=False),
        sa.Column("claim", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("recheck", sa.BigInteger(), nullable=True),
        sa.Column("confidence", sa.SmallInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("tlp", sa.SmallInteger(), server_default="4", nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.SmallInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("list", "observable"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.create_index(
            "entries_by_recheck",
            ["list", "recheck"],
            unique=False,
            sqlite_where=sa.text("recheck IS NOT NULL"),
            postgresql_where=sa.text("recheck IS NOT NULL"),
        )
        batch_op.create_index("entries_by_seq", ["list", "seq"], unique=False)

    op.create_table(
        "exceptions",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=True),
        sa.Column("removed_by", sa.Text(), nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "feeds",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_attempt", sa.BigInteger(), nullable=True),
        sa.Column("last_success", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("paused", sa.Text(), nullable=True),
        sa.Column("objects", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reread", sa.SmallInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
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
        "habits",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("came", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("gone", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("strangers", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("claims", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("odd", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("twins", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("feed"),
    )
    op.create_table(
        "feed_names",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("span", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "name"),
    )
    op.create_table(
        "alarms",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "name"),
    )
    op.create_table(
        "inventories",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed"),
    )
    op.create_table(
        "ledger",
        sa.Column("output", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "observable",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("output", "observable"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lists",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("touched", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column(
            "claim",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("wanted", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "markings",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "collection",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "id", "collection"),
    )
    with op.batch_alter_table("markings", schema=None) as batch_op:
        batch_op.create_index("markings_by_collection", ["collection"], unique=False)

    op.create_table(
        "members",
        sa.Column(
            "collection",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "object",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("collection", "object"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index("members_by_object", ["object"], unique=False)

    op.create_table(
        "nodes",
        sa.Column(
            "object",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("object"),
    )
    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.create_index("nodes_by_key", ["key"], unique=False)

    op.create_table(
        "objects",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("feed", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("confidence", sa.SmallInteger(), nullable=True),
        sa.Column(
            "attributes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column(
            "context",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.Column("sighted", sa.BigInteger(), nullable=True),
        sa.Column("dictionary", sa.SmallInteger(), nullable=True),
        sa.Column("packed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("objects", schema=None) as batch_op:
        batch_op.create_index("objects_by_key", ["key", "feed"], unique=True)

    op.create_table(
        "observables",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("touched", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("observables", schema=None) as batch_op:
        batch_op.create_index("observables_by_touch", ["touched"], unique=False)

    op.create_table(
        "outputs",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("list", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("setup", sa.LargeBinary(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("last_attempt", sa.BigInteger(), nullable=True),
        sa.Column("last_success", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("paused", sa.Text(), nullable=True),
        sa.Column("held_plan", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("output", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("adds", sa.BigInteger(), nullable=False),
        sa.Column("updates", sa.BigInteger(), nullable=False),
        sa.Column("removes", sa.BigInteger(), nullable=False),
        sa.Column("broken", sa.Text(), nullable=False),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", "output"),
    )
    op.create_table(
        "protectors",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "disposals",
        sa.Column("feed", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("marking", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("spill", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=True),
        sa.Column("lost", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("waiting", sa.BigInteger(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "marking"),
    )
    with op.batch_alter_table("disposals", schema=None) as batch_op:
        batch_op.create_index("disposals_by_turn", ["turn"], unique=False)

    op.create_table(
        "disposed_values",
        sa.Column(
            "observable",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("observable"),
    )
    op.create_table(
        "staged_pages",
        sa.Column(
            "collection",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("ended", sa.SmallInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("collection", "number"),
    )
    op.create_table(
        "tallies",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "owner", "bucket"),
    )
    op.create_table(
        "touches",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "attributes",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("digest"),
    )


def downgrade() -> None:
    op.drop_table("alarms")
    op.drop_table("feed_names")
    op.drop_table("habits")
    op.drop_table("attributes")
    op.drop_table("touches")
    op.drop_table("tallies")
    op.drop_table("staged_pages")
    op.drop_table("disposed_values")
    with op.batch_alter_table("disposals", schema=None) as batch_op:
        batch_op.drop_index("disposals_by_turn")

    op.drop_table("disposals")
    op.drop_table("protectors")
    op.drop_table("plans")
    op.drop_table("outputs")
    with op.batch_alter_table("observables", schema=None) as batch_op:
        batch_op.drop_index("observables_by_touch")

    op.drop_table("observables")
    with op.batch_alter_table("objects", schema=None) as batch_op:
        batch_op.drop_index("objects_by_key")

    op.drop_table("objects")
    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.drop_index("nodes_by_key")

    op.drop_table("nodes")
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.drop_index("members_by_object")

    op.drop_table("members")
    with op.batch_alter_table("markings", schema=None) as batch_op:
        batch_op.drop_index("markings_by_collection")

    op.drop_table("markings")
    op.drop_table("lists")
    op.drop_table("ledger")
    op.drop_table("inventories")
    op.drop_table("gaps")
    op.drop_table("feeds")
    op.drop_table("exceptions")
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.drop_index("entries_by_seq")
        batch_op.drop_index(
            "entries_by_recheck",
            sqlite_where=sa.text("recheck IS NOT NULL"),
            postgresql_where=sa.text("recheck IS NOT NULL"),
        )

    op.drop_table("entries")
    with op.batch_alter_table("edges", schema=None) as batch_op:
        batch_op.drop_index("edges_by_target")
        batch_op.drop_index("edges_by_object")

    op.drop_table("edges")
    op.drop_table("disputes")
    op.drop_table("dictionaries")
    with op.batch_alter_table("departures", schema=None) as batch_op:
        batch_op.drop_index("departures_by_touch")

    op.drop_table("departures")
    op.drop_table("contexts")
    with op.batch_alter_table("collections", schema=None) as batch_op:
        batch_op.drop_index("collections_by_key")

    op.drop_table("collections")
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.drop_index("claims_by_observable")
        batch_op.drop_index("claims_by_object")

    op.drop_table("claims")
    op.drop_table("buckets")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("audit_by_time")

    op.drop_table("audit")
    with op.batch_alter_table("absences", schema=None) as batch_op:
        batch_op.drop_index("absences_by_feed")

    op.drop_table("absences")
