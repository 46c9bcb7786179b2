"""Compares what a feed's source still holds with what we hold, and withdraws what vanished.

Deletion is invisible to a cursor. Nothing is kept for it while objects come in: a pass marks the
numbers of all that its source names in a bitmap, and only objects that were absent are written.
An object that two passes in a row did not find is withdrawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connector.decisions.records import ObjectState
from connector.indicators.identity import key_of_id
from connector.store.database import Database, marks, parts
from connector.store.feeds.runs import Runs
from connector.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of a pass: `partial` means that it listed too little to be trusted."""

    held: int = 0
    absent: int = 0
    withdrawn: int = 0
    returned: int = 0
    partial: bool = False


class Inventories:
    """When each feed was compared, and what was absent then."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._db = database
        self._runs = runs

    def due(self, feed: int, every: int, now: int) -> bool:
        """Return whether it is due; a new feed waits for its first turn."""
        with self._db.write() as transaction:
            sql = "SELECT taken FROM inventories WHERE feed = ?"
            taken = transaction.one(sql, (feed,))
            if taken is None:
                self._note(transaction, feed, now)
        return taken is not None and now - taken >= every

    def put_off(self, feed: int, until: int, every: int) -> None:
        """Take the next turn at this moment, after one that failed."""
        with self._db.write() as transaction:
            self._note(transaction, feed, until - every)

    def begin(self, feed: int) -> "Inventory":
        """Start a pass over all that a feed's source holds."""
        with self._db.read() as transaction:
            highest = transaction.one("SELECT max(number) FROM objects") or 0
        return Inventory(self._db, self._runs, feed, highest)

    def finish(self, inventory: "Inventory", now: int) -> Compared:
        """End a complete pass; withdraw objects that were absent for the second time."""
        compared = inventory.finish()
        with self._db.write() as transaction:
            self._note(transaction, inventory.feed, now)
        return compared

    def _note(self, transaction: Transaction, feed: int, taken: int) -> None:
        sql = (
            "INSERT INTO inventories (feed, taken) VALUES (?, ?) "
            "ON CONFLICT (feed) DO UPDATE SET taken = excluded.taken"
        )
        transaction.run(sql, (feed, taken))


class Inventory:
    """One pass: which of our objects the source named, one bit each."""

    def __init__(self, database: Database, runs: Runs, feed: int, highest: int) -> None:
        self._db = database
        self._runs = runs
        self.feed = feed
        self._highest = highest
        self._named = bytearray(highest // 8 + 1)

    def name(self, ids: Sequence[str]) -> None:
        """Mark the objects that the source lists."""
        with self._db.read() as transaction:
            for part in parts([key_of_id(given) for given in ids]):
                sql = f"SELECT number FROM objects WHERE feed = ? AND key IN ({marks(part)})"  # noqa: S608 - only marks
                for (number,) in transaction.rows(sql, (self.feed, *part)):
                    if number <= self._highest:  # what came since then is not for this pass
                        self._named[number // 8] |= 1 << number % 8

    def finish(self) -> Compared:
        """Withdraw what is absent again, bring back what is there again, remember the rest."""
        held, absent, returned = self._compare()
        if len(absent) * 2 > held:
            # Servers cut manifests short without a word; a source that lost most of what it had
            # is a matter for a person.
            return Compared(held, len(absent), partial=True)
        with self._db.write() as transaction:
            gone = sorted(absent & self._absent_before(transaction))
            self._remember(transaction, absent.difference(gone))
            withdrawn = self._runs.withdraw(transaction, self.feed, gone)
            self._runs.bring_back(transaction, self.feed, returned)
        return Compared(held, len(absent), withdrawn, len(returned))

    def _compare(self) -> tuple[int, set[int], list[int]]:
        """Return how many objects count, which of them are absent, and which came back."""
        held = 0
        absent: set[int] = set()
        returned: list[int] = []
        sql = (
            "SELECT number, state FROM objects WHERE feed = ? AND number <= ? AND state IN (?,?,?)"
        )
        states = (ObjectState.CURRENT, ObjectState.DISPUTED, ObjectState.WITHDRAWN)
        with self._db.read() as transaction:
            values = (self.feed, self._highest, *states)
            for number, state in transaction.stream(sql, values):
                named = self._named[number // 8] & 1 << number % 8
                if state == ObjectState.WITHDRAWN:
                    if named:
                        returned.append(number)
                    continue
                held += 1
                if not named:
                    absent.add(number)
        return held, absent, returned

    def _absent_before(self, transaction: Transaction) -> set[int]:
        sql = "SELECT object FROM absences WHERE feed = ?"
        return {row[0] for row in transaction.rows(sql, (self.feed,))}

    def _remember(self, transaction: Transaction, absent: set[int]) -> None:
        transaction.run("DELETE FROM absences WHERE feed = ?", (self.feed,))
        rows = [(number, self.feed) for number in sorted(absent)]
        transaction.many("INSERT INTO absences (object, feed) VALUES (?, ?)", rows)
