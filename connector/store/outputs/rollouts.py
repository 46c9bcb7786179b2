"""Additions that wait for their turn: until they have stood at another output for a while.

What waits is kept with the instant from which it has stood there, which the ledger of that other
output sets as it confirms an entry: so a cycle finds what has become due, and no more. That instant
follows a clock that is set; what does not wait yet goes by the ledger's.
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
# What waits at an output, of what is in the ledger `u` of another one, and since when it is there.
_WAITING: Final = (
    "LEFT JOIN rollouts r ON r.output = ? AND r.observable = u.observable AND r.upstream = u.output"
)
_STOOD: Final = "coalesce(r.stood, u.since + ?)"


class RolloutCount(NamedTuple):
    """How many additions wait, and since when the one that is due first has stood elsewhere."""

    waiting: int
    first: int | None


class Turn(NamedTuple):
    """The output that gets what is new first; what has stood there since `until` is due here.

    `ahead` is by how much the clock was set forward, of which what did not wait yet knows nothing.
    """

    upstream: int
    until: int
    ahead: int = 0


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
        self, transaction: Transaction, output: int, turn: Turn, added: Sequence[int]
    ) -> set[int]:
        """Return those of these observables whose turn at an output has not come."""
        found = set(added)
        for part in parts(added, _PART):
            sql = (
                f"SELECT u.observable FROM ledger u {_WAITING} "  # noqa: S608 - only numbers
                f"WHERE u.output = ? AND u.state IN ({_STANDING}) AND {_STOOD} <= ? "
                f"AND u.observable IN ({numbers(part)})"
            )
            values = (output, turn.upstream, turn.ahead, turn.until)
            found.difference_update(row[0] for row in transaction.rows(sql, values))
        return found

    def all_early(self, transaction: Transaction, output: "OutputState", turn: Turn) -> set[int]:
        """Return all that a list wants, is not at the target, and whose turn has not come."""
        sql = (
            "SELECT e.observable FROM entries e "  # noqa: S608 - only numbers
            "LEFT JOIN ledger l ON l.output = ? AND l.observable = e.observable "
            f"AND l.state IN ({_OURS}) LEFT JOIN ledger u ON u.output = ? "
            f"AND u.observable = e.observable AND u.state IN ({_STANDING}) {_WAITING} "
            "WHERE e.list = ? AND e.wanted = 1 AND l.observable IS NULL "
            f"AND (u.observable IS NULL OR {_STOOD} > ?)"
        )
        values = (
            output.number, turn.upstream, output.number, output.list, turn.ahead, turn.until,
        )  # fmt: skip
        return {number for (number,) in transaction.stream(sql, values)}

    def keep(self, output: int, turn: Turn, waiting: Iterable[int], now: int) -> None:
        """Keep additions until they are due; must be done before what else is due is written."""
        # Since when each has stood is read in the transaction that keeps it: it may just be
        # confirmed, and whoever confirms it later finds it here.
        sql = (
            "INSERT INTO rollouts (output, observable, upstream, stood) VALUES (?, ?, ?, "  # noqa: S608 - only numbers
            "(SELECT CASE WHEN since + ? > ? THEN ? ELSE since + ? END FROM ledger "
            f"WHERE output = ? AND observable = ? AND state IN ({_STANDING}))) "
            "ON CONFLICT (output, observable) DO UPDATE SET upstream = excluded.upstream, "
            "stood = CASE WHEN rollouts.upstream = excluded.upstream AND rollouts.stood "
            "IS NOT NULL AND excluded.stood IS NOT NULL THEN rollouts.stood ELSE excluded.stood END"
        )
        upstream, shift = turn.upstream, (turn.ahead, now, now, turn.ahead)
        rows = [(output, number, upstream, *shift, upstream, number) for number in waiting]
        if rows:
            with self._db.write() as transaction:
                transaction.many(sql, rows)

    def follow_clock(self, output: int, ahead: int, now: int) -> None:
        """Have nothing become due because a clock was set forward by so much, or late if back.

        What would have stood at the other output from later than now on has stood from now on.
        """
        if ahead == 0:
            with self._db.read() as transaction:
                sql = "SELECT 1 FROM rollouts WHERE output = ? AND stood > ? LIMIT 1"
                if transaction.one(sql, (output, now)) is None:
                    return
        with self._db.write() as transaction:
            sql = (
                "UPDATE rollouts SET stood = CASE WHEN stood + ? > ? THEN ? ELSE stood + ? END "
                "WHERE output = ? AND stood IS NOT NULL"
            )
            transaction.run(sql, (ahead, now, now, ahead, output))

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
    """Note at all that waits for an output since when these entries have stood there.

    Those that stood there before are left alone.
    """
    sql = "SELECT 1 FROM rollouts WHERE upstream = ? LIMIT 1"
    if standing and transaction.one(sql, (upstream,)) is not None:
        sql = (
            "UPDATE rollouts SET stood = ? WHERE upstream = ? AND observable = ? AND EXISTS "
            "(SELECT 1 FROM ledger l WHERE l.output = rollouts.upstream "
            "AND l.observable = rollouts.observable AND l.since = ?)"
        )
        transaction.many(sql, [(now, upstream, number, now) for number in standing])


def all_in_rollout(transaction: Transaction, output: int) -> set[int]:
    """Return all additions of an output that wait for another output."""
    rows = transaction.rows("SELECT observable FROM rollouts WHERE output = ?", (output,))
    return {number for (number,) in rows}


def stood_since(transaction: Transaction, output: int, observable: int) -> int | None:
    """Return since when what waits at an output has stood elsewhere; None where it does not."""
    sql = "SELECT stood FROM rollouts WHERE output = ? AND observable = ?"
    found: int | None = transaction.one(sql, (output, observable))
    return found


def rollout_counts(transaction: Transaction) -> dict[int, RolloutCount]:
    """Return how many additions wait for another output, by the number of the output."""
    sql = "SELECT output, count(*), min(stood) FROM rollouts GROUP BY output"
    return {row[0]: RolloutCount(row[1], row[2]) for row in transaction.rows(sql)}
