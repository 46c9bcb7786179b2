"""What was found at each target that is not as we left it: drift, lost entries, odd values."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from connector.store.database import Database
from connector.store.transaction import Transaction

TOLD_FROM: Final = 3
"""So many writes in a row that were never read back are no mishap."""
_MOST: Final = 10_000


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


class LostEntry(NamedTuple):
    """How many writes of an entry in a row were never read back, and when that was last found."""

    times: int
    at: int


class OddValues(NamedTuple):
    """How many values of a type a target gave in no canonical form, when it was last read."""

    type: str
    entries: int
    at: int


class Surprises:
    """Keeps what was noticed of each output's target, as of the last time that it was read."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def lost(self, transaction: Transaction, output: int) -> dict[int, LostEntry]:
        """Return the entries that were missing when the target was read last, by number."""
        sql = "SELECT observable, times, at FROM lost_entries WHERE output = ?"
        return {row[0]: LostEntry(*row[1:]) for row in transaction.rows(sql, (output,))}

    def keep_lost(self, output: int, lost: Mapping[int, LostEntry]) -> None:
        """Keep these, which are all that is missing: the rest was seen, or is wanted no more."""
        often = sorted(lost, key=lambda number: (-lost[number].times, number))[:_MOST]
        kept = {number: lost[number] for number in often}
        with self._db.read() as transaction:
            if kept == self.lost(transaction, output):
                return
        with self._db.write() as transaction:
            transaction.run("DELETE FROM lost_entries WHERE output = ?", (output,))
            sql = "INSERT INTO lost_entries (output, observable, times, at) VALUES (?,?,?,?)"
            transaction.many(sql, [(output, number, *one) for number, one in kept.items()])

    def keep_odd(self, output: int, odd: Mapping[str, int], now: int) -> bool:
        """Keep how many values of each type were odd; return whether that is news."""
        with self._db.read() as transaction:
            known = {one.type: one.entries for one in odd_values(transaction).get(output, ())}
        if known == odd:
            return False
        with self._db.write() as transaction:
            transaction.run("DELETE FROM odd_values WHERE output = ?", (output,))
            sql = "INSERT INTO odd_values (output, type, count, at) VALUES (?,?,?,?)"
            transaction.many(sql, [(output, *one, now) for one in sorted(odd.items())])
        return bool(odd)


def odd_values(transaction: Transaction) -> dict[int, list[OddValues]]:
    """Return what each output's target gave in no canonical form, by the output's number."""
    found: dict[int, list[OddValues]] = {}
    sql = "SELECT output, type, count, at FROM odd_values ORDER BY output, type"
    for output, *row in transaction.rows(sql):
        found.setdefault(output, []).append(OddValues(*row))
    return found


def never_read_back(transaction: Transaction) -> dict[int, list[OddValues]]:
    """Return how many entries of each type were lost so often that it is told, by output."""
    found: dict[int, list[OddValues]] = {}
    sql = (
        "SELECT l.output, b.type, count(*), max(l.at) FROM lost_entries l "
        "JOIN observables b ON b.number = l.observable WHERE l.times >= ? "
        "GROUP BY l.output, b.type ORDER BY l.output, b.type"
    )
    for output, code, entries, at in transaction.rows(sql, (TOLD_FROM,)):
        from connector.store.interning import TYPES  # noqa: PLC0415 - hardly ever needed

        found.setdefault(output, []).append(OddValues(TYPES[code - 1].value, entries, at))
    return found
