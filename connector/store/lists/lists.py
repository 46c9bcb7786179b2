"""The lists' side of the store: the decision on every observable, with counted reasons."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from connector.decisions.decide import Decision
from connector.decisions.records import CODES, ClaimKind, ClaimRow
from connector.model import Reason, Subject
from connector.store.change_times import Learned
from connector.store.database import Database, numbers
from connector.store.feeds.claims import CLAIM_COLUMNS
from connector.store.interning import subject
from connector.store.lists.entry_rows import (
    UNCLAIMED,
    EntryRow,
    Onsets,
    RefreshResult,
    entry_row,
    news_of,
)
from connector.store.lists.reason_blocks import Buckets
from connector.store.lists.suppressions import Protectors
from connector.store.soundness import Soundness
from connector.store.tallies import (
    LIST_TALLY,
    SOURCE_TALLY,
    add_to_tallies,
    reasons_of,
    tallies,
)
from connector.store.transaction import Transaction

CHUNK: Final = 4000
_RETIRED: Final = 1 << 62  # a list that is no longer in the file has nothing left to consider
_CLAIM_ROWS: Final = (
    f"SELECT c.observable, {CLAIM_COLUMNS} FROM claims c JOIN objects o ON o.number = c.object "  # noqa: S608 - our own columns
    "WHERE {where} ORDER BY c.observable, c.number"
)
_STATIC: Final = {
    int(ClaimKind.UNREADABLE): CODES[Reason.UNREADABLE],
    int(ClaimKind.UNSUPPORTED): CODES[Reason.UNSUPPORTED_PATTERN],
    int(ClaimKind.NOT_ENFORCEABLE): CODES[Reason.NOT_ENFORCEABLE],
}
_COLUMNS: Final = ", ".join(EntryRow._fields)
# Where these stand in a row of entries, behind its observable.
_WANTED: Final = 1 + EntryRow._fields.index("wanted")
_CARRIER: Final = 1 + EntryRow._fields.index("claim")
_SOURCE: Final = 1 + EntryRow._fields.index("source")

# Observables, each with all claims on it, to what becomes of each.
Decider = Callable[[Sequence[tuple[Subject, Sequence[ClaimRow]]]], Iterable[Decision]]


@dataclass(frozen=True, slots=True)
class ListState:
    """The progress of a list: what it has considered, and its latest sequence number."""

    number: int
    seq: int
    touched: int
    claim: int
    decided_at: int | None


class ListStore:
    """Keeps the decisions of all lists."""

    def __init__(self, database: Database, soundness: Soundness) -> None:
        self._db = database
        self._soundness = soundness
        self._protectors = Protectors(database)
        self._buckets = Buckets(database)

    def open(self, name: str) -> ListState:
        """Return the progress of a list, creating it on first use."""
        with self._db.write() as transaction:
            sql = "SELECT number FROM lists WHERE name = ?"
            number = transaction.one(sql, (name,))
            if number is None:
                number = (transaction.one("SELECT max(number) FROM lists") or 0) + 1
                sql = "INSERT INTO lists (number, name) VALUES (?, ?)"
                transaction.run(sql, (number, name))
            sql = "UPDATE lists SET touched = -1 WHERE number = ? AND touched = ?"
            transaction.run(sql, (number, _RETIRED))
            return self._state(transaction, number)

    def _state(self, transaction: Transaction, number: int) -> ListState:
        sql = "SELECT number, seq, touched, claim, decided_at FROM lists WHERE number = ?"
        return ListState(*transaction.rows(sql, (number,))[0])

    def refresh(
        self,
        number: int,
        decide: Decider,
        *,
        everything: bool,
        now: int,
        progress: Callable[[int], None] = lambda _considered: None,
    ) -> RefreshResult:
        """Decide anew on all observables in scope; each chunk is one transaction.

        From the first change to the end the list has no `decided_at`: nobody plans from half of it.
        """
        with self._db.read() as transaction:
            state = self._state(transaction, number)
            limits = self._limits(transaction)
            onsets = Onsets(Learned(transaction, state.touched), now)
            scope = (
                _ranges(limits.observable)
                if everything
                else self._changed(transaction, state, limits, now)
            )
        done = RefreshResult()
        for where in scope:
            with self._db.write() as transaction:
                self._decide_chunk(transaction, state, where, decide, onsets, done)
            progress(done.considered)
        with self._db.write() as transaction:
            self._settle_static(transaction, state, limits)
            sql = "UPDATE lists SET touched = ?, claim = ?, decided_at = ? WHERE number = ?"
            transaction.run(sql, (limits.touched, limits.claim, now, number))
            self._forget_departures(transaction)
        return done

    def _limits(self, transaction: Transaction) -> "_Limits":
        one = transaction.one
        touched = one("SELECT max(touched) FROM observables") or 0
        departed = one("SELECT max(touched) FROM departures") or 0
        return _Limits(
            one("SELECT max(number) FROM observables") or 0,
            one("SELECT max(number) FROM claims") or 0,
            max(touched, departed),
        )

    def _changed(
        self, transaction: Transaction, state: ListState, limits: "_Limits", now: int
    ) -> list[str]:
        """Return the observables that feeds touched, and those whose time has come."""
        sql = "SELECT number FROM observables WHERE touched > ? AND touched <= ?"
        rows = transaction.rows(sql, (state.touched, limits.touched))
        sql = "SELECT observable FROM entries WHERE list = ? AND recheck <= ?"
        rows += transaction.rows(sql, (state.number, now))
        found = sorted({row[0] for row in rows})
        parts = (found[at : at + CHUNK] for at in range(0, len(found), CHUNK))
        return [f"{{column}} IN ({numbers(part)})" for part in parts]

    def _decide_chunk(
        self,
        transaction: Transaction,
        state: ListState,
        where: str,
        decide: Decider,
        onsets: "Onsets",
        done: RefreshResult,
    ) -> None:
        observables = self._observables(transaction, where)
        done.considered += len(observables)
        claims = _CLAIM_ROWS.format(where=where.format(column="c.observable"))
        old = self._entries(transaction, state.number, where)
        marks: list[tuple[int, int]] = []
        rows: list[tuple[Any, ...]] = []
        missing: list[int] = []
        seq = transaction.one("SELECT seq FROM lists WHERE number = ?", (state.number,)) + 1
        chunk = {
            number: [ClaimRow._make(row[1:]) for row in group]
            for number, group in groupby(transaction.rows(claims), itemgetter(0))
            if number in observables
        }
        decisions = decide([(observables[number][0], said) for number, said in chunk.items()])
        for (number, said), decision in zip(chunk.items(), decisions, strict=True):
            _observable, touched = observables.pop(number)
            codes = self._protectors.codes(transaction, decision)
            marks += zip((claim.number for claim in said), codes, strict=True)
            entry, held = entry_row(decision), old.get(number)
            row = news_of(state.number, number, seq, entry, held, done, onsets, touched)
            if row:
                rows.append(row)
                missing += _missing_carrier(held, said, touched, state)
        for number, (_observable, touched) in observables.items():  # these have no claims any more
            gone, held = UNCLAIMED, old.get(number)
            row = news_of(state.number, number, seq, gone, held, done, onsets, touched)
            if row:
                rows.append(row)
                missing += _missing_carrier(held, (), touched, state)
        if missing:
            self._soundness.expect_gone(transaction, missing)
        self._put(transaction, state.number, seq, rows)
        add_to_tallies(transaction, SOURCE_TALLY, state.number, _sources(old, rows))
        self._buckets.mark(transaction, state.number, marks)

    def _observables(self, transaction: Transaction, where: str) -> dict[int, tuple[Subject, int]]:
        """Return observables by number, each with the number of its latest change."""
        sql = (
            "SELECT number, type, value, touched FROM observables "  # noqa: S608 - only numbers
            f"WHERE {where.format(column='number')}"
        )
        return {
            number: (subject(code, value), touched)
            for number, code, value, touched in transaction.rows(sql)
        }

    def _entries(self, transaction: Transaction, number: int, where: str) -> dict[int, Any]:
        sql = (
            f"SELECT observable, {_COLUMNS}, seq, since "  # noqa: S608 - only numbers
            f"FROM entries WHERE list = ? AND {where.format(column='observable')}"
        )
        return {row[0]: row for row in transaction.rows(sql, (number,))}

    def _put(
        self, transaction: Transaction, number: int, seq: int, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        if not rows:
            return
        sql = (
            f"INSERT INTO entries (list, observable, {_COLUMNS}, seq, since) "  # noqa: S608 - our own columns
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (list, observable) DO UPDATE SET "
            "wanted = excluded.wanted, claim = excluded.claim, reason = excluded.reason, "
            "stamp = excluded.stamp, rank = excluded.rank, recheck = excluded.recheck, "
            "confidence = excluded.confidence, until = excluded.until, tlp = excluded.tlp, "
            "first_seen = excluded.first_seen, source = excluded.source, "
            "seq = excluded.seq, since = excluded.since"
        )
        transaction.many(sql, rows)
        transaction.run(
            "UPDATE lists SET seq = ?, decided_at = NULL WHERE number = ?",
            (seq, number),
        )

    def _settle_static(self, transaction: Transaction, state: ListState, limits: "_Limits") -> None:
        """Count the claims without observable, and take out those that are gone."""
        sql = "SELECT number, kind FROM claims WHERE observable = 0 AND number > ? AND number <= ?"
        rows = transaction.rows(sql, (state.claim, limits.claim))
        marks = [(number, _STATIC[kind]) for number, kind in rows]
        sql = "SELECT claim FROM departures WHERE touched > ? AND touched <= ?"
        gone = transaction.rows(sql, (state.touched, limits.touched))
        self._buckets.mark(transaction, state.number, marks + [(row[0], 0) for row in gone])

    def _forget_departures(self, transaction: Transaction) -> None:
        """Drop departures that every list has passed, but for the latest: numbers stay fresh."""
        passed = transaction.one("SELECT min(touched) FROM lists")
        highest = transaction.one("SELECT max(claim) FROM departures")
        if passed is not None and highest is not None:
            sql = "DELETE FROM departures WHERE touched < ? AND claim < ?"
            transaction.run(sql, (passed, highest))

    def counts(self, transaction: Transaction, number: int) -> dict[Reason, int]:
        """Return how many claims stand in each bucket of a list."""
        found = tallies(transaction, LIST_TALLY, number)
        return reasons_of(found)

    def retire(self, names: Collection[str]) -> list[str]:
        """Forget the entries of lists that the file no longer names; return these lists.

        Number and sequence stay: to an output that carries such a list again, all of it is news,
        and so is what it left there and the list no longer knows.
        """
        with self._db.write() as transaction:
            sql = "SELECT number, name FROM lists WHERE touched < ?"
            rows = transaction.rows(sql, (_RETIRED,))
            gone = {name: number for number, name in rows if name not in names}
            for number in gone.values():
                for table in ("entries", "buckets"):
                    sql = f"DELETE FROM {table} WHERE list = ?"  # noqa: S608 - our own tables
                    transaction.run(sql, (number,))
                sql = "DELETE FROM tallies WHERE kind IN (?, ?) AND owner = ?"
                transaction.run(sql, (LIST_TALLY, SOURCE_TALLY, number))
                sql = "UPDATE outputs SET verified_at = NULL WHERE list = ?"
                transaction.run(sql, (number,))
                sql = "UPDATE lists SET touched = ?, claim = 0, decided_at = NULL WHERE number = ?"
                transaction.run(sql, (_RETIRED, number))
        return sorted(gone)


def _sources(old: Mapping[int, Any], rows: Sequence[tuple[Any, ...]]) -> Counter[int]:
    """Return how many entries each feed alone brings to a list more than before."""
    changes: Counter[int] = Counter()
    for row in rows:
        held = old.get(row[1])
        if held is not None and held[_WANTED]:
            changes[held[_SOURCE]] -= 1
        if row[1 + _WANTED]:
            changes[row[1 + _SOURCE]] += 1
    return changes


def _missing_carrier(
    held: Any, said: Sequence[ClaimRow], touched: int, state: ListState
) -> tuple[int, ...]:
    """Return the claim that carried an entry where it was not found, and nobody took it back."""
    if held is None or not held[_WANTED] or touched > state.touched:
        return ()
    carrier = held[_CARRIER]
    return () if any(claim.number == carrier for claim in said) else (carrier,)


@dataclass(frozen=True, slots=True)
class _Limits:
    observable: int
    claim: int
    touched: int


def _ranges(highest: int) -> Iterator[str]:
    for at in range(0, highest, CHUNK):
        yield f"{{column}} > {at} AND {{column}} <= {at + CHUNK}"
