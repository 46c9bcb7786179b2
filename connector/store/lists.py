"""The lists' side of the store: what is decided about every observable, and why, counted.

Reasons are one byte a claim in compressed blocks by claim number; the change from the old byte to
the new one is also the change of the count, so the sums are exact without counting again.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from connector.decisions.policy import CODES, NEVER, ClaimRow, Decision, Kind
from connector.model import Reason, Subject, Tlp
from connector.store.claims import CLAIM_COLUMNS
from connector.store.database import Database, numbers
from connector.store.interning import subject
from connector.store.suppressions import Protectors
from connector.store.tallies import LIST_TALLY, add_to_tallies, reasons_of, tallies
from connector.store.touches import Learned

BLOCK: Final = 4096
CHUNK: Final = 4000
_RETIRED: Final = 1 << 62  # a list that the file names no more has nothing left to consider
_STAMP: Final = (1 << 62) - 1
_CLAIM_ROWS: Final = (
    f"SELECT c.observable, {CLAIM_COLUMNS} FROM claims c JOIN objects o ON o.number = c.object "  # noqa: S608 - our own columns
    "WHERE {where} ORDER BY c.observable, c.number"
)
_STATIC: Final = {
    int(Kind.UNREADABLE): CODES[Reason.UNREADABLE],
    int(Kind.UNSUPPORTED): CODES[Reason.UNSUPPORTED_PATTERN],
    int(Kind.NOT_ENFORCEABLE): CODES[Reason.NOT_ENFORCEABLE],
}
_WITHDRAWN: Final = CODES[Reason.WITHDRAWN]
_WANTED: Final = CODES[Reason.WANTED]
_EXPIRED: Final = CODES[Reason.EXPIRED]
_NOTHING_SAID: Final = (None, None, int(Tlp.RED), None)
_COLUMNS: Final = "wanted, claim, reason, stamp, rank, recheck, confidence, until, tlp, first_seen"

Decider = Callable[[Subject, Sequence[ClaimRow]], Decision]


@dataclass(frozen=True, slots=True)
class ListState:
    """Where a list stands: what it has considered, and its latest sequence number."""

    number: int
    seq: int
    touched: int
    claim: int
    decided_at: int | None


@dataclass(slots=True)
class Refreshed:
    """What a refresh did: observables considered, entries that came, left or changed."""

    considered: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0


class ListStore:
    """Keeps the decisions of all lists."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._protectors = Protectors(database)

    def open(self, name: str) -> ListState:
        """Return where a list stands; at first sight it is made."""
        with self._db.write() as connection:
            sql = "SELECT number FROM lists WHERE name = ?"
            number = self._db.one(connection, sql, (name,))
            if number is None:
                number = (self._db.one(connection, "SELECT max(number) FROM lists") or 0) + 1
                sql = "INSERT INTO lists (number, name) VALUES (?, ?)"
                self._db.run(connection, sql, (number, name))
            sql = "UPDATE lists SET touched = -1 WHERE number = ? AND touched = ?"
            self._db.run(connection, sql, (number, _RETIRED))
            return self._state(connection, number)

    def _state(self, connection: Connection, number: int) -> ListState:
        sql = "SELECT number, seq, touched, claim, decided_at FROM lists WHERE number = ?"
        return ListState(*self._db.rows(connection, sql, (number,))[0])

    def refresh(
        self,
        number: int,
        decide: Decider,
        *,
        everything: bool,
        now: int,
        progress: Callable[[int], None] = lambda _considered: None,
    ) -> Refreshed:
        """Decide anew on all observables in scope; each chunk is one transaction.

        From the first change to the end the list has no `decided_at`: nobody plans from half of it.
        """
        with self._db.read() as connection:
            state = self._state(connection, number)
            limits = self._limits(connection)
            onsets = _Onsets(Learned(self._db, connection, state.touched), now)
            scope = (
                _ranges(limits.observable)
                if everything
                else self._changed(connection, state, limits, now)
            )
        done = Refreshed()
        for where in scope:
            with self._db.write() as connection:
                self._decide_chunk(connection, state, where, decide, onsets, done)
            progress(done.considered)
        with self._db.write() as connection:
            self._settle_static(connection, state, limits)
            sql = "UPDATE lists SET touched = ?, claim = ?, decided_at = ? WHERE number = ?"
            self._db.run(connection, sql, (limits.touched, limits.claim, now, number))
            self._forget_departures(connection)
        return done

    def _limits(self, connection: Connection) -> "_Limits":
        one = self._db.one
        touched = one(connection, "SELECT max(touched) FROM observables") or 0
        departed = one(connection, "SELECT max(touched) FROM departures") or 0
        return _Limits(
            one(connection, "SELECT max(number) FROM observables") or 0,
            one(connection, "SELECT max(number) FROM claims") or 0,
            max(touched, departed),
        )

    def _changed(
        self, connection: Connection, state: ListState, limits: "_Limits", now: int
    ) -> list[str]:
        """Return the observables that feeds touched, and those whose time has come."""
        sql = "SELECT number FROM observables WHERE touched > ? AND touched <= ?"
        rows = self._db.rows(connection, sql, (state.touched, limits.touched))
        sql = "SELECT observable FROM entries WHERE list = ? AND recheck <= ?"
        rows += self._db.rows(connection, sql, (state.number, now))
        found = sorted({row[0] for row in rows})
        parts = (found[at : at + CHUNK] for at in range(0, len(found), CHUNK))
        return [f"{{column}} IN ({numbers(part)})" for part in parts]

    def _decide_chunk(
        self,
        connection: Connection,
        state: ListState,
        where: str,
        decide: Decider,
        onsets: "_Onsets",
        done: Refreshed,
    ) -> None:
        observables = self._observables(connection, where)
        done.considered += len(observables)
        claims = _CLAIM_ROWS.format(where=where.format(column="c.observable"))
        old = self._entries(connection, state.number, where)
        marks: list[tuple[int, int]] = []
        rows: list[tuple[Any, ...]] = []
        seq = (
            self._db.one(connection, "SELECT seq FROM lists WHERE number = ?", (state.number,)) + 1
        )
        for number, group in groupby(self._db.rows(connection, claims), itemgetter(0)):
            if number not in observables:
                continue
            observable, touched = observables.pop(number)
            said = [ClaimRow._make(row[1:]) for row in group]
            decision = decide(observable, said)
            codes = self._protectors.codes(connection, decision)
            marks += zip((claim.number for claim in said), codes, strict=True)
            entry, held = _entry_row(decision), old.get(number)
            row = _news(state.number, number, seq, entry, held, done, onsets, touched)
            if row:
                rows.append(row)
        for number, (_observable, touched) in observables.items():  # nothing claims these any more
            gone, held = _Entry(0, 0, _WITHDRAWN, 0, 0, None, *_NOTHING_SAID), old.get(number)
            row = _news(state.number, number, seq, gone, held, done, onsets, touched)
            if row:
                rows.append(row)
        self._put(connection, state.number, seq, rows)
        self._mark(connection, state.number, marks)

    def _observables(self, connection: Connection, where: str) -> dict[int, tuple[Subject, int]]:
        """Return observables by number, each with the number of its latest change."""
        sql = (
            "SELECT number, type, value, touched FROM observables "  # noqa: S608 - only numbers
            f"WHERE {where.format(column='number')}"
        )
        return {
            number: (subject(code, value), touched)
            for number, code, value, touched in self._db.rows(connection, sql)
        }

    def _entries(self, connection: Connection, number: int, where: str) -> dict[int, Any]:
        sql = (
            f"SELECT observable, {_COLUMNS}, seq, since "  # noqa: S608 - only numbers
            f"FROM entries WHERE list = ? AND {where.format(column='observable')}"
        )
        return {row[0]: row for row in self._db.rows(connection, sql, (number,))}

    def _put(
        self, connection: Connection, number: int, seq: int, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        if not rows:
            return
        sql = (
            f"INSERT INTO entries (list, observable, {_COLUMNS}, seq, since) "  # noqa: S608 - our own columns
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (list, observable) DO UPDATE SET "
            "wanted = excluded.wanted, claim = excluded.claim, reason = excluded.reason, "
            "stamp = excluded.stamp, rank = excluded.rank, recheck = excluded.recheck, "
            "confidence = excluded.confidence, until = excluded.until, tlp = excluded.tlp, "
            "first_seen = excluded.first_seen, seq = excluded.seq, since = excluded.since"
        )
        self._db.many(connection, sql, rows)
        self._db.run(
            connection,
            "UPDATE lists SET seq = ?, decided_at = NULL WHERE number = ?",
            (seq, number),
        )

    def _mark(self, connection: Connection, number: int, marks: Sequence[tuple[int, int]]) -> None:
        """Write the claims' reason bytes and bring the counts along."""
        by_block: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for claim, code in marks:
            by_block[claim // BLOCK].append((claim % BLOCK, code))
        held = self._blocks(connection, number, list(by_block))
        changes: dict[int, int] = defaultdict(int)
        rows = []
        for block, pairs in by_block.items():
            codes = held.get(block) or bytearray(BLOCK)
            if _mark_block(codes, pairs, changes):
                rows.append((number, block, zlib.compress(bytes(codes), 1)))
        sql = (
            "INSERT INTO buckets (list, block, packed) VALUES (?, ?, ?) "
            "ON CONFLICT (list, block) DO UPDATE SET packed = excluded.packed"
        )
        self._db.many(connection, sql, rows)
        add_to_tallies(self._db, connection, LIST_TALLY, number, changes)

    def _blocks(
        self, connection: Connection, number: int, blocks: Sequence[int]
    ) -> dict[int, bytearray]:
        if not blocks:
            return {}
        sql = f"SELECT block, packed FROM buckets WHERE list = ? AND block IN ({numbers(blocks)})"  # noqa: S608 - only numbers
        rows = self._db.rows(connection, sql, (number,))
        return {block: bytearray(zlib.decompress(packed)) for block, packed in rows}

    def _settle_static(self, connection: Connection, state: ListState, limits: "_Limits") -> None:
        """Count the claims without observable, and take out those that are gone."""
        sql = "SELECT number, kind FROM claims WHERE observable = 0 AND number > ? AND number <= ?"
        rows = self._db.rows(connection, sql, (state.claim, limits.claim))
        marks = [(number, _STATIC[kind]) for number, kind in rows]
        sql = "SELECT claim FROM departures WHERE touched > ? AND touched <= ?"
        gone = self._db.rows(connection, sql, (state.touched, limits.touched))
        self._mark(connection, state.number, marks + [(row[0], 0) for row in gone])

    def _forget_departures(self, connection: Connection) -> None:
        """Drop departures that every list has passed, but for the latest: numbers stay fresh."""
        passed = self._db.one(connection, "SELECT min(touched) FROM lists")
        highest = self._db.one(connection, "SELECT max(claim) FROM departures")
        if passed is not None and highest is not None:
            sql = "DELETE FROM departures WHERE touched < ? AND claim < ?"
            self._db.run(connection, sql, (passed, highest))

    def counts(self, connection: Connection, number: int) -> dict[Reason, int]:
        """Return how many claims stand in each bucket of a list."""
        found = tallies(self._db, connection, LIST_TALLY, number)
        return reasons_of(found)

    def retire(self, names: Collection[str]) -> list[str]:
        """Forget what lists hold that the file names no more; return those it was done for.

        Number and sequence stay: to an output that carries such a list again, all of it is news.
        """
        with self._db.write() as connection:
            sql = "SELECT number, name FROM lists WHERE touched < ?"
            rows = self._db.rows(connection, sql, (_RETIRED,))
            gone = {name: number for number, name in rows if name not in names}
            for number in gone.values():
                for table in ("entries", "buckets"):
                    sql = f"DELETE FROM {table} WHERE list = ?"  # noqa: S608 - our own tables
                    self._db.run(connection, sql, (number,))
                sql = "DELETE FROM tallies WHERE kind = ? AND owner = ?"
                self._db.run(connection, sql, (LIST_TALLY, number))
                sql = "UPDATE lists SET touched = ?, claim = 0, decided_at = NULL WHERE number = ?"
                self._db.run(connection, sql, (_RETIRED, number))
        return sorted(gone)


@dataclass(frozen=True, slots=True)
class _Limits:
    observable: int
    claim: int
    touched: int


class _Entry(NamedTuple):
    wanted: int
    claim: int
    reason: int
    stamp: int
    rank: int
    recheck: int | None
    confidence: int | None
    until: int | None
    tlp: int
    first_seen: int | None


def _entry_row(decision: Decision) -> _Entry:
    recheck = None if decision.recheck >= NEVER else decision.recheck
    carrier, merged = decision.carrier, decision.merged
    if carrier is None or merged is None:
        reason = max(decision.codes, default=_WITHDRAWN)
        return _Entry(0, 0, reason, 0, 0, recheck, *_NOTHING_SAID)
    confidence, until, tlp, first_seen = merged
    facts = (
        carrier.number, carrier.modified, carrier.traits, carrier.context, until, int(tlp),
        -1 if confidence is None else confidence, -1 if first_seen is None else first_seen,
        decision.told,
    )  # fmt: skip
    stamp = hash(facts) & _STAMP  # whole numbers hash alike in every process; None does not
    return _Entry(
        1, carrier.number, _WANTED, stamp, decision.rank, recheck,
        confidence, None if until >= NEVER else until, int(tlp), first_seen,
    )  # fmt: skip


class _Onsets(NamedTuple):
    """Tells since when what a refresh finds has been so."""

    learned: Learned
    now: int

    def since(self, entry: _Entry, old: Any, touched: int) -> int:
        """Return when a feed told it, or when it was due; the time of this refresh for the rest."""
        recheck, until = (old[6], old[8]) if old is not None else (None, None)
        if entry.reason == _EXPIRED and until is not None and until <= self.now:
            return int(until)
        told = self.learned.at(touched)
        if told is not None:
            return min(told, self.now)
        return self.now if recheck is None else min(recheck, self.now)


def _news(
    owner: int,
    observable: int,
    seq: int,
    entry: _Entry,
    old: Any,
    done: Refreshed,
    onsets: _Onsets,
    touched: int,
) -> tuple[Any, ...] | None:
    """Return the row to write where anything changed; only what targets see moves `seq`."""
    if old is None:
        if not entry.wanted and entry.recheck is None:
            return None
        done.added += entry.wanted
        return (owner, observable, *entry, seq, onsets.since(entry, old, touched))
    if entry == tuple(old[1:11]):
        return None
    if entry.wanted == old[1] and entry.stamp == old[4]:
        return (owner, observable, *entry, old[11], old[12])
    done.added += entry.wanted and not old[1]
    done.removed += old[1] and not entry.wanted
    done.changed += entry.wanted and old[1]
    since = old[12] if entry.wanted == old[1] else onsets.since(entry, old, touched)
    return (owner, observable, *entry, seq, since)


def _mark_block(
    codes: bytearray, pairs: Sequence[tuple[int, int]], changes: dict[int, int]
) -> bool:
    changed = False
    for at, code in pairs:
        before = codes[at]
        if before != code:
            changed = True
            codes[at] = code
            changes[before] -= 1
            changes[code] += 1
    return changed


def _ranges(highest: int) -> Iterator[str]:
    for at in range(0, highest, CHUNK):
        yield f"{{column}} > {at} AND {{column}} <= {at + CHUNK}"
