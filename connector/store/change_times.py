"""When changes became known: at the end of the poll that brought them.

Every change of an observable has a rising number (`connector.store.claims`); here each poll's
highest is kept with the time, until every list has considered it.
"""

from bisect import bisect_left

from connector.store.transaction import Transaction


class Learned:
    """When the changes after one number became known; None if no poll has ended since."""

    def __init__(self, transaction: Transaction, after: int) -> None:
        sql = "SELECT number, at FROM touches WHERE number > ? ORDER BY number"
        rows = transaction.rows(sql, (after,))
        self._after = after
        self._numbers = [row[0] for row in rows]
        self._at: list[int] = [row[1] for row in rows]

    def at(self, touched: int) -> int | None:
        """Return when the change of this number became known."""
        if touched <= self._after:
            return None
        place = bisect_left(self._numbers, touched)
        return self._at[place] if place < len(self._at) else None


def note_changes(transaction: Transaction, highest: int, now: int) -> None:
    """Record that all changes up to a number are known, and forget what every list has passed."""
    passed = transaction.one("SELECT min(touched) FROM lists") or 0
    transaction.run("DELETE FROM touches WHERE number <= ?", (passed,))
    latest = transaction.one("SELECT max(number) FROM touches") or 0
    if highest > max(passed, latest):
        sql = "INSERT INTO touches (number, at) VALUES (?, ?)"
        transaction.run(sql, (highest, now))
