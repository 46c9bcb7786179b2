"""Where outputs keep their lists: each ledger with its place, also of those left behind.

A ledger belongs to a place. Where an output moves, its ledger stays with the old place, in a row of
its own, until that is cleaned; where the file drops an output, its row stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from connector.decisions.records import OURS, LedgerState
from connector.settings import PUBLISHED_FILE
from connector.store.database import Database, numbers, parts
from connector.store.tallies import ENFORCE_TALLY, OUTPUT_TALLY, REMOVAL_TALLY
from connector.store.transaction import Transaction

Place = tuple[str | None, ...]
# Stands for the file's folder in a path below it: a copied installation stays where it is.
FOLDER: Final = "{folder}"

_PART: Final = 1000
_COLUMNS: Final = "number, name, standing, since, error, adapter, options, types, folder, places"
_OF_AN_OUTPUT: Final = (
    "ledger", "ends", "former_entries", "folds", "full_pools", "holds", "held_changes",
    "counted_changes", "rollouts", "drifts", "lost_entries", "odd_values",
)  # fmt: skip
_OF_A_PLACE: Final = (
    "former_entries", "counted_changes", "full_pools", "lost_entries", "odd_values",
)  # fmt: skip
_TALLIES: Final = (OUTPUT_TALLY, REMOVAL_TALLY, ENFORCE_TALLY)


class Standing(StrEnum):
    """Whether an output is in the file, was dropped from it, or has left this place for another."""

    KEPT = "kept"
    DROPPED = "dropped"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Placing:
    """Where an output keeps its list, and through what: enough to reach the place again.

    `options` is JSON without secrets, `types` what the output might write, `folder` that of
    published files. `places` is empty where the adapter does not say which options identify its
    place: then all of them do.
    """

    adapter: str
    options: str
    types: str
    folder: str
    places: frozenset[Place]

    @property
    def words(self) -> list[str]:
        """The places for people, sorted; the adapter's target where it names none."""
        return sorted(map(_words, self.places)) or [f"target of {self.adapter}"]

    def meets(self, other: "Placing") -> bool:
        """Return whether one adapter keeps both lists, at least in part, at the same place."""
        if self.adapter != other.adapter:
            return False
        if not self.places or not other.places:
            return self.options == other.options
        return bool(self.places & other.places)


@dataclass(frozen=True, slots=True)
class PlacedLedger:
    """A ledger with its place: of which output, since when, and how many entries are ours there.

    `placing` is None where the output was never written.
    """

    number: int
    name: str
    standing: Standing
    since: int | None
    placing: Placing | None
    error: str | None
    entries: int

    @property
    def words(self) -> list[str]:
        """The places for people."""
        return [] if self.placing is None else self.placing.words


def placed_ledgers(transaction: Transaction) -> list[PlacedLedger]:
    """Return the ledgers of all outputs, by number."""
    sql = (
        "SELECT owner, sum(count) FROM tallies WHERE kind = ? "  # noqa: S608 - only numbers
        f"AND bucket IN ({numbers(OURS)}) GROUP BY owner"
    )
    entries = {owner: int(count) for owner, count in transaction.rows(sql, (OUTPUT_TALLY,))}
    rows = transaction.rows(f"SELECT {_COLUMNS} FROM outputs ORDER BY number")  # noqa: S608 - our own columns
    return [
        PlacedLedger(
            row[0], row[1], Standing(row[2]), row[3], _placing(*row[5:]), row[4],
            entries.get(row[0], 0),
        )
        for row in rows
    ]  # fmt: skip


def left_behind(transaction: Transaction, configured: Sequence[str]) -> list[PlacedLedger]:
    """Return what outputs left at places where none of this file keeps it, by number."""
    return [
        ledger
        for ledger in placed_ledgers(transaction)
        if ledger.entries and (ledger.standing != Standing.KEPT or ledger.name not in configured)
    ]


