"""Alarms of feeds, kept until a person acknowledges them or they no longer apply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.store.database import Database, marks

FULL: Final = "max_objects"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of a feed: its name, its words, and since when."""

    feed: str
    name: str
    words: str
    since: int
    count: int = 0


class Alarms:
    """Remembers alarms by feed and name."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def sound(self, feed: int, found: Mapping[str, tuple[str, int]], now: int) -> list[str]:
        """Store alarms with their newest words and counts; return the names of new ones."""
        news = []
        with self._db.write() as transaction:
            sql = "SELECT name FROM alarms WHERE feed = ?"
            known = {row[0] for row in transaction.rows(sql, (feed,))}
            for name, (words, count) in found.items():
                if name not in known:
                    news.append(name)
                sql = (
                    "INSERT INTO alarms (feed, name, words, since, count) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (feed, name) DO UPDATE SET words = excluded.words, "
                    "count = excluded.count"
                )
                transaction.run(sql, (feed, name, words, now, count))
        return news

    def clear(self, feed: int, names: Sequence[str]) -> int:
        """Forget alarms of a feed; return how many there were."""
        with self._db.write() as transaction:
            sql = f"DELETE FROM alarms WHERE feed = ? AND name IN ({marks(names)})"  # noqa: S608 - only marks
            return transaction.run(sql, (feed, *names))

    def found(self) -> list[Alarm]:
        """Return all alarms, the oldest first."""
        sql = (
            "SELECT f.name, a.name, a.words, a.since, a.count FROM alarms a "
            "JOIN feeds f ON f.number = a.feed ORDER BY a.since, a.feed, a.name"
        )
        with self._db.read() as transaction:
            return [Alarm(*row) for row in transaction.rows(sql)]
