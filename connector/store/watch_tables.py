"""Tables of what is watched about feeds, and the metadata that all tables share."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, SmallInteger, Table, Text

# SQLite makes only an INTEGER primary key the row's own number; PostgreSQL wants 64 bits.
Number: Final = BigInteger().with_variant(Integer, "sqlite")

metadata: Final = MetaData()

# What each feed brought since the span under way began, and what it kept before.
habits: Final = Table(
    "habits",
    metadata,
    Column("feed", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in ("came", "gone", "strangers", "claims", "odd", "twins")
    ),
)

# The producers (as digests) and kinds of observable that a feed named, and first in which span.
feed_names: Final = Table(
    "feed_names",
    metadata,
    Column("feed", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("span", BigInteger, nullable=False),
)

# What somebody should look at in a feed.
alarms: Final = Table(
    "alarms",
    metadata,
    Column("feed", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("words", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
)
