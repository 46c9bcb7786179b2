"""When entries end at targets that end them by themselves, and when they have to be renewed."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from connector.decisions.records import LedgerState
from connector.instants import NEVER
from connector.store.database import Database, numbers, parts
from connector.store.transaction import Transaction

if TYPE_CHECKING:  # a look reads counts alone
    from connector.store.outputs.outputs import OutputState

_UNTIL: Final = f"coalesce(e.until, {NEVER})"


class End(NamedTuple):
    """When an entry ends at its target, and by the list as it was then; when to renew it.

    Where the target ends it no earlier than the list, `renew` is that end.
    """

    observable: int
    at: int
    until: int
    renew: int


class Ends:
    """Keeps the end of each entry at a target that has ends of its own."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(self, output: int, ends: Iterable[End]) -> None:
        """Keep the ends that a target was given."""
        sql = (
            "INSERT INTO ends (output, observable, at, until, renew) VALUES (?,?,?,?,?) "
            "ON CONFLICT (output, observable) DO UPDATE SET at = excluded.at, "
            "until = excluded.until, renew = excluded.renew"
        )
        with self._db.write() as transaction:
            transaction.many(sql, [(output, *end) for end in ends])

    def forget(self, output: int, observables: Sequence[int]) -> None:
        """Forget the ends of what is gone."""
        with self._db.write() as transaction:
            for part in parts(observables):
                sql = (
                    "DELETE FROM ends WHERE output = ? "  # noqa: S608 - only numbers
                    f"AND observable IN ({numbers(part)})"
                )
                transaction.run(sql, (output,))

    def due(
        self, transaction: Transaction, output: "OutputState", after: int | None, now: int
    ) -> set[int]:
        """Return the written entries whose end at the target has to be moved.

        Those are due whose time has come, and, of what changed after a sequence number (or of
        everything), those whose end on the list has moved.
        """
        sql = (
            "SELECT t.observable FROM ends t JOIN entries e ON e.list = ? "  # noqa: S608 - ours
            "AND e.observable = t.observable AND e.wanted = 1 "
            f"WHERE t.output = ? AND t.renew <= ? AND {_UNTIL} > ?"
        )
        rows = transaction.rows(sql, (output.list, output.number, now, now))
        late = "" if after is None else f"AND e.seq > {int(after)} "
        sql = (
            "SELECT e.observable FROM entries e JOIN ledger l ON l.output = ? "  # noqa: S608 - ours
            "AND l.observable = e.observable AND l.state = ? LEFT JOIN ends t "
            "ON t.output = ? AND t.observable = e.observable "
            f"WHERE e.list = ? AND e.wanted = 1 {late}AND (t.at IS NULL OR "
            f"({_UNTIL} <> t.until AND (t.renew = t.at OR {_UNTIL} < t.at)))"
        )
        asked = (output.number, LedgerState.WRITTEN, output.number, output.list)
        return {row[0] for row in (*rows, *transaction.rows(sql, asked))}

    def passed(
        self, transaction: Transaction, output: int, observables: Sequence[int], now: int
    ) -> set[int]:
        """Return those of these entries whose end at the target has passed."""
        found: set[int] = set()
        for part in parts(observables):
            sql = (
                "SELECT observable FROM ends WHERE output = ? AND renew <= ? AND at <= ? "  # noqa: S608 - only numbers
                f"AND observable IN ({numbers(part)})"
            )
            found.update(row[0] for row in transaction.rows(sql, (output, now, now)))
        return found


def ended(transaction: Transaction, output: int, now: int) -> int:
    """Return how many entries that are wanted and count as written have ended at the target."""
    sql = (
        "SELECT count(*) FROM ends t JOIN ledger l ON l.output = t.output "
        "AND l.observable = t.observable AND l.state = ? JOIN outputs o ON o.number = t.output "
        "JOIN entries e ON e.list = o.list AND e.observable = t.observable AND e.wanted = 1 "
        "WHERE t.output = ? AND t.renew <= ? AND t.at <= ?"
    )
    return int(transaction.one(sql, (LedgerState.WRITTEN, output, now, now)) or 0)


def end_of(transaction: Transaction, output: int, observable: int) -> int | None:
    """Return when an entry ends at its target; None where the target has no ends."""
    sql = "SELECT at FROM ends WHERE output = ? AND observable = ?"
    found = transaction.one(sql, (output, observable))
    return None if found is None else int(found)
