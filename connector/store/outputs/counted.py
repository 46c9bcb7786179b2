"""How much of what limits count was written at each output, by hour."""

from typing import Final

from connector.decisions.limits import Window
from connector.store.database import Database
from connector.store.transaction import Transaction

_HOUR: Final = 3_600_000_000


class CountedChanges:
    """Keeps the window over which losses add up."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def window(self, transaction: Transaction, output: int, since: int) -> Window:
        """Return what was added and removed since an instant, of what limits count."""
        sql = "SELECT sum(added), sum(removed) FROM counted_changes WHERE output = ? AND hour >= ?"
        [(added, removed)] = transaction.rows(sql, (output, since // _HOUR))
        return Window(int(added or 0), int(removed or 0))

    def count(self, output: int, counted: Window, now: int, since: int) -> None:
        """Count changes that were written; forget those from before the window."""
        if not any(counted):
            return
        with self._db.write() as transaction:
            sql = (
                "INSERT INTO counted_changes (output, hour, added, removed) VALUES (?,?,?,?) "
                "ON CONFLICT (output, hour) DO UPDATE SET "
                "added = counted_changes.added + excluded.added, "
                "removed = counted_changes.removed + excluded.removed"
            )
            transaction.run(sql, (output, now // _HOUR, *counted))
            sql = "DELETE FROM counted_changes WHERE output = ? AND hour < ?"
            transaction.run(sql, (output, since // _HOUR))
