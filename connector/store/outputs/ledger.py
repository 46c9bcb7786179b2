"""The outputs' side of the store: what we wrote where, and what is there.

An intent is recorded before it is carried out, so that whatever may have been written stays ours
after a crash. Only what this ledger calls ours is ever removed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final

from connector.decisions.decide import reason_of
from connector.decisions.plan import GONE, OURS, EntryRefs, LedgerEntry, LedgerState, Plan
from connector.instants import NEVER
from connector.model import Reason, Subject
from connector.store.database import Database, numbers, parts
from connector.store.interning import subject
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.timings import add_times
from connector.store.tallies import (
    ENFORCE_TALLY,
    OUTPUT_TALLY,
    REMOVAL_TALLY,
    add_to_tallies,
    tallies,
)
from connector.store.transaction import Transaction

_PART: Final = 1000
_SET_AT_ONCE: Final = 10_000
_LONGEST_WORDS: Final = 300
_OURS: Final = ",".join(str(int(mark)) for mark in sorted(OURS))
_COLUMNS: Final = "l.observable, l.state, l.digest, l.ends, l.source"
_SET: Final = (  # what is being removed keeps its digest
    "INSERT INTO ledger (output, observable, state, digest, since, ends, source) "  # noqa: S608 - only numbers
    "VALUES (?,?,?,?,?,?,?) ON CONFLICT (output, observable) DO UPDATE SET "
    "state = excluded.state, why = NULL, "
    f"digest = CASE WHEN excluded.state = {int(LedgerState.REMOVING)} THEN ledger.digest "
    "ELSE excluded.digest END, "
    "since = CASE WHEN ledger.state = excluded.state THEN ledger.since ELSE excluded.since END"
)
# What is ours keeps the later end: to move one forward is a feed's act, and not time that passes.
_SET_WITH_ENDS: Final = (
    f"{_SET}, source = excluded.source, ends = CASE WHEN ledger.state IN ({_OURS}) "
    "AND ledger.ends > excluded.ends THEN ledger.ends ELSE excluded.ends END"
)
# Number, mark and digest; where the entry is only now meant to be there, its end and feed as well.
_Row = tuple[int, int, int] | tuple[int, int, int, int, int]


class Ledger:
    """Keeps what every output was meant to hold and what its target confirmed."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def owned(self, transaction: Transaction, output: int) -> int:
        """Return how many entries at the target are ours."""
        sql = "SELECT sum(count) FROM tallies WHERE kind = ? AND owner = ? AND bucket IN "
        counted = transaction.one(sql + f"({_OURS})", (OUTPUT_TALLY, output))
        return int(counted or 0)

    def marked(self, transaction: Transaction, output: int, mark: LedgerState) -> int:
        """Return how many entries of an output have a mark."""
        return tallies(transaction, OUTPUT_TALLY, output).get(mark, 0)

    def ours_among(
        self, transaction: Transaction, output: int, observables: Sequence[int]
    ) -> set[int]:
        """Return those of these observables that are ours at the target."""
        marks = self._marks(transaction, output, observables)
        return {number for number, mark in marks.items() if mark in OURS}

    def confirmed_among(
        self, transaction: Transaction, output: int, observables: Sequence[int]
    ) -> dict[int, int]:
        """Return the digest of those of these observables that the target has confirmed."""
        found: dict[int, int] = {}
        for part in parts(observables, _PART):
            sql = (
                "SELECT observable, digest FROM ledger "  # noqa: S608 - only numbers
                f"WHERE output = ? AND state = ? AND observable IN ({numbers(part)})"
            )
            rows = transaction.rows(sql, (output, int(LedgerState.WRITTEN)))
            found.update(map(tuple, rows))
        return found

    def subjects(
        self, transaction: Transaction, output: int, mark: LedgerState
    ) -> Iterator[Subject]:
        """Yield the observables of an output that have a mark."""
        sql = (
            "SELECT b.type, b.value FROM ledger l JOIN observables b ON b.number = l.observable "
            "WHERE l.output = ? AND l.state = ?"
        )
        for code, value in transaction.stream(sql, (output, int(mark))):
            yield subject(code, value)

    def written(self, transaction: Transaction, output: int) -> Iterator[LedgerEntry]:
        """Yield the whole ledger of an output, sorted by number."""
        sql = f"SELECT {_COLUMNS} FROM ledger l WHERE l.output = ? ORDER BY l.observable"  # noqa: S608 - our own columns
        for row in transaction.stream(sql, (output,)):
            yield LedgerEntry._make(row)

    def written_of(
        self, transaction: Transaction, output: int, list_number: int, after: int
    ) -> list[LedgerEntry]:
        """Return the ledger's records of the entries that changed after a sequence number."""
        sql = (
            f"SELECT {_COLUMNS} FROM entries e JOIN ledger l "  # noqa: S608 - our own columns
            "ON l.output = ? AND l.observable = e.observable "
            "WHERE e.list = ? AND e.seq > ? ORDER BY +l.observable"
        )
        rows = transaction.rows(sql, (output, list_number, after))
        return [LedgerEntry._make(row) for row in rows]

    def among(
        self, transaction: Transaction, output: int, observables: Sequence[int]
    ) -> Iterator[LedgerEntry]:
        """Yield the ledger's records of these observables, which are sorted."""
        for part in parts(observables, _PART):
            sql = (
                f"SELECT {_COLUMNS} FROM ledger l WHERE l.output = ? "  # noqa: S608 - only numbers
                f"AND l.observable IN ({numbers(part)}) ORDER BY l.observable"
            )
            for row in transaction.rows(sql, (output,)):
                yield LedgerEntry._make(row)

    def dropped(
        self, transaction: Transaction, output: OutputState, *, everything: bool
    ) -> dict[int, Reason]:
        """Return why entries in the ledger are no longer wanted."""
        late = "" if everything else f"AND e.seq > {int(output.seq)}"
        sql = (
            "SELECT e.observable, e.reason FROM entries e JOIN ledger l "  # noqa: S608 - only numbers
            f"ON l.output = ? AND l.observable = e.observable WHERE e.list = ? {late} "
            "AND e.wanted = 0"
        )
        rows = transaction.rows(sql, (output.number, output.list))
        return {number: reason_of(code) for number, code in rows}

    def turned(self, transaction: Transaction, output: int, left: Collection[int]) -> EntryRefs:
        """Return what was intended, or is recorded as written or rejected and has changed.

        `left` are the numbers of those that the target did not take.
        """
        steps, asked = EntryRefs(), [LedgerState.INTENDED, LedgerState.REJECTED]
        if left:
            asked.append(LedgerState.WRITTEN)
        if not any(self.marked(transaction, output, mark) for mark in asked):
            return steps
        sql = (
            "SELECT observable, digest, state FROM ledger WHERE output = ? "  # noqa: S608 - only numbers
            f"AND state IN ({numbers(asked)}) ORDER BY observable"
        )
        for number, digest, mark in transaction.stream(sql, (output,)):
            if mark == LedgerState.INTENDED or (mark == LedgerState.WRITTEN) == (number in left):
                steps.put(number, digest)
        return steps

    def intend(
        self,
        output: OutputState,
        plan: Plan,
        now: int,
        *,
        whole: bool,
        judged_anew: frozenset[LedgerState] = frozenset(),
        kept: Collection[int] = (),
    ) -> None:
        """Record what is about to be written and removed, before it is.

        The target decides again on entries with a mark in `judged_anew`, besides those of the plan
        and those that are `kept` though nothing wants them; then updates are intended as well,
        since they may leave nothing behind. A `whole` plan also has entries that did not change on
        the list, which no later change would find again.
        """
        with self._db.write(durable=True) as transaction:
            if judged_anew:
                again = self._marked(transaction, output.number, judged_anew)
                wanted = (row for row in again if row[0] not in kept)
                self._set(transaction, output.number, wanted, now)
                self._intend(transaction, output.number, plan.update, now)
            else:
                ends = zip(plan.update.numbers, plan.update.ends, strict=True)
                self._move_ends(transaction, output.number, ends)
            self._intend(transaction, output.number, plan.add, now)
            marked = ((number, LedgerState.REMOVING, 0) for number in plan.remove.numbers)
            self._set(transaction, output.number, marked, now)
            if whole:  # until it ended well, the next cycle looks at everything again
                sql = "UPDATE outputs SET verified_at = NULL WHERE number = ?"
                transaction.run(sql, (output.number,))

    def _intend(self, transaction: Transaction, output: int, refs: EntryRefs, now: int) -> None:
        rows = zip(refs.numbers, refs.digests, refs.ends, refs.sources, strict=True)
        marked = (
            (number, LedgerState.INTENDED, digest, ends, source)
            for number, digest, ends, source in rows
        )
        self._set(transaction, output, marked, now, sql=_SET_WITH_ENDS)

    def _move_ends(
        self, transaction: Transaction, output: int, ends: Iterable[tuple[int, int]]
    ) -> None:
        """Note the ends that feeds moved back."""
        sql = "UPDATE ledger SET ends = ? WHERE output = ? AND observable = ? AND ends < ?"
        rows = [(end, output, number, end) for number, end in ends]
        if rows:
            transaction.many(sql, rows)

    def _marked(
        self, transaction: Transaction, output: int, marks: frozenset[LedgerState]
    ) -> list[tuple[int, int, int]]:
        """Return the entries with one of these marks, as intended."""
        sql = (
            "SELECT observable, digest FROM ledger WHERE output = ? "  # noqa: S608 - only numbers
            f"AND state IN ({numbers(sorted(marks))})"
        )
        rows = transaction.rows(sql, (output,))
        return [(number, LedgerState.INTENDED, digest) for number, digest in rows]

    def mark(self, output: OutputState, plan: Plan, now: int) -> None:
        """Record what the target cannot have, and forget what it never had."""
        if not (plan.marks or plan.later or plan.words):
            return
        with self._db.write() as transaction:
            self._move_ends(transaction, output.number, plan.later)
            gone = [number for number, mark in plan.marks if mark == GONE]
            self._delete(transaction, output.number, gone)
            marked = [(number, mark, 0) for number, mark in plan.marks if mark != GONE]
            self._set(transaction, output.number, marked, now)
            self._say(transaction, output.number, plan.words)

    def confirm(
        self,
        output: OutputState,
        taken: Sequence[tuple[int, int]],
        marked: Sequence[tuple[int, int, int]],
        words: Mapping[int, str],
        now: int,
        *,
        handles: Mapping[int, str] = MappingProxyType({}),
        fresh: bool = False,
    ) -> None:
        """Record what the target took, how it left the rest, and its words on that.

        What has words and no new mark is there as it was before: it stays ours, or the target
        would keep it for ever. `fresh` says that what it took was not there: what came onto the
        list since the output was last in step has its time counted.
        """
        with self._db.write() as transaction:
            if fresh and output.seq:  # a first fill says how long a list was there, nothing else
                took_up = [number for number, _digest in taken]
                late = f"wanted = 1 AND seq > {int(output.seq)}"
                self._count_times(transaction, ENFORCE_TALLY, output, took_up, late, now)
            took = ((number, LedgerState.WRITTEN, digest) for number, digest in taken)
            self._set(transaction, output.number, took, now)
            self._set(transaction, output.number, marked, now)
            self._say(transaction, output.number, words)
            self._name(transaction, output.number, handles)

    def keep_handles(self, output: OutputState, handles: Mapping[int, str]) -> None:
        """Keep the target's own names for entries of ours, as it was just read."""
        if handles:
            with self._db.write() as transaction:
                self._name(transaction, output.number, handles)

    def handles(
        self, transaction: Transaction, output: int, observables: Sequence[int]
    ) -> dict[int, str]:
        """Return the target's own names for those of these entries that have one."""
        found: dict[int, str] = {}
        for part in parts(observables, _PART):
            sql = (
                "SELECT observable, handle FROM ledger "  # noqa: S608 - only numbers
                f"WHERE output = ? AND handle IS NOT NULL AND observable IN ({numbers(part)})"
            )
            found.update(map(tuple, transaction.rows(sql, (output,))))
        return found

    def _name(self, transaction: Transaction, output: int, handles: Mapping[int, str]) -> None:
        sql = "UPDATE ledger SET handle = ? WHERE output = ? AND observable = ?"
        rows = [(handle, output, number) for number, handle in handles.items()]
        transaction.many(sql, rows)

    def confirm_removed(
        self,
        output: OutputState,
        removed: Sequence[int],
        unfit: Mapping[int, int],
        kept: Mapping[int, str],
        now: int,
    ) -> None:
        """Record that entries are gone; those that do not fit keep the mark that says so.

        `kept` has the target's words on those that it did not let go.
        """
        with self._db.write() as transaction:
            ours = list(self._marks(transaction, output.number, removed))
            self._count_times(transaction, REMOVAL_TALLY, output, ours, "wanted = 0", now)
            self._delete(transaction, output.number, removed)
            marked = [(number, unfit[number], 0) for number in removed if number in unfit]
            self._set(transaction, output.number, marked, now)
            self._say(transaction, output.number, kept)

    def _say(self, transaction: Transaction, output: int, words: Mapping[int, str]) -> None:
        """Keep the target's words on entries, for `explain`."""
        sql = "UPDATE ledger SET why = ? WHERE output = ? AND observable = ?"
        rows = [(why[:_LONGEST_WORDS], output, number) for number, why in words.items()]
        transaction.many(sql, rows)

    def _count_times(
        self,
        transaction: Transaction,
        kind: int,
        output: OutputState,
        observables: Sequence[int],
        which: str,
        now: int,
    ) -> None:
        """Count how long after the list's word the target followed it."""
        times: list[tuple[int, int]] = []
        for part in parts(observables, _PART):
            sql = (
                "SELECT reason, since FROM entries "  # noqa: S608 - only numbers
                f"WHERE list = ? AND {which} AND observable IN ({numbers(part)})"
            )
            rows = transaction.rows(sql, (output.list,))
            times += [(reason, now - since) for reason, since in rows]
        add_times(transaction, kind, output.number, times)

    def _set(
        self, transaction: Transaction, output: int, rows: Iterable[_Row], now: int,
        sql: str = _SET,
    ) -> None:  # fmt: skip
        """Set marks and digests, a part at a time: a plan may name millions."""
        coming = iter(rows)
        while part := list(islice(coming, _SET_AT_ONCE)):
            self._set_part(transaction, output, part, now, sql)

    def _set_part(
        self, transaction: Transaction, output: int, rows: Sequence[_Row], now: int, sql: str
    ) -> None:
        before = self._marks(transaction, output, [row[0] for row in rows])
        changes = Counter(int(row[1]) for row in rows)
        changes.subtract(before.values())
        unknown = (NEVER, 0)
        values = [(output, row[0], int(row[1]), row[2], now, *(row[3:] or unknown)) for row in rows]
        transaction.many(sql, values)
        add_to_tallies(transaction, OUTPUT_TALLY, output, changes)

    def _delete(self, transaction: Transaction, output: int, gone: Sequence[int]) -> None:
        before = self._marks(transaction, output, gone)
        changes = {mark: -count for mark, count in Counter(before.values()).items()}
        sql = "DELETE FROM ledger WHERE output = ? AND observable = ?"
        transaction.many(sql, [(output, number) for number in before])
        add_to_tallies(transaction, OUTPUT_TALLY, output, changes)

    def _marks(
        self, transaction: Transaction, output: int, wanted: Sequence[int]
    ) -> dict[int, int]:
        found: dict[int, int] = {}
        for part in parts(wanted, _PART):
            sql = (
                "SELECT observable, state FROM ledger "  # noqa: S608 - only numbers
                f"WHERE output = ? AND observable IN ({numbers(part)})"
            )
            found.update(map(tuple, transaction.rows(sql, (output,))))
        return found