class Places:
    """Moves ledgers with their outputs; each step belongs to a transaction of the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, transaction: Transaction, number: int, placing: Placing, since: int) -> None:
        """Record where an output is kept from now on; a place that stays keeps its `since`."""
        sql = "SELECT places, since FROM outputs WHERE number = ?"
        [(places, had)] = transaction.rows(sql, (number,))
        told = _packed(placing.places)
        sql = (
            "UPDATE outputs SET adapter = ?, options = ?, types = ?, folder = ?, places = ?, "
            "since = ?, standing = ? WHERE number = ?"
        )
        begun = had if had is not None and places == told else since
        transaction.run(sql, (*_columns(placing), begun, Standing.KEPT, number))

    def drop(self, transaction: Transaction, number: int, name: str, now: int) -> None:
        """Record that the file no longer names an output."""
        _move_texts(transaction, name, texts_of(number))
        sql = "UPDATE outputs SET standing = ?, since = ?, error = NULL WHERE number = ?"
        transaction.run(sql, (Standing.DROPPED, now, number))

    def rename(self, transaction: Transaction, number: int, name: str, now: int) -> None:
        """Let an output of another name, or the same again, have a ledger as it stands."""
        _move_texts(transaction, texts_of(number), name)
        sql = "UPDATE outputs SET name = ?, standing = ?, since = ? WHERE number = ?"
        transaction.run(sql, (name, Standing.KEPT, now, number))
        _look_again(transaction, number)

    def leave(
        self,
        transaction: Transaction,
        ledger: PlacedLedger,
        placing: Placing,
        observables: Sequence[int] | None,
        now: int,
    ) -> int:
        """Leave a ledger, or these entries of it, at a place, in a row of its own; return that."""
        number: int = (transaction.one("SELECT max(number) FROM outputs") or 0) + 1
        sql = (
            "INSERT INTO outputs (number, name, list, setup, version, standing, since, adapter, "
            "options, types, folder, places) SELECT ?, name, list, setup, version, ?, ?, ?, ?, ?, "
            "?, ? FROM outputs WHERE number = ?"
        )
        begun = (number, Standing.MOVED, now)
        transaction.run(sql, (*begun, *_columns(placing), ledger.number))
        _hand_over(transaction, ledger.number, number, observables)
        if observables is None:
            _move_texts(transaction, ledger.name, texts_of(number))
        return number

    def share(
        self, transaction: Transaction, left: int, number: int, observables: Sequence[int] | None
    ) -> None:
        """Have an output know those of the entries that it left that are also where it still is.

        None has it know all of them.
        """
        chosen = [""] if observables is None else [
            f" AND observable IN ({numbers(part)})" for part in parts(observables, _PART)
        ]  # fmt: skip
        columns = "observable, state, digest, since, why, handle, ends, source"
        for which in chosen:
            sql = (
                f"INSERT INTO ledger (output, {columns}) SELECT ?, {columns} FROM ledger "  # noqa: S608 - only numbers
                f"WHERE output = ?{which} AND observable NOT IN "
                "(SELECT l.observable FROM ledger l WHERE l.output = ?)"
            )
            transaction.run(sql, (number, left, number))
        _count(transaction, number)

    def begin(self, transaction: Transaction, number: int) -> None:
        """Let an output begin at a new place: what it had at the old one says nothing of it."""
        sql = f"DELETE FROM ledger WHERE output = ? AND state NOT IN ({numbers(OURS)})"  # noqa: S608 - only numbers
        transaction.run(sql, (number,))
        _count(transaction, number)
        for table in _OF_A_PLACE:
            transaction.run(f"DELETE FROM {table} WHERE output = ?", (number,))  # noqa: S608 - our own tables
        transaction.run("UPDATE outputs SET seq = 0 WHERE number = ?", (number,))
        _look_again(transaction, number)

    def take_texts(self, transaction: Transaction, source: int, name: str) -> None:
        """Give the texts of an adapter that go with a ledger to the output that has it now."""
        _move_texts(transaction, texts_of(source), name)

    def take_over(
        self, transaction: Transaction, source: int, number: int,
        observables: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        """Give a ledger that was left, or these entries of it, to the output that is there now."""
        _hand_over(transaction, source, number, observables)
        _look_again(transaction, number)

    def narrow(self, transaction: Transaction, number: int, places: frozenset[Place]) -> None:
        """Record which places a ledger that was left still has."""
        sql = "UPDATE outputs SET places = ? WHERE number = ?"
        transaction.run(sql, (_packed(places), number))

    def forget(self, transaction: Transaction, number: int) -> None:
        """Delete a ledger that was left, and all that belongs to it."""
        transaction.run("DELETE FROM texts WHERE output = ?", (texts_of(number),))
        for table in _OF_AN_OUTPUT:
            transaction.run(f"DELETE FROM {table} WHERE output = ?", (number,))  # noqa: S608 - our own tables
        for kind in _TALLIES:
            sql = "DELETE FROM tallies WHERE kind = ? AND owner = ?"
            transaction.run(sql, (kind, number))
        transaction.run("DELETE FROM outputs WHERE number = ?", (number,))

    def found_there(self, transaction: Transaction, number: int, left: int) -> tuple[int, int]:
        """Return how many entries of a ledger that was left another one found at its own place.

        The second number is how many of them it added there.
        """
        sql = (
            "SELECT o.state, count(*) FROM ledger l JOIN ledger o ON o.output = ? "  # noqa: S608 - only numbers
            "AND o.observable = l.observable "
            f"WHERE l.output = ? AND l.state IN ({numbers(OURS)}) GROUP BY o.state"
        )
        counts = {state: int(count) for state, count in transaction.rows(sql, (number, left))}
        return counts.get(LedgerState.FOREIGN, 0), sum(counts.get(mark, 0) for mark in OURS)

    def note_error(self, number: int, error: str) -> None:
        """Record why a place that was left could not be cleaned."""
        with self._db.write() as transaction:
            transaction.run("UPDATE outputs SET error = ? WHERE number = ?", (error, number))


def texts_of(number: int) -> str:
    """Return what stands for an output's name with the texts of a ledger that was left."""
    return f"#{number}"


