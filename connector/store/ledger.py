"""The outputs' side of the store: what we wrote where, plans and audit.

An intent is recorded before it is carried out, so that whatever may have been written stays ours
after a crash. Only what this ledger calls ours is ever removed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import zstandard
from sqlalchemy import Connection

from connector.decisions.plan import GONE, OURS, Mark, Plan, Written
from connector.decisions.policy import CODES, ClaimRow, reason_of
from connector.indicators.keys import key_of
from connector.model import Observable, Reason
from connector.store.database import Database, numbers
from connector.store.lists import LIST_TALLY, OUTPUT_TALLY, add_to_tallies, tallies
from connector.store.objects import TYPES

_PART: Final = 1000
_OURS: Final = ",".join(str(int(mark)) for mark in sorted(OURS))


@dataclass(frozen=True, slots=True)
class OutputState:
    """Where an output stands with its list."""

    number: int
    list: int
    seq: int
    setup: bytes
    verified_at: int | None
    paused: str | None
    held_plan: str | None


@dataclass(frozen=True, slots=True)
class WantedRow:
    """An entry that a list wants, with the claim that carries it."""

    number: int
    observable: Observable
    rank: int
    claim: ClaimRow
    indicator: bytes


class Ledger:
    """Keeps what every output was meant to hold, and what its target confirmed."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def open(self, name: str, list_number: int) -> OutputState:
        """Return where an output stands; at first sight it is made."""
        with self._db.write() as connection:
            sql = "SELECT number FROM outputs WHERE name = ?"
            number = self._db.one(connection, sql, (name,))
            if number is None:
                number = (self._db.one(connection, "SELECT max(number) FROM outputs") or 0) + 1
                sql = "INSERT INTO outputs (number, name, list, setup) VALUES (?, ?, ?, ?)"
                self._db.run(connection, sql, (number, name, list_number, b""))
            sql = (
                "SELECT number, list, seq, setup, verified_at, paused, held_plan "
                "FROM outputs WHERE number = ?"
            )
            row = self._db.rows(connection, sql, (number,))[0]
            return OutputState(row[0], row[1], row[2], bytes(row[3]), row[4], row[5], row[6])

    def list_seq(self, connection: Connection, list_number: int) -> int:
        """Return the latest sequence number of a list."""
        sql = "SELECT seq FROM lists WHERE number = ?"
        return int(self._db.one(connection, sql, (list_number,)) or 0)

    def owned(self, connection: Connection, output: int) -> int:
        """Return how many entries at the target are ours."""
        sql = "SELECT sum(count) FROM tallies WHERE kind = ? AND owner = ? AND bucket IN "
        counted = self._db.one(connection, sql + f"({_OURS})", (OUTPUT_TALLY, output))
        return int(counted or 0)

    def wanted(
        self, connection: Connection, list_number: int, after: int | None
    ) -> Iterator[WantedRow]:
        """Yield what the list wants, sorted by number; of late changes only, given `after`."""
        where = "" if after is None else f"AND e.seq > {int(after)}"
        sql = (
            "SELECT e.observable, b.type, b.value, e.rank, c.number, c.kind, o.feed, o.state, "  # noqa: S608 - only numbers
            "o.modified, o.valid_from, o.valid_until, o.confidence, o.traits, o.key FROM entries e "
            "JOIN observables b ON b.number = e.observable JOIN claims c ON c.number = e.claim "
            f"JOIN objects o ON o.number = c.object WHERE e.list = ? AND e.wanted = 1 {where} "
            "ORDER BY e.observable"
        )
        for row in self._db.stream(connection, sql, (list_number,)):
            yield _wanted_row(row)

    def wanted_among(
        self, connection: Connection, list_number: int, observables: Sequence[int]
    ) -> Iterator[WantedRow]:
        """Yield what the list wants of these observables, sorted by number."""
        for at in range(0, len(observables), _PART):
            part = numbers(observables[at : at + _PART])
            sql = (
                "SELECT e.observable, b.type, b.value, e.rank, c.number, c.kind, o.feed, "  # noqa: S608 - only numbers
                "o.state, o.modified, o.valid_from, o.valid_until, o.confidence, o.traits, o.key "
                "FROM entries e JOIN observables b ON b.number = e.observable "
                "JOIN claims c ON c.number = e.claim JOIN objects o ON o.number = c.object "
                f"WHERE e.list = ? AND e.wanted = 1 AND e.observable IN ({part}) "
                "ORDER BY e.observable"
            )
            for row in self._db.rows(connection, sql, (list_number,)):
                yield _wanted_row(row)

    def wanted_sorted(self, connection: Connection, list_number: int) -> Iterator[WantedRow]:
        """Yield all that the list wants in the order of the observables' keys."""
        sql = (
            "SELECT e.observable, b.type, b.value, e.rank, c.number, c.kind, o.feed, o.state, "
            "o.modified, o.valid_from, o.valid_until, o.confidence, o.traits, o.key FROM entries e "
            "JOIN observables b ON b.number = e.observable JOIN claims c ON c.number = e.claim "
            "JOIN objects o ON o.number = c.object WHERE e.list = ? AND e.wanted = 1 "
            "ORDER BY b.key"
        )
        for row in self._db.stream(connection, sql, (list_number,)):
            yield _wanted_row(row)

    def values_sorted(
        self, connection: Connection, list_number: int
    ) -> Iterator[tuple[int, Observable, int]]:
        """Yield number, observable and rank of all that the list wants, sorted by key."""
        sql = (
            "SELECT e.observable, b.type, b.value, e.rank FROM entries e "
            "JOIN observables b ON b.number = e.observable "
            "WHERE e.list = ? AND e.wanted = 1 ORDER BY b.key"
        )
        for number, code, value, rank in self._db.stream(connection, sql, (list_number,)):
            yield number, Observable(TYPES[code - 1], value), rank

    def ranks(
        self, connection: Connection, list_number: int
    ) -> Iterator[tuple[int, Observable, int]]:
        """Yield number, observable and rank of all that the list wants, best first."""
        sql = (
            "SELECT e.observable, b.type, b.value, e.rank FROM entries e "
            "JOIN observables b ON b.number = e.observable "
            "WHERE e.list = ? AND e.wanted = 1 ORDER BY e.rank DESC, e.observable"
        )
        for number, code, value, rank in self._db.stream(connection, sql, (list_number,)):
            yield number, Observable(TYPES[code - 1], value), rank

    def dropped(
        self, connection: Connection, output: OutputState, *, everything: bool
    ) -> dict[int, Reason]:
        """Return why entries that the ledger holds are wanted no more."""
        late = "" if everything else f"AND e.seq > {int(output.seq)}"
        sql = (
            "SELECT e.observable, e.reason FROM entries e JOIN ledger l "  # noqa: S608 - only numbers
            f"ON l.output = ? AND l.observable = e.observable WHERE e.list = ? {late} "
            "AND e.wanted = 0"
        )
        rows = self._db.rows(connection, sql, (output.number, output.list))
        return {number: reason_of(code) for number, code in rows}

    def reasons_among(
        self, connection: Connection, list_number: int, observables: Sequence[int]
    ) -> dict[int, Reason]:
        """Return why these observables are not on the list."""
        found: dict[int, Reason] = {}
        for at in range(0, len(observables), _PART):
            part = numbers(observables[at : at + _PART])
            sql = (
                "SELECT observable, reason FROM entries "  # noqa: S608 - only numbers
                f"WHERE list = ? AND wanted = 0 AND observable IN ({part})"
            )
            rows = self._db.rows(connection, sql, (list_number,))
            found.update((number, reason_of(code)) for number, code in rows)
        return found

    def wanted_count(self, connection: Connection, list_number: int) -> int:
        """Return how many entries a list wants."""
        found = tallies(self._db, connection, LIST_TALLY, list_number)
        return found.get(CODES[Reason.WANTED], 0)

    def marked(self, connection: Connection, output: int, mark: Mark) -> int:
        """Return how many entries of an output bear a mark."""
        return tallies(self._db, connection, OUTPUT_TALLY, output).get(mark, 0)

    def ours_among(
        self, connection: Connection, output: int, observables: Sequence[int]
    ) -> set[int]:
        """Return those of these observables that are ours at the target."""
        marks = self._marks(connection, output, observables)
        return {number for number, mark in marks.items() if mark in OURS}

    def written(self, connection: Connection, output: int) -> Iterator[Written]:
        """Yield the whole ledger of an output, sorted by number."""
        sql = "SELECT observable, state, digest FROM ledger WHERE output = ? ORDER BY observable"
        for row in self._db.stream(connection, sql, (output,)):
            yield Written._make(row)

    def written_of(
        self, connection: Connection, output: int, list_number: int, after: int
    ) -> list[Written]:
        """Return the ledger's word on the entries that changed after a sequence number."""
        sql = (
            "SELECT l.observable, l.state, l.digest FROM entries e JOIN ledger l "
            "ON l.output = ? AND l.observable = e.observable "
            "WHERE e.list = ? AND e.seq > ? ORDER BY l.observable"
        )
        rows = self._db.rows(connection, sql, (output, list_number, after))
        return [Written._make(row) for row in rows]

    def foreign_among(self, connection: Connection, output: int) -> set[bytes]:
        """Return the keys of entries at the target that others put there, when last read."""
        sql = "SELECT key FROM foreign_entries WHERE output = ?"
        return {bytes(row[0]) for row in self._db.rows(connection, sql, (output,))}

    def remember_foreign(self, output: int, keys: Iterable[bytes]) -> None:
        """Replace what is known of entries that others put at the target."""
        with self._db.write() as connection:
            self._db.run(connection, "DELETE FROM foreign_entries WHERE output = ?", (output,))
            rows = [(output, key) for key in set(keys)]
            sql = "INSERT INTO foreign_entries (output, key) VALUES (?, ?)"
            self._db.many(connection, sql, rows)

    def numbers_of(
        self, connection: Connection, observables: Sequence[Observable]
    ) -> dict[Observable, int]:
        """Return the numbers of those observables that the store knows."""
        keys = {key_of(observable): observable for observable in observables}
        marks = ",".join("?" * len(keys))
        sql = f"SELECT key, number FROM observables WHERE key IN ({marks})"  # noqa: S608 - only marks
        return {
            keys[bytes(key)]: number for key, number in self._db.rows(connection, sql, list(keys))
        }

    def observables_of(
        self, connection: Connection, wanted: Sequence[int]
    ) -> Iterator[tuple[int, Observable]]:
        """Yield observables by number."""
        for at in range(0, len(wanted), _PART):
            part = numbers(wanted[at : at + _PART])
            sql = f"SELECT number, type, value FROM observables WHERE number IN ({part}) ORDER BY 1"  # noqa: S608 - only numbers
            for number, code, value in self._db.rows(connection, sql):
                yield number, Observable(TYPES[code - 1], value)

    def intend(self, output: OutputState, plan: Plan, now: int, *, verifying: bool) -> None:
        """Record what is about to be written and removed, before it is."""
        with self._db.write() as connection:
            marked = [(number, Mark.INTENDED, digest) for number, digest in plan.add]
            self._set(connection, output.number, marked, now)
            marked = [(number, Mark.REMOVING, 0) for number in plan.remove.numbers]
            self._set(connection, output.number, marked, now)
            if verifying:  # until it ended well, the next cycle looks at everything again
                sql = "UPDATE outputs SET verified_at = NULL WHERE number = ?"
                self._db.run(connection, sql, (output.number,))

    def mark(self, output: OutputState, plan: Plan, now: int) -> None:
        """Record what the target cannot have, and forget what it never had."""
        if not plan.marks:
            return
        with self._db.write() as connection:
            gone = [number for number, mark in plan.marks if mark == GONE]
            self._delete(connection, output.number, gone)
            marked = [(number, mark, 0) for number, mark in plan.marks if mark != GONE]
            self._set(connection, output.number, marked, now)

    def confirm(
        self,
        output: OutputState,
        written: Sequence[tuple[int, int]],
        rejected: Mapping[int, str],
        now: int,
    ) -> None:
        """Record what the target took, and what it refused with its words."""
        with self._db.write() as connection:
            took = [
                (number, Mark.WRITTEN, digest)
                for number, digest in written
                if number not in rejected
            ]
            self._set(connection, output.number, took, now)
            refused = [
                (number, Mark.REJECTED, digest) for number, digest in written if number in rejected
            ]
            self._set(connection, output.number, refused, now)
            sql = "UPDATE ledger SET why = ? WHERE output = ? AND observable = ?"
            rows = [(why[:300], output.number, number) for number, why in rejected.items()]
            self._db.many(connection, sql, rows)

    def confirm_removed(
        self, output: OutputState, removed: Sequence[int], unfit: Mapping[int, int], now: int
    ) -> None:
        """Record that entries are gone; those that do not fit keep the mark that says so."""
        with self._db.write() as connection:
            self._delete(connection, output.number, removed)
            marked = [(number, unfit[number], 0) for number in removed if number in unfit]
            self._set(connection, output.number, marked, now)

    def finish(self, output: OutputState, seq: int, *, verified: bool, now: int) -> None:
        """Record that the output is in step with its list up to a sequence number."""
        with self._db.write() as connection:
            sql = "UPDATE outputs SET seq = ?, held_plan = NULL, list = ? WHERE number = ?"
            self._db.run(connection, sql, (seq, output.list, output.number))
            if verified:
                sql = "UPDATE outputs SET verified_at = ?, setup = ? WHERE number = ?"
                self._db.run(connection, sql, (now, output.setup, output.number))

    def note_attempt(self, output: int, now: int, error: str | None, paused: str | None) -> None:
        """Record how a cycle ended."""
        with self._db.write() as connection:
            sql = "UPDATE outputs SET last_attempt = ?, error = ?, paused = ? WHERE number = ?"
            self._db.run(connection, sql, (now, error, paused, output))
            if error is None and paused is None:
                sql = "UPDATE outputs SET last_success = ? WHERE number = ?"
                self._db.run(connection, sql, (now, output))

    def hold(self, output: OutputState, plan: Plan, broken: Sequence[str], now: int) -> bool:
        """Keep a plan for a person; return whether it is news."""
        with self._db.write() as connection:
            sql = "SELECT state FROM plans WHERE id = ? AND output = ?"
            known = self._db.one(connection, sql, (plan.id, output.number))
            self._db.run(
                connection,
                "UPDATE plans SET state = 'replaced' WHERE output = ? AND state = 'held' "
                "AND id <> ?",
                (output.number, plan.id),
            )
            sql = (
                "INSERT INTO plans (id, output, state, created, scope, adds, updates, removes, "
                "broken) VALUES (?,?,'held',?,?,?,?,?,?) ON CONFLICT (id, output) DO UPDATE SET "
                "state = 'held', broken = excluded.broken, scope = excluded.scope"
            )
            counts = (len(plan.add), len(plan.update), len(plan.remove))
            body = msgspec.json.encode(list(broken)).decode()
            row = (plan.id, output.number, now, plan.scope, *counts, body)
            self._db.run(connection, sql, row)
            sql = "UPDATE outputs SET held_plan = ? WHERE number = ?"
            self._db.run(connection, sql, (plan.id, output.number))
        return bool(known != "held")

    def plan_state(self, connection: Connection, plan_id: str) -> tuple[str, str, str] | None:
        """Return a plan's output, state and scope; None where no such plan was kept."""
        sql = (
            "SELECT o.name, p.state, p.scope FROM plans p JOIN outputs o ON o.number = p.output "
            "WHERE p.id = ? ORDER BY p.created DESC"
        )
        rows = self._db.rows(connection, sql, (plan_id,))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def set_plan_state(self, output: int, plan_id: str, state: str, by: str | None = None) -> None:
        """Move a plan on: held, accepted, done, outdated, replaced."""
        with self._db.write() as connection:
            sql = "UPDATE plans SET state = ?, accepted_by = coalesce(?, accepted_by) "
            sql += "WHERE id = ? AND output = ?"
            self._db.run(connection, sql, (state, by, plan_id, output))

    def accepted(self, output: int) -> set[str]:
        """Return the plans of an output that a person accepted and that are not done."""
        with self._db.read() as connection:
            sql = "SELECT id FROM plans WHERE output = ? AND state = 'accepted'"
            return {row[0] for row in self._db.rows(connection, sql, (output,))}

    def record(
        self, output: str, action: str, plan: str, result: str, entries: Sequence[Sequence[Any]],
        now: int,
    ) -> None:  # fmt: skip
        """Append to the audit: time, output, action, plan, result and the entries concerned."""
        body = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(entries))
        with self._db.write() as connection:
            number = (self._db.one(connection, "SELECT max(number) FROM audit") or 0) + 1
            sql = (
                "INSERT INTO audit (number, at, output, action, plan, result, count, entries) "
                "VALUES (?,?,?,?,?,?,?,?)"
            )
            row = (number, now, output, action, plan, result, len(entries), body)
            self._db.run(connection, sql, row)

    def _set(
        self, connection: Connection, output: int, rows: Sequence[tuple[int, int, int]], now: int
    ) -> None:
        if not rows:
            return
        before = self._marks(connection, output, [row[0] for row in rows])
        changes: dict[int, int] = {}
        for number, mark, _digest in rows:
            _count(changes, before.get(number, 0), -1)
            _count(changes, mark, 1)
        sql = (
            "INSERT INTO ledger (output, observable, state, digest, since) VALUES (?,?,?,?,?) "
            "ON CONFLICT (output, observable) DO UPDATE SET state = excluded.state, "
            "digest = excluded.digest, why = NULL, "
            "since = CASE WHEN ledger.state = excluded.state THEN ledger.since "
            "ELSE excluded.since END"
        )
        values = [(output, number, int(mark), digest, now) for number, mark, digest in rows]
        self._db.many(connection, sql, values)
        add_to_tallies(self._db, connection, OUTPUT_TALLY, output, changes)

    def _delete(self, connection: Connection, output: int, gone: Sequence[int]) -> None:
        before = self._marks(connection, output, gone)
        changes: dict[int, int] = {}
        for mark in before.values():
            _count(changes, mark, -1)
        sql = "DELETE FROM ledger WHERE output = ? AND observable = ?"
        self._db.many(connection, sql, [(output, number) for number in before])
        add_to_tallies(self._db, connection, OUTPUT_TALLY, output, changes)

    def _marks(self, connection: Connection, output: int, wanted: Sequence[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for at in range(0, len(wanted), _PART):
            part = numbers(wanted[at : at + _PART])
            sql = (
                "SELECT observable, state FROM ledger "  # noqa: S608 - only numbers
                f"WHERE output = ? AND observable IN ({part})"
            )
            found.update(map(tuple, self._db.rows(connection, sql, (output,))))
        return found


def _count(changes: dict[int, int], mark: int, by: int) -> None:
    changes[int(mark)] = changes.get(int(mark), 0) + by


def _wanted_row(row: Any) -> WantedRow:
    observable = Observable(TYPES[row[1] - 1], row[2])
    return WantedRow(row[0], observable, row[3], ClaimRow._make(row[4:13]), bytes(row[13]))
