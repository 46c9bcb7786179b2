"""The outputs' side of the store: what we wrote where, and what is there.

An intent is recorded before it is carried out, so that whatever may have been written stays ours
after a crash. Only what this ledger calls ours is ever removed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from connector.decisions.plan import EntryRefs, LedgerEntry, Plan
from connector.decisions.records import GONE, OURS, LedgerState, reason_of
from connector.model import Reason, Subject
from connector.store.database import Database, marks, numbers, parts
from connector.store.interning import subject
from connector.store.outputs.audit import AuditRow
from connector.store.outputs.held_changes import ADD, REMOVE, drop_done
from connector.store.outputs.ledger_rows import (
    SET_WITH_ENDS,
    confirm_at_once,
    delete_rows,
    keep_names,
    keep_words,
    marks_of,
    move_ends,
    set_rows,
)
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.timings import add_times
from connector.store.tallies import (
    ENFORCE_TALLY,
    OUTPUT_TALLY,
    REMOVAL_TALLY,
    tallies,
)
from connector.store.transaction import Transaction

_PART: Final = 1000
_OURS: Final = ",".join(str(int(mark)) for mark in sorted(OURS))
_STAYING: Final = numbers((LedgerState.INTENDED, LedgerState.WRITTEN))
_COLUMNS: Final = "l.observable, l.state, l.digest, l.ends, l.source"


class Confirmation(NamedTuple):
    """What a target said of entries that it was given: number and digest of those that it took.

    `marked` are those that it did not take, with their marks; `words` are its own on them, and
    `handles` its own names. `fresh` says that what it took was not there: what came onto the list
    since the output was last in step has its time counted. `audited` tells of the same.
    """

    taken: Sequence[tuple[int, int]]
    marked: Sequence[tuple[int, int, int]] = ()
    words: Mapping[int, str] = MappingProxyType({})
    handles: Mapping[int, str] = MappingProxyType({})
    fresh: bool = False
    audited: Sequence[AuditRow] = ()


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
        marks = marks_of(transaction, output, observables)
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
        updates: bool = False,
        judged_anew: frozenset[LedgerState] = frozenset(),
        kept: Collection[int] = (),
    ) -> None:
        """Record what is about to be written and removed, before it is.

        The target decides again on entries with a mark in `judged_anew`, besides those of the plan
        and those that are `kept` though nothing wants them. `updates` are intended as well where
        they may leave nothing behind, or nobody can ask what they left. A `whole` plan also has
        entries that did not change on the list, which no later change would find again.
        """
        with self._db.write(durable=True) as transaction:
            if judged_anew:
                again = self._marked(transaction, output.number, judged_anew)
                wanted = (row for row in again if row[0] not in kept)
                set_rows(transaction, output.number, wanted, now)
            if updates:
                self._intend(transaction, output.number, plan.update, now)
            else:
                ends = zip(plan.update.numbers, plan.update.ends, strict=True)
                move_ends(transaction, output.number, ends)
            self._intend(transaction, output.number, plan.add, now)
            marked = ((number, LedgerState.REMOVING, 0) for number in plan.remove.numbers)
            set_rows(transaction, output.number, marked, now)
            if whole:  # until it ended well, the next cycle looks at everything again
                sql = "UPDATE outputs SET verified_at = NULL WHERE number = ?"
                transaction.run(sql, (output.number,))

    def _intend(self, transaction: Transaction, output: int, refs: EntryRefs, now: int) -> None:
        rows = zip(refs.numbers, refs.digests, refs.ends, refs.sources, strict=True)
        marked = (
            (number, LedgerState.INTENDED, digest, ends, source)
            for number, digest, ends, source in rows
        )
        set_rows(transaction, output, marked, now, sql=SET_WITH_ENDS)

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
            move_ends(transaction, output.number, plan.later)
            gone = [number for number, mark in plan.marks if mark == GONE]
            delete_rows(transaction, output.number, gone)
            marked = [(number, mark, 0) for number, mark in plan.marks if mark != GONE]
            set_rows(transaction, output.number, marked, now)
            keep_words(transaction, output.number, plan.words)

    def confirm(self, output: OutputState, said: Confirmation, now: int) -> None:
        """Record what the target took, how it left the rest, and its words on that.

        What has words and no new mark is there as it was before: it stays ours, or the target
        would keep it for ever.
        """
        with self._db.write() as transaction:
            if said.fresh and output.seq:  # a first fill only says how long a list was there
                took_up = [number for number, _digest in said.taken]
                late = f"wanted = 1 AND seq > {int(output.seq)}"
                self._count_times(transaction, ENFORCE_TALLY, output, took_up, late, now)
            if not confirm_at_once(transaction, output.number, said.taken, now):
                took = ((number, LedgerState.WRITTEN, digest) for number, digest in said.taken)
                set_rows(transaction, output.number, took, now)
            drop_done(transaction, output.number, ADD, [number for number, _digest in said.taken])
            set_rows(transaction, output.number, said.marked, now)
            keep_words(transaction, output.number, said.words)
            keep_names(transaction, output.number, said.handles)
            for row in said.audited:
                row.append(transaction, now)

    def keep_handles(self, output: OutputState, handles: Mapping[int, str]) -> None:
        """Keep the target's own names for entries of ours, as it was just read."""
        if handles:
            with self._db.write() as transaction:
                keep_names(transaction, output.number, handles)

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

    def also_named(
        self, transaction: Transaction, output: int, handles: Mapping[int, str]
    ) -> set[str]:
        """Return those of these names that other entries of ours have, and that stay."""
        found: set[str] = set()
        for part in parts(sorted(set(handles.values())), _PART):
            sql = (
                "SELECT DISTINCT handle FROM ledger "  # noqa: S608 - only numbers and marks
                f"WHERE output = ? AND state IN ({_STAYING}) AND handle IN ({marks(part)}) "
                f"AND observable NOT IN ({numbers(handles)})"
            )
            found.update(name for (name,) in transaction.rows(sql, (output, *part)))
        return found

    def confirm_removed(
        self,
        output: OutputState,
        removed: Sequence[int],
        unfit: Mapping[int, int],
        kept: Mapping[int, str],
        now: int,
        audited: Sequence[AuditRow] = (),
    ) -> None:
        """Record that entries are gone; those that do not fit keep the mark that says so.

        `kept` has the target's words on those that it did not let go.
        """
        with self._db.write() as transaction:
            ours = list(marks_of(transaction, output.number, removed))
            self._count_times(transaction, REMOVAL_TALLY, output, ours, "wanted = 0", now)
            delete_rows(transaction, output.number, removed)
            drop_done(transaction, output.number, REMOVE, removed)
            marked = [(number, unfit[number], 0) for number in removed if number in unfit]
            set_rows(transaction, output.number, marked, now)
            keep_words(transaction, output.number, kept)
            for row in audited:
                row.append(transaction, now)

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
