"""What others did to the target of each output, as far as it was found and mended."""

from typing import NamedTuple

from connector.store.database import Database
from connector.store.transaction import Transaction


class DriftRow(NamedTuple):
    """The latest drift of an output, and since the state began how many entries drifted."""

    at: int
    missing: int
    altered: int
    foreign: int
    total: int


class Drifts:
    """Keeps the latest drift of each output."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, output: int, missing: int, altered: int, foreign: int, now: int) -> None:
        """Record a drift that was mended."""
        total = missing + altered + foreign
        with self._db.write() as transaction:
            sql = (
                "INSERT INTO drifts (output, at, missing, altered, foreigners, total) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (output) DO UPDATE SET at = excluded.at, "
                "missing = excluded.missing, altered = excluded.altered, "
                "foreigners = excluded.foreigners, total = drifts.total + excluded.total"
            )
            transaction.run(sql, (output, now, missing, altered, foreign, total))


def drifts(transaction: Transaction) -> dict[int, DriftRow]:
    """Return the latest drift of each output that had one, by the output's number."""
    sql = "SELECT output, at, missing, altered, foreigners, total FROM drifts"
    return {row[0]: DriftRow(*row[1:]) for row in transaction.rows(sql)}
