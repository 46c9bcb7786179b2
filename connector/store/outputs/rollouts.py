"""Additions that wait for their turn: until they have stood at another output for a while.

What waits is kept with the instant from which it has stood there, which the ledger of that other
output sets as it confirms an entry: so a cycle finds what has become due, and no more.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from connector.decisions.records import OURS, STANDING
from connector.store.database import Database, numbers, parts
from connector.store.transaction import Transaction

if TYPE_CHECKING:  # a look reads counts alone
    from connector.store.outputs.outputs import OutputState

_PART: Final = 1000
_OURS: Final = numbers(sorted(OURS))
_STANDING: Final = numbers(sorted(STANDING))


class RolloutCount(NamedTuple):
    """How many additions wait, and since when the one that is due first has stood elsewhere."""

    waiting: int
    first: int | None


class Rollouts:
    """Keeps the additions of each output that wait for another output."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def due(self, transaction: Transaction, output: int, until: int) -> list[int]:
        """Return what waited and has stood elsewhere since an instant, sorted."""
        sql = "SELECT observable FROM rollouts WHERE output = ? AND stood <= ? ORDER BY observable"
        return [number for (number,) in transaction.rows(sql, (output, until))]

    def known(
        self, transaction: Transaction, output: "OutputState", after: int | None
    ) -> list[int]:
        """Return what waited, of all or of what changed on the list after a sequence number."""
        if after is None:
            sql = "SELECT observable FROM rollouts WHERE output = ?"
            return [number for (number,) in transaction.rows(sql, (output.number,))]
        sql = (
            "SELECT r.observable FROM entries e CROSS JOIN rollouts r "
            "WHERE e.list = ? AND e.seq > ? AND r.output = ? AND r.observable = e.observable"
        )
        rows = transaction.rows(sql, (output.list, after, output.number))
        return [number for (number,) in rows]

    def early(
        self, transaction: Transaction, upstream: int, added: Sequence[int], until: int
    ) -> set[int]:
        """Return those of these observables that have not stood at an output since an instant."""
        found = set(added)
        for part in parts(added, _PART):
            sql = (
                f"SELECT observable FROM ledger WHERE output = ? AND state IN ({_STANDING}) "  # noqa: S608 - only numbers
                f"AND since <= ? AND observable IN ({numbers(part)})"
            )
            found.difference_update(row[0] for row in transaction.rows(sql, (upstream, until)))
        return found

    def all_early(
        self, transaction: Transaction, output: "OutputState", upstream: int, until: int
    ) -> set[int]:
        """Return all that a list wants, is not at the target, and has not stood elsewhere since."""
        sql = (
            "SELECT e.observable FROM entries e "  # noqa: S608 - only numbers
            "LEFT JOIN ledger l ON l.output = ? AND l.observable = e.observable "
            f"AND l.state IN ({_OURS}) LEFT JOIN ledger u ON u.output = ? "
            f"AND u.observable = e.observable AND u.state IN ({_STANDING}) AND u.since <= ? "
            "WHERE e.list = ? AND e.wanted = 1 AND l.observable IS NULL AND u.observable IS NULL"
        )
        values = (output.number, upstream, until, output.list)
        return {number for (number,) in transaction.stream(sql, values)}

    def keep(self, output: int, upstream: int, waiting: Iterable[int]) -> None:
        """Keep additions until they are due; must be done before what else is due is written."""
        # Since when each has stood is read in the transaction that keeps it: it may just be
        # confirmed, and whoever confirms it later finds it here.
        sql = (
            "INSERT INTO rollouts (output, observable, upstream, stood) VALUES (?, ?, ?, "  # noqa: S608 - only numbers
            f"(SELECT since FROM ledger WHERE output = ? AND observable = ? "
            f"AND state IN ({_STANDING}))) ON CONFLICT (output, observable) DO UPDATE SET "
            "upstream = excluded.upstream, stood = excluded.stood"
        )
        rows = [(output, number, upstream, upstream, number) for number in waiting]
        if rows:
            with self._db.write() as transaction:
                transaction.many(sql, rows)

    def drop(self, output: int, gone: Collection[int]) -> None:
        """Forget additions that have been made, or are not wanted any more."""
        if gone:
            with self._db.write() as transaction:
                sql = "DELETE FROM rollouts WHERE output = ? AND observable = ?"
                transaction.many(sql, [(output, number) for number in gone])

    def clear(self, output: int) -> None:
        """Forget all that waited at an output that waits for none any more."""
        with self._db.read() as transaction:
            some = transaction.one("SELECT 1 FROM rollouts WHERE output = ? LIMIT 1", (output,))
        if some is not None:
            with self._db.write() as transaction:
                transaction.run("DELETE FROM rollouts WHERE output = ?", (output,))

    def waiting(self, output: int) -> int:
        """Return how many additions of an output wait."""
        with self._db.read() as transaction:
            sql = "SELECT count(*) FROM rollouts WHERE output = ?"
            return int(transaction.one(sql, (output,)) or 0)

    def first_fill(
        self, transaction: Transaction, output: "OutputState", added: Sequence[int]
    ) -> set[int]:
        """Return those of these that the list wanted when the output was first in step with it."""
        found: set[int] = set()
        for part in parts(added, _PART):
            sql = (
                "SELECT e.observable FROM entries e JOIN outputs o ON o.number = ? "  # noqa: S608 - only numbers
                f"WHERE e.list = ? AND e.since <= o.began AND e.observable IN ({numbers(part)})"
            )
            rows = transaction.rows(sql, (output.number, output.list))
            found.update(number for (number,) in rows)
        return found


def note_standing(
    transaction: Transaction, upstream: int, standing: Sequence[int], now: int
) -> None:
    """Note at all that waits for an output since when these entries have stood there."""
    sql = "SELECT 1 FROM rollouts WHERE upstream = ? LIMIT 1"
    if standing and transaction.one(sql, (upstream,)) is not None:
        sql = "UPDATE rollouts SET stood = ? WHERE upstream = ? AND observable = ?"
        transaction.many(sql, [(now, upstream, number) for number in standing])


def all_in_rollout(transaction: Transaction, output: int) -> set[int]:
    """Return all additions of an output that wait for another output."""
    rows = transaction.rows("SELECT observable FROM rollouts WHERE output = ?", (output,))
    return {number for (number,) in rows}


def rollout_counts(transaction: Transaction) -> dict[int, RolloutCount]:
    """Return how many additions wait for another output, by the number of the output."""
    sql = "SELECT output, count(*), min(stood) FROM rollouts GROUP BY output"
    return {row[0]: RolloutCount(row[1], row[2]) for row in transaction.rows(sql)}
