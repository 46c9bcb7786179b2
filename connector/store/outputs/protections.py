"""Entries that are kept off a target because its row would stop what the allowlist protects."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from connector.decisions.records import LedgerState
from connector.store.database import Database
from connector.store.outputs.ledger_rows import keep_words
from connector.store.transaction import Transaction

_PROTECTED: Final = int(LedgerState.PROTECTED)


class ProtectedRow(NamedTuple):
    """Why an entry's row is not written, in words, and until when."""

    observable: int
    until: int
    words: str


class Protections:
    """Keeps, beside their mark in the ledger, until when entries are kept off, and why."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def ended(self, transaction: Transaction, output: int, now: int) -> list[int]:
        """Return the entries whose protection has ended by now."""
        sql = (
            "SELECT observable FROM ledger "  # noqa: S608 - only numbers
            f"WHERE output = ? AND state = {_PROTECTED} AND ends <= ?"
        )
        return [number for (number,) in transaction.rows(sql, (output, now))]

    def entries(
        self, transaction: Transaction, output: int, mark: LedgerState = LedgerState.PROTECTED, *,
        untold: bool,
    ) -> list[int]:  # fmt: skip
        """Return the entries that are kept off, or only those of which it is not said why."""
        which = "AND why IS NULL " if untold else ""
        sql = (
            "SELECT observable FROM ledger "  # noqa: S608 - only numbers
            f"WHERE output = ? AND state = {int(mark)} {which}ORDER BY observable"
        )
        return [number for (number,) in transaction.rows(sql, (output,))]

    def tell(self, output: int, words: Mapping[int, str]) -> None:
        """Keep why entries are kept off, in words."""
        if words:
            with self._db.write() as transaction:
                keep_words(transaction, output, words)

    def keep(self, output: int, rows: Iterable[ProtectedRow]) -> None:
        """Keep why entries are not written, and until when."""
        kept = list(rows)
        if not kept:
            return
        with self._db.write() as transaction:
            sql = (
                "UPDATE ledger SET ends = ? "  # noqa: S608 - only numbers
                f"WHERE output = ? AND observable = ? AND state = {_PROTECTED}"
            )
            transaction.many(sql, [(row.until, output, row.observable) for row in kept])
            keep_words(transaction, output, {row.observable: row.words for row in kept})
