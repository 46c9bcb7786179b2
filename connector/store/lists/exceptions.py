"""Exceptions that people add by command, in addition to the file's; removed ones are kept."""

from dataclasses import dataclass
from typing import Final

from connector.decisions.allowlist.site import ExceptionRule
from connector.decisions.allowlist.values import read_allow_value
from connector.instants import to_datetime
from connector.store.database import Database
from connector.store.transaction import Transaction

_COLUMNS: Final = "number, value, why, ticket, owner, until, created, removed, removed_by"


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """One exception as it was added; instants in microseconds since 1970."""

    number: int
    value: str
    why: str
    ticket: str
    owner: str
    until: int | None
    created: int
    removed: int | None = None
    removed_by: str | None = None

    def holds(self, now: int) -> bool:
        """Return whether it protects anything now."""
        return self.removed is None and (self.until is None or now < self.until)

    def rule(self) -> ExceptionRule:
        """Return it as the allowlist takes it."""
        until = None if self.until is None else to_datetime(self.until)
        return ExceptionRule(self.value, self.why, self.ticket, until, f"added by {self.owner}")


def latest_change(transaction: Transaction) -> int:
    """Return a number that grows with every exception added or removed; 0 before the first.

    It is counted, not taken from a clock: a clock may be set back, and then a change be missed.
    """
    return int(transaction.one("SELECT max(changed) FROM exceptions") or 0)


class Exceptions:
    """Keeps exceptions, at most one in force for a value."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self, value: str, *, why: str, ticket: str, owner: str, until: int | None, now: int
    ) -> ExceptionRow | None:
        """Add an exception; return the one that it replaces. Raises ValueError for no value."""
        key = _key(value)
        with self._db.write() as transaction:
            held = self._held(transaction, key)
            self._end(transaction, held, owner, now)
            number = (transaction.one("SELECT max(number) FROM exceptions") or 0) + 1
            changed = latest_change(transaction) + 1
            sql = (
                "INSERT INTO exceptions (number, key, value, why, ticket, owner, until, created, "
                "changed) VALUES (?,?,?,?,?,?,?,?,?)"
            )
            row = (number, key, value, why, ticket, owner, until, now, changed)
            transaction.run(sql, row)
        return held[0] if held else None

    def remove(self, value: str, *, by: str, now: int) -> ExceptionRow | None:
        """End the exception for a value, and return it; None where there is none."""
        key = _key(value)
        with self._db.write() as transaction:
            held = self._held(transaction, key)
            self._end(transaction, held, by, now)
        return held[0] if held else None

    def all(self, *, everything: bool = False) -> list[ExceptionRow]:
        """Return what was not removed, or all there ever was, the oldest first."""
        where = "" if everything else "WHERE removed IS NULL "
        sql = f"SELECT {_COLUMNS} FROM exceptions {where}ORDER BY number"  # noqa: S608 - our own columns
        with self._db.read() as transaction:
            return [ExceptionRow(*row) for row in transaction.rows(sql)]

    def change(self) -> int:
        """Return a number that grows with every exception added or removed."""
        with self._db.read() as transaction:
            return latest_change(transaction)

    def rules(self, now: int) -> tuple[ExceptionRule, ...]:
        """Return what the allowlist must hold now."""
        return tuple(row.rule() for row in self.all() if row.holds(now))

    def _held(self, transaction: Transaction, key: str) -> list[ExceptionRow]:
        sql = f"SELECT {_COLUMNS} FROM exceptions WHERE key = ? AND removed IS NULL"  # noqa: S608 - our own columns
        return [ExceptionRow(*row) for row in transaction.rows(sql, (key,))]

    def _end(self, transaction: Transaction, rows: list[ExceptionRow], by: str, now: int) -> None:
        sql = "UPDATE exceptions SET removed = ?, removed_by = ?, changed = ? WHERE number = ?"
        for row in rows:
            changed = latest_change(transaction) + 1
            transaction.run(sql, (now, by, changed, row.number))


def _key(value: str) -> str:
    """Return the same text for every way to write one value."""
    read = read_allow_value(value)
    return f"{read.kind}:{read.text}"
