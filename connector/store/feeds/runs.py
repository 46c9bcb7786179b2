"""The progress of each collection: its cursor, and the objects of its latest run.

A whole collection shows all it holds in every run; an object that no collection shows any more
is withdrawn.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from connector.decisions.records import ObjectState
from connector.indicators.identity import id_of_key, is_marking
from connector.store.database import Database, numbers, parts
from connector.store.feeds.claims import ClaimRows
from connector.store.feeds.context import ContextRows
from connector.store.feeds.definitions import Definitions, ShownIn
from connector.store.feeds.disputes import STANDING
from connector.store.transaction import Transaction

_OF_OBJECTS: Final = (
    ("disputes", "object"), ("members", "object"), ("absences", "object"), ("objects", "number"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CollectionState:
    """The progress of one collection of a feed."""

    number: int
    cursor: str | None
    run: int


class Runs:
    """Keeps cursors and members of collections, and withdraws what left them."""

    def __init__(
        self, database: Database, definitions: Definitions, claims: ClaimRows, context: ContextRows
    ) -> None:
        self._db = database
        self._definitions = definitions
        self._claims = claims
        self._context = context

    def collection(self, feed: int, key: str, title: str) -> CollectionState:
        """Return the progress of a collection, by its key."""
        with self._db.write() as transaction:
            asked = "SELECT number, cursor, run FROM collections WHERE feed = ? AND key = ?"
            if rows := transaction.rows(asked, (feed, key)):
                return CollectionState(*rows[0])
            number = (transaction.one("SELECT max(number) FROM collections") or 0) + 1
            sql = "INSERT INTO collections (number, feed, key, title, run) VALUES (?, ?, ?, ?, 0)"
            transaction.run(sql, (number, feed, key, title))
            return CollectionState(number, None, 0)

    def cursors(self, feed: int) -> dict[str, tuple[str, str | None]]:
        """Return title and cursor of every collection of a feed that was ever read, by key."""
        sql = "SELECT key, title, cursor FROM collections WHERE feed = ? ORDER BY number"
        with self._db.read() as transaction:
            rows = transaction.rows(sql, (feed,))
        return {key: (title, cursor) for key, title, cursor in rows}

    def begin_run(self, collection: CollectionState) -> CollectionState:
        """Start a run of a whole collection: what it does not show again will be withdrawn."""
        with self._db.write() as transaction:
            sql = "UPDATE collections SET run = ? WHERE number = ?"
            transaction.run(sql, (collection.run + 1, collection.number))
        return CollectionState(collection.number, collection.cursor, collection.run + 1)

    def move_cursor(
        self, transaction: Transaction, collection: CollectionState, cursor: str
    ) -> None:
        """Set the cursor that follows the page in hand."""
        sql = "UPDATE collections SET cursor = ? WHERE number = ?"
        transaction.run(sql, (cursor, collection.number))

    def remember_members(
        self, transaction: Transaction, collection: CollectionState, members: Sequence[int]
    ) -> None:
        """Record that this run showed these objects."""
        sql = (
            "INSERT INTO members (collection, object, run) VALUES (?, ?, ?) "
            "ON CONFLICT (collection, object) DO UPDATE SET run = excluded.run"
        )
        rows = [(collection.number, member, collection.run) for member in set(members)]
        transaction.many(sql, rows)

    def end_run(self, transaction: Transaction, collection: CollectionState) -> int:
        """Withdraw what a whole collection no longer shows; return how many objects left.

        In the transaction of its last page: the cursor of that says the run has ended.
        """
        sql = "SELECT object FROM members WHERE collection = ? AND run < ?"
        rows = transaction.rows(sql, (collection.number, collection.run))
        feed = self._feed_of(transaction, collection.number)
        shown = ShownIn(collection.number, collection.run)
        self._definitions.end_run(transaction, feed, shown)
        return self._leave(transaction, feed, collection.number, [row[0] for row in rows])

    def _feed_of(self, transaction: Transaction, collection: int) -> int:
        sql = "SELECT feed FROM collections WHERE number = ?"
        return int(transaction.one(sql, (collection,)))

    def drop_collections(self, feed: int, present: Collection[str]) -> int:
        """Withdraw what only collections showed that are no longer there."""
        left = 0
        with self._db.write() as transaction:
            sql = "SELECT number, key, run FROM collections WHERE feed = ? AND run > 0"
            for number, key, run in transaction.rows(sql, (feed,)):
                if key in present:
                    continue
                self._definitions.end_run(transaction, feed, ShownIn(number, run + 1))
                rows = transaction.rows(
                    "SELECT object FROM members WHERE collection = ?", (number,)
                )
                left += self._leave(transaction, feed, number, [row[0] for row in rows])
                for sql in (
                    "UPDATE markings SET run = 0 WHERE collection = ?",  # its number is given again
                    "DELETE FROM staged_pages WHERE collection = ?",
                    "DELETE FROM collections WHERE number = ?",
                ):
                    transaction.run(sql, (number,))
        return left

    def withdraw(self, transaction: Transaction, feed: int, gone: Sequence[int]) -> int:
        """Withdraw objects that a feed's source no longer has; return how many were in force."""
        if not gone:
            return 0
        self._definitions.take_back(transaction, feed, self._markings_among(transaction, gone))
        touched = self._claims.next_change(transaction)
        return sum(self._withdraw(transaction, feed, part, touched) for part in parts(gone))

    def bring_back(self, transaction: Transaction, feed: int, returned: Sequence[int]) -> None:
        """Let objects count again that were withdrawn and that their source holds after all."""
        if not returned:
            return
        refs = self._markings_among(transaction, returned)
        self._definitions.take_back(transaction, feed, refs, back=True)
        touched = self._claims.next_change(transaction)
        for part in parts(returned):
            sql = (
                f"UPDATE objects AS o SET state = {STANDING} "  # noqa: S608 - only numbers
                f"WHERE state = ? AND number IN ({numbers(part)})"
            )
            transaction.run(sql, (ObjectState.WITHDRAWN,))
            self._claims.mark_changed(transaction, part, touched)
            self._context.take(transaction, feed, {}, part, (), touched)

    def _markings_among(self, transaction: Transaction, objects: Sequence[int]) -> list[str]:
        found: list[str] = []
        for part in parts(objects):
            sql = f"SELECT key FROM objects WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            keys = [bytes(row[0]) for row in transaction.rows(sql)]
            found += [id_of_key(key) for key in keys if is_marking(key)]
        return found

    def _leave(
        self, transaction: Transaction, feed: int, collection: int, members: Sequence[int]
    ) -> int:
        withdrawn = 0
        touched = self._claims.next_change(transaction)
        for part in parts(members):
            sql = f"DELETE FROM members WHERE collection = ? AND object IN ({numbers(part)})"  # noqa: S608 - only numbers
            transaction.run(sql, (collection,))
            sql = f"SELECT DISTINCT object FROM members WHERE object IN ({numbers(part)})"  # noqa: S608 - only numbers
            elsewhere = {row[0] for row in transaction.rows(sql)}
            gone = [member for member in part if member not in elsewhere]
            withdrawn += self._withdraw(transaction, feed, gone, touched)
        return withdrawn

    def _withdraw(
        self, transaction: Transaction, feed: int, gone: Sequence[int], touched: int
    ) -> int:
        sql = f"SELECT number FROM objects WHERE state = ? AND number IN ({numbers(gone)})"  # noqa: S608 - only numbers
        unreadable = [row[0] for row in transaction.rows(sql, (ObjectState.UNREADABLE,))]
        self.forget_objects(transaction, unreadable, touched)
        sql = (
            "UPDATE objects SET state = ? WHERE state IN (?, ?) "  # noqa: S608 - only numbers
            f"AND number IN ({numbers(gone)})"
        )
        states = (ObjectState.WITHDRAWN, ObjectState.CURRENT, ObjectState.DISPUTED)
        changed = transaction.run(sql, states)
        self._claims.mark_changed(transaction, gone, touched)
        self._context.take(transaction, feed, {}, gone, (), touched)
        return changed + len(unreadable)

    def forget_objects(
        self, transaction: Transaction, objects: Sequence[int], touched: int
    ) -> None:
        """Drop every trace of objects, as of unreadable ones that left their file."""
        for part in parts(objects):
            held = numbers(part)
            sql = f"SELECT number, observable FROM claims WHERE object IN ({held})"  # noqa: S608 - only numbers
            rows = transaction.rows(sql)
            self._claims.depart(
                transaction, [row[0] for row in rows], [row[1] for row in rows], touched
            )
            sql = (
                "UPDATE feeds SET objects = objects - (SELECT count(*) FROM objects o "  # noqa: S608 - only numbers
                f"WHERE o.feed = feeds.number AND o.number IN ({held})) WHERE number IN "
                f"(SELECT feed FROM objects WHERE number IN ({held}))"
            )
            transaction.run(sql)
            # Their numbers are given again: whatever still named one would speak of another object.
            for table, column in _OF_OBJECTS:
                transaction.run(f"DELETE FROM {table} WHERE {column} IN ({held})")  # noqa: S608 - our own tables, only numbers
