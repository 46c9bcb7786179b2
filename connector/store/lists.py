"""The lists' side of the store: what is decided about every observable, and why, counted.

Reasons are one byte a claim in compressed blocks by claim number; the change from the old byte to
the new one is also the change of the count, so the sums are exact without counting again.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from connector.decisions.policy import CODES, NEVER, ClaimRow, Decision, Kind, reason_of
from connector.model import Observable, Reason, Tlp
from connector.store.claims import CLAIM_COLUMNS
from connector.store.database import Database, numbers
from connector.store.interning import TYPES
from connector.store.suppressions import Protectors

BLOCK: Final = 4096
CHUNK: Final = 4000
_STAMP: Final = (1 << 62) - 1
LIST_TALLY: Final = 1
OUTPUT_TALLY: Final = 2
FEED_TALLY: Final = 3
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
_NOTHING_SAID: Final = (None, None, int(Tlp.RED), None)
_COLUMNS: Final = "wanted, claim, reason, stamp, rank, recheck, confidence, until, tlp, first_seen"

Decider = Callable[[Observable, Sequence[ClaimRow]], Decision]


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
            return self._state(connection, number)

    def _state(self, connection: Connection, number: int) -> ListState:
        sql = "SELECT number, seq, touched, claim, decided_at FROM lists WHERE number = ?"
        return ListState(*self._db.rows(connection, sql, (number,))[0])

    def refresh(self, number: int, decide: Decider, *, everything: bool, now: int) -> Refreshed:
        """Decide anew on all observables in scope; each chunk is one transaction.

        From the first change to the end the list has no `decided_at`: nobody plans from half of it.
        """
        with self._db.read() as connection:
            state = self._state(connection, number)
            limits = self._limits(connection)
            scope = (
                _ranges(limits.observable)
                if everything
                else self._changed(connection, state, limits, now)
            )
        done = Refreshed()
        for where in scope:
            with self._db.write() as connection:
                self._decide_chunk(connection, state, where, decide, now, done)
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
        now: int,
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
            observable = observables.pop(number)
            said = [ClaimRow._make(row[1:]) for row in group]
            decision = decide(observable, said)
            codes = self._protectors.codes(connection, decision)
            marks += zip((claim.number for claim in said), codes, strict=True)
            entry = _entry_row(decision)
            row = _news(state.number, number, seq, now, entry, old.get(number), done)
            if row:
                rows.append(row)
        for number in observables:  # nothing claims these any more
            gone = _Entry(0, 0, _WITHDRAWN, 0, 0, None, *_NOTHING_SAID)
            row = _news(state.number, number, seq, now, gone, old.get(number), done)
            if row:
                rows.append(row)
        self._put(connection, state.number, seq, rows)
        self._mark(connection, state.number, marks)

    def _observables(self, connection: Connection, where: str) -> dict[int, Observable]:
        sql = f"SELECT number, type, value FROM observables WHERE {where.format(column='number')}"  # noqa: S608 - only numbers
        return {
            number: Observable(TYPES[code - 1], value)
            for number, code, value in self._db.rows(connection, sql)
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

    def drop(self, connection: Connection, number: int) -> None:
        """Forget a list that the configuration no longer names."""
        for table in ("entries", "buckets"):
            self._db.run(connection, f"DELETE FROM {table} WHERE list = ?", (number,))  # noqa: S608 - our own tables
        sql = "DELETE FROM tallies WHERE kind = ? AND owner = ?"
        self._db.run(connection, sql, (LIST_TALLY, number))
        self._db.run(connection, "DELETE FROM lists WHERE number = ?", (number,))


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
    )  # fmt: skip
    stamp = hash(facts) & _STAMP  # whole numbers hash alike in every process; None does not
    return _Entry(
        1, carrier.number, _WANTED, stamp, decision.rank, recheck,
        confidence, None if until >= NEVER else until, int(tlp), first_seen,
    )  # fmt: skip


def _news(
    owner: int,
    observable: int,
    seq: int,
    now: int,
    entry: _Entry,
    old: Any,
    done: Refreshed,
) -> tuple[Any, ...] | None:
    """Return the row to write where anything changed; only what targets see moves `seq`."""
    if old is None:
        if not entry.wanted and entry.recheck is None:
            return None
        done.added += entry.wanted
        return (owner, observable, *entry, seq, now)
    if entry == tuple(old[1:11]):
        return None
    if entry.wanted == old[1] and entry.stamp == old[4]:
        return (owner, observable, *entry, old[11], old[12])
    done.added += entry.wanted and not old[1]
    done.removed += old[1] and not entry.wanted
    done.changed += entry.wanted and old[1]
    since = old[12] if entry.wanted == old[1] else now
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


def reasons_of(counts: Mapping[int, int]) -> dict[Reason, int]:
    """Return counts by reason from counts by stored byte, without those of nothing."""
    reasons: dict[Reason, int] = {}
    for code, count in sorted(counts.items()):
        if count:
            reason = reason_of(code)
            reasons[reason] = reasons.get(reason, 0) + count
    return reasons


def add_to_tallies(
    database: Database, connection: Connection, kind: int, owner: int, changes: dict[int, int]
) -> None:
    """Bring counts along with what changed; bucket 0 is not counted."""
    sql = (
        "INSERT INTO tallies (kind, owner, bucket, count) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (kind, owner, bucket) DO UPDATE SET count = tallies.count + excluded.count"
    )
    rows = [(kind, owner, code, by) for code, by in changes.items() if code and by]
    database.many(connection, sql, rows)


def tallies(database: Database, connection: Connection, kind: int, owner: int) -> dict[int, int]:
    """Return counts by bucket."""
    sql = "SELECT bucket, count FROM tallies WHERE kind = ? AND owner = ?"
    return {bucket: count for bucket, count in database.rows(connection, sql, (kind, owner))}
