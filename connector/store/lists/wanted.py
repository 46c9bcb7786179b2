"""What outputs read of their list: the entries it wants, and why others are not among them."""

from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec

from connector.decisions.decide import Merged
from connector.decisions.records import CODES, ClaimRow, ObjectState, reason_of
from connector.errors import UndecidedError
from connector.indicators.observables.keys import key_of
from connector.instants import NEVER
from connector.model import Reason, Subject, Tlp
from connector.store.database import Database, marks, numbers, parts
from connector.store.feeds.claims import CLAIM_COLUMNS
from connector.store.interning import FIRST_LANGUAGE, subject
from connector.store.tallies import LIST_TALLY, SOURCE_TALLY, tallies
from connector.store.transaction import Transaction

_PART: Final = 1000
_STANDING: Final = numbers((ObjectState.CURRENT, ObjectState.DISPUTED))
_LEVELS: Final = {int(level): level for level in Tlp}
_CLAIM: Final = 10  # the column with the claim's number
_CARRIED: Final = (
    "SELECT e.observable, b.type, b.value, e.rank, e.confidence, e.until, e.tlp, e.first_seen, "  # noqa: S608 - our own columns
    f"o.key, e.source, {CLAIM_COLUMNS} FROM entries e "
    "JOIN observables b ON b.number = e.observable LEFT JOIN claims c ON c.number = e.claim "
    "LEFT JOIN objects o ON o.number = c.object WHERE e.list = ? AND e.wanted = 1 "
)
_BARE: Final = (
    "SELECT e.observable, b.type, b.value, e.until, e.source, c.number FROM entries e "
    "JOIN observables b ON b.number = e.observable LEFT JOIN claims c ON c.number = e.claim "
    "WHERE e.list = ? AND e.wanted = 1 "
)
_CARRIERS: Final = (
    "SELECT e.observable, b.type, b.value, o.key FROM entries e "
    "JOIN observables b ON b.number = e.observable JOIN claims c ON c.number = e.claim "
    "JOIN objects o ON o.number = c.object WHERE e.list = ? AND e.wanted = 1 "
)
_VALUES: Final = (
    "SELECT e.observable, b.type, b.value, {column} FROM entries e "
    "JOIN observables b ON b.number = e.observable WHERE e.list = ? AND e.wanted = 1 "
)


class WantedRow(msgspec.Struct, frozen=True, gc=False):
    """An entry that a list wants, what all its claims say, and the one that carries it.

    `source` is the feed that alone claims it; 0 where several do.
    """

    number: int
    observable: Subject
    rank: int
    merged: Merged
    indicator: bytes
    source: int
    claim: ClaimRow

    @property
    def ends(self) -> int:
        """When the entry expires by what is known now."""
        return self.merged.until


class BareRow(msgspec.Struct, frozen=True, gc=False):
    """An entry that a list wants, without what only a mapping asks for."""

    number: int
    observable: Subject
    ends: int
    source: int


