"""Periods whose objects a feed no longer serves, kept until a person acknowledges them."""

from typing import NamedTuple

from connector.store.database import Database


class GapRow(NamedTuple):
    """A period that we did not receive; instants in microseconds since 1970."""

    feed: str
    collection: str
    after: int
    until: int
    noted: int
    acknowledged_at: int | None
    acknowledged_by: str | None


class Gaps:
    """Keeps gaps by feed and collection."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, feed: int, collection: str, after: int, until: int, now: int) -> bool:
        """Store a gap; return whether it is new. One that has grown is open again."""
        with self._db.write() as transaction:
            sql = "SELECT until FROM gaps WHERE feed = ? AND collection = ? AND after = ?"
            known = transaction.one(sql, (feed, collection, after))
            if known is not None and known >= until:
                return False
            sql = (
                "INSERT INTO gaps (feed, collection, after, until, noted) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (feed, collection, after) DO UPDATE SET until = excluded.until, "
                "noted = excluded.noted, acknowledged_at = NULL, acknowledged_by = NULL"
            )
            transaction.run(sql, (feed, collection, after, until, now))
            return True

    def found(self, *, everything: bool = False) -> list[GapRow]:
        """Return the unacknowledged gaps, or all of them, oldest first."""
        sql = (
            "SELECT f.name, coalesce(c.title, g.collection), g.after, g.until, g.noted, "  # noqa: S608 - fixed conditions
            "g.acknowledged_at, g.acknowledged_by FROM gaps g JOIN feeds f ON f.number = g.feed "
            "LEFT JOIN collections c ON c.feed = g.feed AND c.key = g.collection "
            f"{'' if everything else 'WHERE g.acknowledged_at IS NULL '}"
            "ORDER BY g.noted, g.feed, g.after"
        )
        with self._db.read() as transaction:
            return [GapRow(*row) for row in transaction.rows(sql)]

    def acknowledge(self, feed: int, by: str, now: int) -> int:
        """Mark every open gap of a feed as acknowledged; return how many there were."""
        with self._db.write() as transaction:
            sql = (
                "UPDATE gaps SET acknowledged_at = ?, acknowledged_by = ? "
                "WHERE feed = ? AND acknowledged_at IS NULL"
            )
            return transaction.run(sql, (now, by, feed))
