"""What we removed lately from targets that hold others' entries as well.

A target that is restored from an older copy has such entries again. They are ours: nobody else
would ever remove them.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from connector.decisions.records import LedgerState
from connector.instants import span
from connector.store.database import Database, numbers, parts
from connector.store.transaction import Transaction

KEPT_FOR: Final = timedelta(days=30)
_THERE: Final = f"{int(LedgerState.WRITTEN)}, {int(LedgerState.REMOVING)}"


class FormerEntries:
    """Keeps for a while which entries were ours, with what they looked like."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, output: int, observables: Sequence[int], now: int) -> None:
        """Note that entries are about to leave the ledger; forget those noted long ago.

        One that came back and goes again keeps what it looked like when we wrote it.
        """
        with self._db.write() as transaction:
            for part in parts(observables):
                transaction.run(
                    "INSERT INTO former_entries (output, observable, digest, at) "  # noqa: S608 - only numbers
                    "SELECT output, observable, digest, ? FROM ledger "
                    f"WHERE output = ? AND state IN ({_THERE}) AND observable IN ({numbers(part)}) "
                    "ON CONFLICT (output, observable) DO UPDATE SET "
                    "at = excluded.at, digest = CASE WHEN excluded.digest = 0 "
                    "THEN former_entries.digest ELSE excluded.digest END",
                    (now, output),
                )
            sql = "DELETE FROM former_entries WHERE output = ? AND at < ?"
            transaction.run(sql, (output, now - span(KEPT_FOR)))

    def since(self, transaction: Transaction, output: int, now: int) -> Iterator[tuple[int, int]]:
        """Yield what left within the last thirty days, sorted by number, each with its digest."""
        sql = (
            "SELECT observable, digest FROM former_entries WHERE output = ? AND at >= ? "
            "ORDER BY observable"
        )
        return (tuple(row) for row in transaction.stream(sql, (output, now - span(KEPT_FOR))))
