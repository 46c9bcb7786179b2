"""Tables. Keys are short and binary; instants are whole microseconds since 1970 (UTC)."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
)

from connector.store.watch_tables import Number, metadata

__all__ = ["metadata"]

feeds: Final = Table(
    "feeds",
    metadata,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("last_attempt", BigInteger),
    Column("last_success", BigInteger),
    Column("error", Text),
    Column("paused", Text),
    Column("objects", BigInteger, nullable=False, server_default="0"),
    Column("reread", SmallInteger, nullable=False, server_default="0"),
)

collections: Final = Table(
    "collections",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("feed", SmallInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("cursor", Text),
    Column("run", BigInteger, nullable=False, server_default="0"),
    Index("collections_by_key", "feed", "key", unique=True),
)

# Which objects a whole collection (a bundle) showed in its latest run.
members: Final = Table(
    "members",
    metadata,
    Column("collection", Number, primary_key=True, autoincrement=False),
    Column("object", Number, primary_key=True, autoincrement=False),
    Column("run", BigInteger, nullable=False),
    Index("members_by_object", "object"),
    sqlite_with_rowid=False,
)

# What many objects share word for word: creator, labels, types, markings, as one JSON text.
attributes: Final = Table(
    "attributes",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("body", Text, nullable=False),
)

# With the bytes as received, packed; none of what was disposed of.
objects: Final = Table(
    "objects",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("feed", SmallInteger, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("valid_from", BigInteger),
    Column("valid_until", BigInteger),
    Column("confidence", SmallInteger),
    Column("attributes", Number, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("context", Number, nullable=False, server_default="0"),
    Column("sighted", BigInteger),
    Column("dictionary", SmallInteger),
    Column("packed", LargeBinary),
    Index("objects_by_key", "key", "feed", unique=True),
)

# Revocations by others than the creator, as far as is known: the latest of each object.
disputes: Final = Table(
    "disputes",
    metadata,
    Column("object", Number, primary_key=True, autoincrement=False),
    Column("modified", BigInteger, nullable=False),
)

# What context objects say of indicators: the objects, the ways between them, and what comes out.
nodes: Final = Table(
    "nodes",
    metadata,
    Column("object", Number, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    Index("nodes_by_key", "key"),
)
edges: Final = Table(
    "edges",
    metadata,
    Column("source", LargeBinary, primary_key=True),
    Column("target", LargeBinary, primary_key=True),
    Column("link", SmallInteger, primary_key=True, autoincrement=False),
    Column("object", Number, primary_key=True, autoincrement=False),
    Index("edges_by_target", "target"),
    Index("edges_by_object", "object"),
    sqlite_with_rowid=False,
)
contexts: Final = Table(
    "contexts",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("body", Text, nullable=False),
)

dictionaries: Final = Table(
    "dictionaries",
    metadata,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("feed", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# What feeds define markings as: a file of a feed for itself, all that comes by a cursor as 0.
markings: Final = Table(
    "markings",
    metadata,
    Column("feed", SmallInteger, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("collection", Number, primary_key=True, autoincrement=False),
    Column("run", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("gone", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("markings_by_collection", "collection"),
)

observables: Final = Table(
    "observables",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("type", SmallInteger, nullable=False),
    Column("value", Text, nullable=False),
    Column("touched", BigInteger, nullable=False),
    Index("observables_by_touch", "touched"),
)

# Claims without an observable bear observable 0.
claims: Final = Table(
    "claims",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("object", Number, nullable=False),
    Column("observable", Number, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("why", Text, nullable=False),
    Index("claims_by_observable", "observable"),
    Index("claims_by_object", "object"),
)

# Claims that are gone: every list takes them out of its counts once it has passed `touched`.
departures: Final = Table(
    "departures",
    metadata,
    Column("claim", Number, primary_key=True, autoincrement=False),
    Column("touched", BigInteger, nullable=False),
    Index("departures_by_touch", "touched"),
)

lists: Final = Table(
    "lists",
    metadata,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("touched", BigInteger, nullable=False, server_default="-1"),
    Column("claim", Number, nullable=False, server_default="0"),
    Column("decided_at", BigInteger),
    Column("wanted", BigInteger, nullable=False, server_default="0"),
)

entries: Final = Table(
    "entries",
    metadata,
    Column("list", SmallInteger, primary_key=True, autoincrement=False),
    Column("observable", Number, primary_key=True, autoincrement=False),
    Column("wanted", SmallInteger, nullable=False),
    Column("claim", Number, nullable=False),
    Column("reason", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("stamp", BigInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("recheck", BigInteger),
    # What all claims that are taken say together; the claim only carries the entry.
    Column("confidence", SmallInteger),
    Column("until", BigInteger),
    Column("tlp", SmallInteger, nullable=False, server_default="4"),
    Column("first_seen", BigInteger),
    # The feed that alone claims it; 0 where several do.
    Column("source", SmallInteger, nullable=False, server_default="0"),
    Index("entries_by_seq", "list", "seq"),
    sqlite_with_rowid=False,
)
Index(
    "entries_by_recheck",
    entries.c.list,
    entries.c.recheck,
    sqlite_where=entries.c.recheck.is_not(None),
    postgresql_where=entries.c.recheck.is_not(None),
)

# One byte a claim, in compressed blocks by claim number: why it is, or is not, on the list.
buckets: Final = Table(
    "buckets",
    metadata,
    Column("list", SmallInteger, primary_key=True, autoincrement=False),
    Column("block", Number, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
)

# How many claims of a list, entries of an output, notes on a feed or times stand in each bucket.
tallies: Final = Table(
    "tallies",
    metadata,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", SmallInteger, primary_key=True, autoincrement=False),
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
)

# The highest number of a change that each poll brought, and when; until all lists have passed it.
touches: Final = Table(
    "touches",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
)

# The groups of the allowlist that ever kept something off a list, by their reason byte's place.
protectors: Final = Table(
    "protectors",
    metadata,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
)

outputs: Final = Table(
    "outputs",
    metadata,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("list", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("setup", LargeBinary, nullable=False),
    Column("verified_at", BigInteger),
    Column("last_attempt", BigInteger),
    Column("last_success", BigInteger),
    Column("error", Text),
    Column("paused", Text),
    Column("held_plan", Text),
)

ledger: Final = Table(
    "ledger",
    metadata,
    Column("output", SmallInteger, primary_key=True, autoincrement=False),
    Column("observable", Number, primary_key=True, autoincrement=False),
    Column("state", SmallInteger, nullable=False),
    Column("digest", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("why", Text),
    sqlite_with_rowid=False,
)

plans: Final = Table(
    "plans",
    metadata,
    Column("id", Text, primary_key=True),
    Column("output", SmallInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("scope", Text, nullable=False),
    Column("adds", BigInteger, nullable=False),
    Column("updates", BigInteger, nullable=False),
    Column("removes", BigInteger, nullable=False),
    Column("broken", Text, nullable=False),
    Column("accepted_by", Text),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("output", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("entries", LargeBinary, nullable=False),
    Index("audit_by_time", "at"),
)

# Spans of time whose objects a feed no longer serves; open until a person acknowledges them.
gaps: Final = Table(
    "gaps",
    metadata,
    Column("feed", SmallInteger, primary_key=True, autoincrement=False),
    Column("collection", Text, primary_key=True),
    Column("after", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger, nullable=False),
    Column("noted", BigInteger, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", Text),
)

# When a feed's holdings were last compared with ours, and which objects were absent then.
inventories: Final = Table(
    "inventories",
    metadata,
    Column("feed", SmallInteger, primary_key=True, autoincrement=False),
    Column("taken", BigInteger, nullable=False),
)
absences: Final = Table(
    "absences",
    metadata,
    Column("object", Number, primary_key=True, autoincrement=False),
    Column("feed", SmallInteger, nullable=False),
    Index("absences_by_feed", "feed"),
)

# Markings of a feed whose objects may not be held from an instant on, or (`spill`) ever; when the
# store is next searched for them, whether any was lost by it, and how many wait for a person.
disposals: Final = Table(
    "disposals",
    metadata,
    Column("feed", SmallInteger, primary_key=True, autoincrement=False),
    Column("marking", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("spill", Text, nullable=False),
    Column("turn", BigInteger),
    Column("lost", SmallInteger, nullable=False, server_default="0"),
    Column("waiting", BigInteger),
    Column("since", BigInteger),
    Index("disposals_by_turn", "turn"),
)

# Observables whose value is to be forgotten once no target holds them.
disposed_values: Final = Table(
    "disposed_values",
    metadata,
    Column("observable", Number, primary_key=True, autoincrement=False),
)

# Pages of runs under way, where a run counts only as a whole.
staged: Final = Table(
    "staged_pages",
    metadata,
    Column("collection", Number, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("cursor", Text, nullable=False),
    Column("ended", SmallInteger, nullable=False),
    Column("packed", LargeBinary, nullable=False),
)

# What people added to the allowlist by command; rows stay, so that they also tell its history.
exceptions: Final = Table(
    "exceptions",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("until", BigInteger),
    Column("created", BigInteger, nullable=False),
    Column("removed", BigInteger),
    Column("removed_by", Text),
    Column("changed", BigInteger, nullable=False),
)
