"""What was done, to which entries and why: only ever appended to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import zstandard

from connector.decisions.holds import Acceptance
from connector.store.database import Database
from connector.store.transaction import Transaction

_NOBODY: Final = (None, None, None)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What was done, for the audit, and under which hold that a person accepted or refused."""

    output: str
    action: str
    plan: str
    result: str
    count: int
    entries: bytes
    under: Acceptance | None = None

    @classmethod
    def of(
        cls, output: str, action: str, plan: str, result: str, entries: Sequence[Sequence[Any]],
        under: Acceptance | None = None,
    ) -> "AuditRow":  # fmt: skip
        """Return a row with its entries packed."""
        body = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(entries))
        return cls(output, action, plan, result, len(entries), body, under)

    def append(self, transaction: Transaction, now: int) -> None:
        """Append it in a transaction, together with what it tells of."""
        number = (transaction.one("SELECT max(number) FROM audit") or 0) + 1
        sql = (
            "INSERT INTO audit (number, at, output, action, plan, result, count, entries, hold, "
            "by_whom, why) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
        )
        row = (number, now, self.output, self.action, self.plan, self.result)
        transaction.run(sql, (*row, self.count, self.entries, *(self.under or _NOBODY)))


class Audit:
    """Keeps one row for whatever was written, removed, held, accepted or allowed."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(
        self, output: str, action: str, plan: str, result: str, entries: Sequence[Sequence[Any]],
        now: int, under: Acceptance | None = None,
    ) -> None:  # fmt: skip
        """Append time, output, action, plan, result and the entries concerned.

        `under` is the hold that a person accepted or refused, where it was done for that.
        """
        row = AuditRow.of(output, action, plan, result, entries, under)
        with self._db.write() as transaction:
            row.append(transaction, now)