def _move_texts(transaction: Transaction, before: str, after: str) -> None:
    """Let the texts that an adapter keeps stay with their ledger."""
    transaction.run("DELETE FROM texts WHERE output = ?", (after,))
    transaction.run("UPDATE texts SET output = ? WHERE output = ?", (after, before))


def _hand_over(
    transaction: Transaction, source: int, number: int, observables: Sequence[int] | None
) -> None:
    """Move what is ours from one ledger to another; what both have stays as the other has it."""
    chosen = [""] if observables is None else [
        f" AND observable IN ({numbers(part)})" for part in parts(observables, _PART)
    ]  # fmt: skip
    mine = numbers(OURS)
    for which in chosen:
        sql = (
            f"DELETE FROM ledger WHERE output = ?{which} AND state NOT IN ({mine}) "  # noqa: S608 - only numbers
            "AND observable IN (SELECT l.observable FROM ledger l WHERE l.output = ?)"
        )
        transaction.run(sql, (number, source))
        sql = (
            f"DELETE FROM ledger WHERE output = ?{which} "  # noqa: S608 - only numbers
            "AND observable IN (SELECT l.observable FROM ledger l WHERE l.output = ?)"
        )
        transaction.run(sql, (source, number))
        sql = f"UPDATE ledger SET output = ? WHERE output = ?{which} AND state IN ({mine})"  # noqa: S608 - only numbers
        transaction.run(sql, (number, source))
        sql = (
            f"UPDATE ends SET output = ? WHERE output = ?{which} AND observable NOT IN "  # noqa: S608 - only numbers
            "(SELECT e.observable FROM ends e WHERE e.output = ?)"
        )
        transaction.run(sql, (number, source, number))
    _count(transaction, source)
    _count(transaction, number)


def _count(transaction: Transaction, number: int) -> None:
    """Count a ledger's entries by mark anew."""
    sql = "DELETE FROM tallies WHERE kind = ? AND owner = ?"
    transaction.run(sql, (OUTPUT_TALLY, number))
    sql = (
        "INSERT INTO tallies (kind, owner, bucket, count) "  # noqa: S608 - only numbers
        f"SELECT {OUTPUT_TALLY}, output, state, count(*) FROM ledger "
        "WHERE output = ? GROUP BY output, state"
    )
    transaction.run(sql, (number,))


def _look_again(transaction: Transaction, number: int) -> None:
    """Have the target read before anything is said of it."""
    sql = (
        "UPDATE outputs SET setup = ?, verified_at = NULL, unread = 1, stamp = NULL, inactive = 0, "
        "largest_batch = NULL "
        "WHERE number = ?"
    )
    transaction.run(sql, (b"", number))


def _columns(placing: Placing) -> tuple[str, ...]:
    packed = _packed(placing.places)
    return (placing.adapter, placing.options, placing.types, placing.folder, packed)


def _words(place: Place) -> str:
    kind, *rest = [part.replace(f"{FOLDER}/", "") for part in place if part is not None]
    return f"{kind} {('/' if kind == PUBLISHED_FILE else ' ').join(rest)}"


def _packed(places: frozenset[Place]) -> str:
    ordered = sorted(places, key=lambda place: [part or "" for part in place])
    return msgspec.json.encode(ordered).decode()


def _placing(
    adapter: str | None, options: str, types: str, folder: str, places: str
) -> Placing | None:
    if adapter is None:
        return None
    said: list[Any] = msgspec.json.decode(places)
    return Placing(adapter, options, types, folder, frozenset(map(tuple, said)))
