"""Targets that take single changes, and that others may write to as well."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, ParamSpec, TypeVar

from msgspec.structs import replace as named

from connector.adapter import EntryAdapter, Full, Held, Left, Outcome, Outcomes, Written
from connector.decisions.plan import EntryRefs, Plan
from connector.model import Entry, Observable, Subject
from connector.settings import Settings
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.sync.apply import Applier, Batch, RemovedBatch, WrittenBatch, WrittenLine
from connector.sync.crowding import pool_of, ranks_pools
from connector.sync.expiry import Expiry
from connector.sync.folding import Fold, handles_of, row_of
from connector.sync.halving import Halving, as_batch
from connector.sync.outcomes import expect_outcomes
from connector.sync.proposal import Proposal
from connector.sync.spelling import meant_by
from connector.sync.targets.entry import EntryTarget
from connector.sync.targets.folded import Action, FoldedWrite
from connector.sync.targets.parts import in_parts, refs_in_parts
from connector.sync.targets.target import Seen, entry_of, held
from connector.sync.view import View

_ASKED_AT_ONCE: Final = 100_000
_GONE: Final = Written()
E = TypeVar("E", Entry, Held)
P = ParamSpec("P")


class SingleEntries(EntryTarget[EntryAdapter[Settings]]):
    """A table that takes single changes, and that others may write to as well."""

    ours_alone = False

    def read(self) -> Iterator[Seen]:
        """Yield all entries of the table."""
        return held("read", self.calls.drawn("read", self.adapter.read))

    def counting(
        self, found: Sequence[tuple[int, Seen]], store: Store, output: int
    ) -> Iterable[tuple[int, Seen]]:
        """Return what counts of what was read: of indicators, ours where we wrote one.

        Those of others may name the same. Only what took an entry from us says which one is ours.
        """
        if not self.whole:
            return found
        with store.database.read() as transaction:
            numbers = sorted({number for number, _seen in found})
            ours = store.ledger.handles(transaction, output, numbers)
        return [
            (number, seen._replace(handle=""))
            for number, seen in found
            if ours.get(number, seen.handle) == seen.handle
        ]

    def put_by_others(
        self, added: Sequence[int], state: OutputState, store: Store, fold: Fold | None
    ) -> dict[int, str]:
        """Return what the plan would add and others did, as the target was not read for this plan.

        What we intended before a crash is ours, whoever finds it there now.
        """
        theirs: dict[int, str] = {}
        for part in in_parts(added, _ASKED_AT_ONCE):
            with store.database.read() as transaction:
                ours = store.ledger.ours_among(transaction, state.number, part)
                new = [one for one in part if one not in ours and not (fold and fold.is_ours(one))]
                found = store.wanted.observables_of(transaction, new)
                asked = {one: number for number, one in found if isinstance(one, Observable)}
            if asked:
                there = self.calls.drawn("holds", partial(self.adapter.holds, asked))
                for number, seen in self._meant(held("holds", there), asked):
                    theirs[number] = seen.contrary or seen.partly or theirs.get(number, "")
        return theirs

    def _meant(
        self, found: Iterable[Seen], asked: Mapping[Observable, int]
    ) -> Iterator[tuple[int, Seen]]:
        """Yield what was found by the numbers of what it is, of what was asked for."""
        if not self.folds:
            for seen in found:
                for one in {seen.subject, *meant_by([seen.subject], Counter()).values()}:
                    if isinstance(one, Observable) and one in asked:
                        yield asked[one], seen
            return
        rows: dict[int, list[int]] = {}
        for one, number in asked.items():
            rows.setdefault(row_of(self.adapter, one), []).append(number)
        for seen in found:
            meant = meant_by([seen.subject], Counter()).get(seen.subject, seen.subject)
            if isinstance(meant, Observable):
                for number in rows.get(row_of(self.adapter, meant), ()):
                    yield number, seen

    def write(self, proposal: Proposal, applier: Applier) -> Iterator[Batch]:
        """Add before remove, a batch at a time."""
        progress = self._progress(proposal, applier)
        for action in self.actions(proposal, applier):
            for batch in action():
                yield batch
                progress(batch)

    def actions(self, proposal: Proposal, applier: Applier) -> Iterator[Action]:
        """Yield what there is to do, a batch at a time; each can be done again."""
        plan, fold = proposal.plan, proposal.fold
        full: set[str] = set()

        def add(part: EntryRefs, updates: bool) -> WrittenBatch:
            return self._added(part, proposal, applier, full, updates=updates)

        def remove(numbers: Sequence[int]) -> RemovedBatch:
            return self._removed(numbers, proposal, applier)

        if proposal.room is not None or ranks_pools(self.adapter):
            plan = replace(plan, add=self._best_first(plan.add, proposal, applier.store))
        size = self._size(proposal.state)
        if fold is not None:
            write = FoldedWrite(self, proposal, fold, plan, applier.store)
            return write.actions(add, remove, size)
        return _actions(plan, add, remove, size)

    def _size(self, state: OutputState) -> int:
        """Return how many entries are written at once: as many as the target ever took."""
        size = min(self.adapter.batch.entries, state.largest_batch or self.adapter.batch.entries)
        return min(size, self.adapter.batch.commit_every or size)

    def _progress(self, proposal: Proposal, applier: Applier) -> Callable[[Batch], None]:
        plan, done = proposal.plan, 0
        total = len(plan.add) + len(plan.update) + len(plan.remove)

        def progress(batch: Batch) -> None:
            nonlocal done
            done += len(batch)
            applier.progress(self.output, done, total)

        return progress

    def _best_first(self, refs: EntryRefs, proposal: Proposal, store: Store) -> EntryRefs:
        """Return additions by rank: a target that turns out to be full has the best of them."""
        with store.database.read() as transaction:
            ranked = store.wanted.ranks_among(transaction, proposal.state.list, refs.numbers)
        digests, ordered = dict(refs), EntryRefs()
        for number, _subject in ranked:
            ordered.put(number, digests.pop(number))
        for number, digest in digests.items():  # nothing wants it: it only waits to be removed
            ordered.put(number, digest)
        return ordered

    def due(self, view: View) -> frozenset[int]:
        """Return the written entries that the target would end too early, or too late.

        And those that a protection of their row kept off until now.
        """
        due = super().due(view)
        if Expiry.of(self.adapter) is None:
            return due
        ends = view.store.ends.due(view.transaction, view.state, view.after, view.now)
        return due.union(ends)

    def note_ends(self, batch: Batch, state: OutputState, store: Store, now: int) -> None:
        """Keep when the target ends what it took."""
        if (expiry := Expiry.of(self.adapter)) is None:
            return
        if isinstance(batch, WrittenBatch):
            store.ends.keep(state.number, expiry.ends(batch, now))
        else:
            store.ends.forget(state.number, batch.numbers)

    def _ending(
        self, lines: list[WrittenLine], proposal: Proposal, store: Store
    ) -> list[WrittenLine]:
        """Return lines with their ends at the target: of one row, that of the last."""
        if (expiry := Expiry.of(self.adapter)) is None:
            return lines
        until, fold = {one.number: one.until for one in lines}, proposal.fold
        if fold is not None:
            rows = {number: fold.members.get(fold.rows[number], ()) for number in until}
            mates = sorted({mate for row in rows.values() for mate in row})
            with store.database.read() as transaction:
                ends = store.wanted.ends_among(transaction, proposal.state.list, mates)
            for number, row in rows.items():
                until[number] = max((until[number], *(ends.get(mate, 0) for mate in row)))
        return [
            one._replace(line=expiry.ending(entry_of(one.line), until[one.number], proposal.now))
            for one in lines
        ]

    def _named(
        self, lines: list[WrittenLine], proposal: Proposal, store: Store
    ) -> list[WrittenLine]:
        """Return lines with the target's own names for them."""
        numbers = [one.number for one in lines]
        handles = handles_of(store, proposal.state.number, numbers, proposal.fold)
        if not handles:
            return lines
        return [
            one._replace(line=named(entry_of(one.line), handle=handles.get(one.number, "")))
            for one in lines
        ]

    def _added(
        self, part: EntryRefs, proposal: Proposal, applier: Applier, full: set[str], *,
        updates: bool,
    ) -> WrittenBatch:  # fmt: skip
        """Write a batch; what would go into a pool that is `full` by now is not tried."""
        applier.check_stopped()
        lines = self.written(part, proposal, applier.store, renewed=True)
        lines = self._ending(lines, proposal, applier.store)
        if updates or self.whole or proposal.fold is not None or not self.readable:
            lines = self._named(lines, proposal, applier.store)
        crowded: dict[Subject, Outcome] = {}
        if full and not updates:
            pools = ((one.subject, pool_of(self.adapter, one.subject)) for one in lines)
            crowded = {subject: Full(pool) for subject, pool in pools if pool in full}
        sent = [entry_of(one.line) for one in lines if one.subject not in crowded]
        said = self._write("add", self.adapter.add, sent, proposal.state, applier)
        for subject, outcome in said.items():
            if isinstance(outcome, Full):
                full.add(pool_of(self.adapter, subject))
        said = {**said, **crowded}
        if self.whole:
            self._remove_former(lines, said, proposal.state, applier)
        # A change that is refused leaves the entry there as it was.
        return WrittenBatch(lines, said, updates, stays=updates)

    def _remove_former(
        self, lines: Sequence[WrittenLine], said: Outcomes, state: OutputState, applier: Applier
    ) -> None:
        """Remove the indicators that carried entries until now, where they carry none of ours."""
        had = {one.number: entry_of(one.line) for one in lines}
        has = {number: _handle_after(one, said) for number, one in had.items()}
        handles = {number: one.handle for number, one in had.items()}
        left = {
            one.handle: Held(one.observable, handle=one.handle)
            for one in had.values()
            if one.handle
        }  # fmt: skip
        for handle in left.keys() & set(has.values()):
            del left[handle]
        if not left:
            return
        with applier.store.database.read() as transaction:
            shared = applier.store.ledger.also_named(transaction, state.number, handles)
        former = [one for handle, one in left.items() if handle not in shared]
        self._write("remove", self.adapter.remove, former, state, applier)

    def _removed(
        self, numbers: Sequence[int], proposal: Proposal, applier: Applier
    ) -> RemovedBatch:
        kept, left = self._remove(numbers, proposal.state, applier)
        gone = [number for number in numbers if number not in kept]
        return replace(self.removed(gone, proposal, applier.store, kept), left=left)

    def _remove(
        self, numbers: Sequence[int], state: OutputState, applier: Applier
    ) -> tuple[dict[int, str], frozenset[int]]:
        """Remove entries; return the target's words on those that it did not let go.

        And those of them that it never will. Of entries with one original, the last takes it away.
        """
        applier.check_stopped()
        store = applier.store
        with store.database.read() as transaction:
            found = dict(store.wanted.observables_of(transaction, numbers))
            handles = store.ledger.handles(transaction, state.number, numbers)
            shared: Collection[str] = ()
            if self.whole:
                shared = store.ledger.also_named(transaction, state.number, handles)
        ours = [
            Held(one, handle=handles.get(number, ""))
            for number, one in found.items()
            if isinstance(one, Observable) and handles.get(number) not in shared
        ]
        said = self._write("remove", self.adapter.remove, ours, state, applier)
        kept = {
            number: outcome
            for number, one in found.items()
            if not isinstance(outcome := said.get(one, _GONE), Written)
        }
        left = frozenset(number for number, outcome in kept.items() if isinstance(outcome, Left))
        return {number: outcome.words for number, outcome in kept.items()}, left

    def withdraw(
        self, numbers: Sequence[int], state: OutputState, applier: Applier
    ) -> Iterator[Batch]:
        """Remove entries, a batch at a time."""
        for action in self._removals(numbers, state, applier):
            yield from action()

    def _removals(
        self, numbers: Sequence[int], state: OutputState, applier: Applier
    ) -> Iterator[Action]:
        def remove(part: Sequence[int]) -> RemovedBatch:
            kept, left = self._remove(part, state, applier)
            return RemovedBatch([number for number in part if number not in kept], {}, kept, left)

        for part in in_parts(numbers, self._size(state)):
            yield partial(_alone, remove, part)

    def _write(
        self,
        verb: str,
        write: Callable[[Sequence[E]], Outcomes],
        entries: Sequence[E],
        state: OutputState,
        applier: Applier,
    ) -> Outcomes:
        said: dict[Subject, Outcome] = {}
        for part in self._in_bytes(entries):
            said |= self._write_part(verb, write, part, state, applier)
        return said

    def _in_bytes(self, entries: Sequence[E]) -> Iterator[Sequence[E]]:
        """Yield entries, as many at a time as the adapter takes bytes."""
        most = self.adapter.batch.bytes
        if most is None:
            yield entries
            return
        start = weight = 0
        for at, entry in enumerate(entries):
            weighs = self.adapter.weigh(entry)
            if weight + weighs > most and at > start:
                yield entries[start:at]
                start, weight = at, 0
            weight += weighs
        yield entries[start:]

    def _write_part(
        self,
        verb: str,
        write: Callable[[Sequence[E]], Outcomes],
        entries: Sequence[E],
        state: OutputState,
        applier: Applier,
    ) -> Outcomes:
        def send(part: Sequence[E]) -> Outcomes:
            given = frozenset(entry.observable for entry in part)
            said: dict[Subject, Outcome] = {}

            def once() -> None:
                with self.calls(verb), as_batch(len(part)):
                    outcomes = write(part)
                said.update(expect_outcomes(verb, outcomes, given))

            self._patiently(once, applier)
            return said

        if not entries:
            return {}
        halving = Halving(send)
        said = halving.send(entries)
        if halving.largest < len(entries) and not halving.lone:
            applier.store.outputs.note_batch(state.number, halving.largest)
        return said

    def _patiently(self, write: Callable[[], None], applier: Applier) -> None:
        applier.retry(write)


def _actions(
    plan: Plan,
    add: Callable[[EntryRefs, bool], WrittenBatch],
    remove: Callable[[Sequence[int]], RemovedBatch],
    size: int,
) -> Iterator[Action]:
    for refs, updates in ((plan.add, False), (plan.update, True)):
        for part in refs_in_parts(refs, size):
            yield partial(_alone, add, part, updates)
    for part in refs_in_parts(plan.remove, size):
        yield partial(_alone, remove, part.numbers)


def _handle_after(entry: Entry, said: Outcomes) -> str:
    """Return the target's own name for an entry after it was written, or was not."""
    outcome = said.get(entry.observable, _GONE)
    return (outcome.handle if isinstance(outcome, Written) else "") or entry.handle


def _alone(write: Callable[P, Batch], *args: P.args, **kwargs: P.kwargs) -> Iterable[Batch]:
    return (write(*args, **kwargs),)
