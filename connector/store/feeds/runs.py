"""Where we stand with each collection: its cursor, and what its latest run still showed.

A whole collection shows all it holds in every run; an object that no collection shows any more
is withdrawn.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from connector.decisions.decide import State
from connector.indicators.identity import id_of_key, is_marking
from connector.store.database import Database, numbers, parts
from connector.store.feeds.claims import ClaimRows
from connector.store.feeds.context import ContextRows
from connector.store.feeds.definitions import Definitions, Shown
from connector.store.feeds.disputes import STANDING

_OF_OBJECTS: Final = (
    ("disputes", "object"), ("members", "object"), ("absences", "object"), ("objects", "number"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CollectionState:
    """Where we stand with one collection of a feed."""

    number: int
    cursor: str | None
    run: int


class Runs:
    """Keeps cursors and members of collections, and withdraws what left them."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.definitions = Definitions(database)
        self._claims = ClaimRows(database)
        self._context = ContextRows(database, self._claims)

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a connection in one consistent snapshot."""
        return self._db.read()

    def collection(self, feed: int, key: str, title: str) -> CollectionState:
        """Return where we stand with a collection, known by its key."""
        with self._db.write() as connection:
            asked = "SELECT number, cursor, run FROM collections WHERE feed = ? AND key = ?"
            if rows := self._db.rows(connection, asked, (feed, key)):
                return CollectionState(*rows[0])
            number = (self._db.one(connection, "SELECT max(number) FROM collections") or 0) + 1
            sql = "INSERT INTO collections (number, feed, key, title, run) VALUES (?, ?, ?, ?, 0)"
            self._db.run(connection, sql, (number, feed, key, title))
            return CollectionState(number, None, 0)

    def cursors(self, feed: int) -> dict[str, tuple[str, str | None]]:
        """Return title and cursor of every collection of a feed that was ever read, by key."""
        sql = "SELECT key, title, cursor FROM collections WHERE feed = ? ORDER BY number"
        with self._db.read() as connection:
            rows = self._db.rows(connection, sql, (feed,))
        return {key: (title, cursor) for key, title, cursor in rows}

    def begin_run(self, collection: CollectionState) -> CollectionState:
        """Start a run of a whole collection: what it does not show again will be withdrawn."""
        with self._db.write() as connection:
            sql = "UPDATE collections SET run = ? WHERE number = ?"
            self._db.run(connection, sql, (collection.run + 1, collection.number))
        return CollectionState(collection.number, collection.cursor, collection.run + 1)

    def move_cursor(self, connection: Connection, collection: CollectionState, cursor: str) -> None:
        """Set the cursor that follows the page in hand."""
        sql = "UPDATE collections SET cursor = ? WHERE number = ?"
        self._db.run(connection, sql, (cursor, collection.number))

    def remember_members(
        self, connection: Connection, collection: CollectionState, members: Sequence[int]
    ) -> None:
        """Record that this run showed these objects."""
        sql = (
            "INSERT INTO members (collection, object, run) VALUES (?, ?, ?) "
            "ON CONFLICT (collection, object) DO UPDATE SET run = excluded.run"
        )
        rows = [(collection.number, member, collection.run) for member in set(members)]
        self._db.many(connection, sql, rows)

    def finish_run(self, collection: CollectionState) -> int:
        """Withdraw what a whole collection no longer shows; return how many objects left."""
        with self._db.write() as connection:
            return self.end_run(connection, collection)

    def end_run(self, connection: Connection, collection: CollectionState) -> int:
        """Do the same in the transaction of the last page: its cursor says the run has ended."""
        sql = "SELECT object FROM members WHERE collection = ? AND run < ?"
        rows = self._db.rows(connection, sql, (collection.number, collection.run))
        feed = self._feed_of(connection, collection.number)
        shown = Shown(collection.number, collection.run)
        self.definitions.end_run(connection, feed, shown)
        return self._leave(connection, feed, collection.number, [row[0] for row in rows])

    def _feed_of(self, connection: Connection, collection: int) -> int:
        sql = "SELECT feed FROM collections WHERE number = ?"
        return int(self._db.one(connection, sql, (collection,)))

    def drop_collections(self, feed: int, present: Collection[str]) -> int:
        """Withdraw what only collections showed that are no longer there."""
        left = 0
        with self._db.write() as connection:
            sql = "SELECT number, key, run FROM collections WHERE feed = ? AND run > 0"
            for number, key, run in self._db.rows(connection, sql, (feed,)):
                if key in present:
                    continue
                self.definitions.end_run(connection, feed, Shown(number, run + 1))
                rows = self._db.rows(
                    connection, "SELECT object FROM members WHERE collection = ?", (number,)
                )
                left += self._leave(connection, feed, number, [row[0] for row in rows])
                for sql in (
                    "UPDATE markings SET run = 0 WHERE collection = ?",  # its number is given again
                    "DELETE FROM staged_pages WHERE collection = ?",
                    "DELETE FROM collections WHERE number = ?",
                ):
                    self._db.run(connection, sql, (number,))
        return left

    def withdraw(self, connection: Connection, feed: int, gone: Sequence[int]) -> int:
        """Withdraw what a feed's source holds no more; return how many were in force."""
        if not gone:
            return 0
        self.definitions.take_back(connection, feed, self._markings_among(connection, gone))
        touched = self._claims.next_touch(connection)
        return sum(self._withdraw(connection, feed, part, touched) for part in parts(gone))

    def bring_back(self, connection: Connection, feed: int, returned: Sequence[int]) -> None:
        """Let objects count again that were withdrawn and that their source holds after all."""
        if not returned:
            return
        refs = self._markings_among(connection, returned)
        self.definitions.take_back(connection, feed, refs, back=True)
        touched = self._claims.next_touch(connection)
        for part in parts(returned):
            sql = (
                f"UPDATE objects AS o SET state = {STANDING} "  # noqa: S608 - only numbers
                f"WHERE state = ? AND number IN ({numbers(part)})"
            )
            self._db.run(connection, sql, (State.WITHDRAWN,))
            self._claims.stir(connection, part, touched)
            self._context.take(connection, feed, {}, part, (), touched)

    def _markings_among(self, connection: Connection, objects: Sequence[int]) -> list[str]:
        found: list[str] = []
        for part in parts(objects):
            sql = f"SELECT key FROM objects WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            keys = [bytes(row[0]) for row in self._db.rows(connection, sql)]
            found += [id_of_key(key) for key in keys if is_marking(key)]
        return found

    def _leave(
        self, connection: Connection, feed: int, collection: int, members: Sequence[int]
    ) -> int:
        withdrawn = 0
        touched = self._claims.next_touch(connection)
        for part in parts(members):
            sql = f"DELETE FROM members WHERE collection = ? AND object IN ({numbers(part)})"  # noqa: S608 - only numbers
            self._db.run(connection, sql, (collection,))
            sql = f"SELECT DISTINCT object FROM members WHERE object IN ({numbers(part)})"  # noqa: S608 - only numbers
            elsewhere = {row[0] for row in self._db.rows(connection, sql)}
            gone = [member for member in part if member not in elsewhere]
            withdrawn += self._withdraw(connection, feed, gone, touched)
        return withdrawn

    def _withdraw(
        self, connection: Connection, feed: int, gone: Sequence[int], touched: int
    ) -> int:
        sql = f"SELECT number FROM objects WHERE state = ? AND number IN ({numbers(gone)})"  # noqa: S608 - only numbers
        unreadable = [row[0] for row in self._db.rows(connection, sql, (State.UNREADABLE,))]
        self.forget_objects(connection, unreadable, touched)
        sql = (
            "UPDATE objects SET state = ? WHERE state IN (?, ?) "  # noqa: S608 - only numbers
            f"AND number IN ({numbers(gone)})"
        )
        states = (State.WITHDRAWN, State.CURRENT, State.DISPUTED)
        changed = self._db.run(connection, sql, states)
        self._claims.stir(connection, gone, touched)
        self._context.take(connection, feed, {}, gone, (), touched)
        return changed + len(unreadable)

    def forget_objects(self, connection: Connection, objects: Sequence[int], touched: int) -> None:
        """Drop every trace of objects, as of unreadable ones that left their file."""
        for part in parts(objects):
            held = numbers(part)
            sql = f"SELECT number, observable FROM claims WHERE object IN ({held})"  # noqa: S608 - only numbers
            rows = self._db.rows(connection, sql)
            self._claims.depart(
                connection, [row[0] for row in rows], [row[1] for row in rows], touched
            )
            sql = (
                "UPDATE feeds SET objects = objects - (SELECT count(*) FROM objects o "  # noqa: S608 - only numbers
                f"WHERE o.feed = feeds.number AND o.number IN ({held})) WHERE number IN "
                f"(SELECT feed FROM objects WHERE number IN ({held}))"
            )
            self._db.run(connection, sql)
            # Their numbers are given again: whatever still named one would speak of another object.
            for table, column in _OF_OBJECTS:
                self._db.run(connection, f"DELETE FROM {table} WHERE {column} IN ({held})")  # noqa: S608 - our own tables, only numbers