class WantedEntries:
    """Reads what lists want; large answers are streamed."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list_seq(self, transaction: Transaction, list_number: int) -> int:
        """Return the latest sequence number of a list."""
        sql = "SELECT seq FROM lists WHERE number = ?"
        return int(transaction.one(sql, (list_number,)) or 0)

    def is_decided(self, transaction: Transaction, list_number: int) -> bool:
        """Return whether a list is complete: no refresh is running or was interrupted."""
        sql = "SELECT decided_at FROM lists WHERE number = ?"
        return transaction.one(sql, (list_number,)) is not None

    def rules_are_decided(self, transaction: Transaction, list_number: int) -> bool:
        """Return whether the list has considered the latest version of every rule."""
        sql = (
            "SELECT 1 FROM observables WHERE type >= ? AND touched > "
            "(SELECT touched FROM lists WHERE number = ?) LIMIT 1"
        )
        return transaction.one(sql, (FIRST_LANGUAGE, list_number)) is None

    def count(self, transaction: Transaction, list_number: int) -> int:
        """Return how many entries a list wants."""
        found = tallies(transaction, LIST_TALLY, list_number)
        return found.get(CODES[Reason.WANTED], 0)

    def brings(self, transaction: Transaction, list_number: int, feed: int) -> bool:
        """Return whether a list wants anything of a feed, be it of others as well."""
        if tallies(transaction, SOURCE_TALLY, list_number).get(feed):
            return True
        sql = (
            "SELECT 1 FROM entries e JOIN claims c ON c.observable = e.observable "  # noqa: S608 - only numbers
            "JOIN objects o ON o.number = c.object WHERE e.list = ? AND e.wanted = 1 "
            f"AND e.source = 0 AND o.feed = ? AND o.state IN ({_STANDING}) LIMIT 1"
        )
        return transaction.one(sql, (list_number, feed)) is not None

    def rows(
        self, transaction: Transaction, list_number: int, after: int | None
    ) -> Iterator[WantedRow]:
        """Yield what the list wants, sorted by number; of late changes only, given `after`.

        Raises UndecidedError where the claim that carried an entry is gone.
        """
        return self._carried(transaction, list_number, _late(after))

    def bare_rows(
        self, transaction: Transaction, list_number: int, after: int | None
    ) -> Iterator[BareRow]:
        """Yield the same as `rows`, without what only a mapping asks for, at half the cost."""
        asked = _BARE + _late(after)
        for row in transaction.stream(asked, (list_number,)):
            number, code, value, until, source, claim = row
            if claim is None:
                raise self._undecided(transaction, list_number)
            ends = NEVER if until is None else until
            yield BareRow(number, subject(code, value), ends, source)

    def carriers_among(
        self, transaction: Transaction, list_number: int, observables: Sequence[int]
    ) -> Iterator[tuple[int, Subject, bytes]]:
        """Yield number, observable and the key of the indicator that carries it, as `rows_among`.

        That is what the audit keeps of each entry.
        """
        for part in parts(observables, _PART):
            sql = _CARRIERS + f"AND e.observable IN ({numbers(part)}) ORDER BY e.observable"
            for number, code, value, key in transaction.rows(sql, (list_number,)):
                yield number, subject(code, value), bytes(key)

    def rows_among(
        self, transaction: Transaction, list_number: int, observables: Sequence[int]
    ) -> Iterator[WantedRow]:
        """Yield what the list wants of these observables, sorted by number, as far as it can."""
        for part in parts(observables, _PART):
            sql = _CARRIED + f"AND e.observable IN ({numbers(part)}) ORDER BY e.observable"
            rows = transaction.rows(sql, (list_number,))
            yield from (_wanted_row(row) for row in rows if row[_CLAIM] is not None)

    def among(
        self, transaction: Transaction, list_number: int, observables: Sequence[int]
    ) -> set[int]:
        """Return those of these observables that the list wants."""
        found: set[int] = set()
        for part in parts(observables, _PART):
            sql = (
                "SELECT observable FROM entries "  # noqa: S608 - only numbers
                f"WHERE list = ? AND wanted = 1 AND observable IN ({numbers(part)})"
            )
            found.update(number for (number,) in transaction.rows(sql, (list_number,)))
        return found

    def rows_sorted(self, transaction: Transaction, list_number: int) -> Iterator[WantedRow]:
        """Yield all that the list wants in the order of the observables' keys.

        Raises UndecidedError where the claim that carried an entry is gone.
        """
        return self._carried(transaction, list_number, "ORDER BY b.key")

    def _carried(
        self, transaction: Transaction, list_number: int, rest: str
    ) -> Iterator[WantedRow]:
        """Yield wanted entries with their claims; without its claim one would seem unwanted."""
        for row in transaction.stream(_CARRIED + rest, (list_number,)):
            if row[_CLAIM] is None:
                raise self._undecided(transaction, list_number)
            yield _wanted_row(row)

    def _undecided(self, transaction: Transaction, list_number: int) -> UndecidedError:
        name = transaction.one("SELECT name FROM lists WHERE number = ?", (list_number,))
        return UndecidedError(f"list {name} must be decided again: a feed has changed since")

    def values_sorted(
        self, transaction: Transaction, list_number: int
    ) -> Iterator[tuple[int, Subject, int]]:
        """Yield number, observable and rank of all that the list wants, sorted by key."""
        return self._values(transaction, list_number, "e.rank", "ORDER BY b.key")

    def ranks(
        self, transaction: Transaction, list_number: int
    ) -> Iterator[tuple[int, Subject, int]]:
        """Yield number, observable and source of all that the list wants, best first."""
        best_first = "ORDER BY e.rank DESC, e.observable"
        return self._values(transaction, list_number, "e.source", best_first)

    def ranks_among(
        self, transaction: Transaction, list_number: int, observables: Sequence[int]
    ) -> list[tuple[int, Subject]]:
        """Return number and observable of what the list wants of these, best first."""
        ranked: list[tuple[int, int, Subject]] = []
        asked = _VALUES.format(column="e.rank")
        for part in parts(observables, _PART):
            sql = f"{asked} AND e.observable IN ({numbers(part)})"
            rows = transaction.rows(sql, (list_number,))
            ranked += [(-rank, number, subject(code, value)) for number, code, value, rank in rows]
        return [(number, one) for _rank, number, one in sorted(ranked, key=itemgetter(0, 1))]

    def ends_among(
        self, transaction: Transaction, list_number: int, observables: Sequence[int]
    ) -> dict[int, int]:
        """Return when those of these observables expire that the list wants."""
        found: dict[int, int] = {}
        for part in parts(observables, _PART):
            sql = (
                f"SELECT observable, coalesce(until, {NEVER}) FROM entries "  # noqa: S608 - only numbers
                f"WHERE list = ? AND wanted = 1 AND observable IN ({numbers(part)})"
            )
            found.update(map(tuple, transaction.rows(sql, (list_number,))))
        return found

    def changed(self, transaction: Transaction, list_number: int, after: int) -> list[int]:
        """Return the observables that came or went or changed after a sequence number."""
        sql = "SELECT observable FROM entries WHERE list = ? AND seq > ?"
        return [number for (number,) in transaction.rows(sql, (list_number, after))]

    def _values(
        self, transaction: Transaction, list_number: int, column: str, order: str
    ) -> Iterator[tuple[int, Subject, int]]:
        asked = _VALUES.format(column=column) + order
        for number, code, value, told in transaction.stream(asked, (list_number,)):
            yield number, subject(code, value), told

    def reasons_among(
        self, transaction: Transaction, list_number: int, observables: Sequence[int]
    ) -> dict[int, Reason]:
        """Return why these observables are not on the list."""
        found: dict[int, Reason] = {}
        for part in parts(observables, _PART):
            sql = (
                "SELECT observable, reason FROM entries "  # noqa: S608 - only numbers
                f"WHERE list = ? AND wanted = 0 AND observable IN ({numbers(part)})"
            )
            rows = transaction.rows(sql, (list_number,))
            found.update((number, reason_of(code)) for number, code in rows)
        return found

    def not_wanted(
        self, transaction: Transaction, list_number: int, observables: Collection[int]
    ) -> set[int]:
        """Return those of these observables that the list does not want, or never knew."""
        left = set(observables)
        for part in parts(sorted(observables), _PART):
            sql = (
                "SELECT observable FROM entries "  # noqa: S608 - only numbers
                f"WHERE list = ? AND wanted = 1 AND observable IN ({numbers(part)})"
            )
            left.difference_update(row[0] for row in transaction.rows(sql, (list_number,)))
        return left

    def numbers_of(
        self, transaction: Transaction, observables: Sequence[Subject]
    ) -> dict[Subject, int]:
        """Return the numbers of those observables that the store knows."""
        keys = {key_of(observable): observable for observable in observables}
        found: dict[Subject, int] = {}
        for part in parts(list(keys), _PART):
            sql = f"SELECT key, number FROM observables WHERE key IN ({marks(part)})"  # noqa: S608 - only marks
            rows = transaction.rows(sql, part)
            found.update((keys[bytes(key)], number) for key, number in rows)
        return found

    def observables_of(
        self, transaction: Transaction, wanted: Sequence[int]
    ) -> Iterator[tuple[int, Subject]]:
        """Yield observables by number."""
        for part in parts(wanted, _PART):
            sql = (
                "SELECT number, type, value FROM observables "  # noqa: S608 - only numbers
                f"WHERE number IN ({numbers(part)}) ORDER BY number"
            )
            for number, code, value in transaction.rows(sql):
                yield number, subject(code, value)


def _late(after: int | None) -> str:
    """Return the order by number, of late changes only, given `after`."""
    late = "" if after is None else f"AND e.seq > {int(after)} "
    # The plus keeps SQLite from walking the whole list in this order for a few late changes.
    return late + "ORDER BY +e.observable"


def _wanted_row(row: Any) -> WantedRow:
    confidence, until, tlp, first_seen = row[4:8]
    merged = Merged(confidence, NEVER if until is None else until, _LEVELS[tlp], first_seen)
    return WantedRow(
        row[0],
        subject(row[1], row[2]),
        row[3],
        merged,
        bytes(row[8]),
        row[9],
        ClaimRow._make(row[_CLAIM:]),
    )
