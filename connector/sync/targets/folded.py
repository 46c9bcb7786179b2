"""Writes a plan to a target of single entries where several entries are one row."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from connector.adapter import Later, Outcome, Written
from connector.decisions.plan import EntryRefs, Plan
from connector.model import Subject
from connector.store.store import Store
from connector.sync.apply import Batch, Line, RemovedBatch, WrittenBatch
from connector.sync.expiry import Expiry
from connector.sync.folding import Fold, handles_of
from connector.sync.proposal import Proposal
from connector.sync.targets.entry import EntryTarget
from connector.sync.targets.parts import in_parts, refs_in_parts

Action = Callable[[], Iterable[Batch]]
Add = Callable[[EntryRefs, bool], WrittenBatch]
Remove = Callable[[Sequence[int]], RemovedBatch]
_TAKEN: Final = Written()
_UNKNOWN: Final = "an entry that is one with it has yet to be written"


class FoldedWrite:
    """One plan on its way to the target: each row once, and what became of every entry of it."""

    def __init__(
        self, target: EntryTarget[Any], proposal: Proposal, fold: Fold, plan: Plan, store: Store
    ) -> None:
        self._target, self._proposal, self._fold, self._store = target, proposal, fold, store
        always = Expiry.of(target.adapter) is not None
        self._steps = fold.steps(plan, proposal.aside.withheld, always=always)
        self._new = frozenset(plan.add.numbers)
        self._planned = self._new | frozenset(plan.update.numbers)
        self._said: dict[int, Outcome] = {}
        self._carried: dict[int, Line] = {}

    def actions(self, add: Add, remove: Remove, size: int) -> Iterator[Action]:
        """Yield what there is to do by the row, a batch at a time: add before remove."""
        steps = self._steps
        for refs, updates in ((steps.add, False), (steps.update, True)):
            for part in refs_in_parts(refs, size):
                yield partial(self._rows, add, part, updates=updates)
        for part in refs_in_parts(steps.there, size):
            yield partial(self._there, part)
        gone, stays, later = self._leaving()  # as all additions are known by now
        if stays or later:
            yield lambda: (self._target.removed(stays, self._proposal, self._store, later),)
        for rows in in_parts(gone.values(), size):
            yield partial(self._removed, remove, rows)

    def _there(self, part: EntryRefs) -> Iterable[Batch]:
        """Return additions of which the row is there already."""
        self._said.update(dict.fromkeys(part.numbers, _TAKEN))
        return (self._batch(part, {}, updates=False),)

    def _rows(self, add: Add, part: EntryRefs, *, updates: bool) -> Iterable[Batch]:
        """Write rows; yield what became of all their entries."""
        batch = add(part, updates)
        new, had, said = EntryRefs(), EntryRefs(), {}
        for line in batch.lines:
            outcome = batch.outcomes.get(line.subject, _TAKEN)
            for number in self._steps.members[line.number]:
                said[number], self._carried[number] = outcome, line.line
                (new if number in self._new else had).put(number, line.digest)
        self._said |= said
        if new:
            yield self._batch(new, said, updates=False)
        if had:
            yield self._batch(had, said, updates=True)

    def _batch(
        self, refs: EntryRefs, said: Mapping[int, Outcome], *, updates: bool
    ) -> WrittenBatch:
        """Return entries with what was said of their rows; they share the target's name of it."""
        handles = handles_of(self._store, self._proposal.state.number, refs.numbers, self._fold)
        lines = [
            line._replace(line=self._carried.get(line.number, line.line))
            for line in self._target.written(refs, self._proposal, self._store)
        ]
        outcomes: dict[Subject, Outcome] = {}
        for line in lines:
            outcome = said.get(line.number, _TAKEN)
            if isinstance(outcome, Written) and not outcome.handle:
                outcome = Written(handles.get(line.number, ""))
            outcomes[line.subject] = outcome
        return WrittenBatch(lines, outcomes, updates, stays=updates)

    def _leaving(self) -> tuple[dict[int, list[int]], list[int], dict[int, str]]:
        """Return what goes by its row, what goes while its row stays, and what cannot go yet."""
        rows, kept = self._fold.rows, self._proposal.aside.kept
        bound = {rows[number] for number in kept if number in rows}
        gone: dict[int, list[int]] = {}
        stays: list[int] = []
        later: dict[int, str] = {}
        for number in self._proposal.plan.remove.numbers:
            row = rows[number]
            mates = self._fold.members.get(row, ())
            if row in bound or any(map(self._is_there, mates)):
                stays.append(number)
            elif words := next(filter(None, map(self._waits, mates)), ""):
                later[number] = words
            else:
                gone.setdefault(row, []).append(number)
        return gone, stays, later

    def _is_there(self, number: int) -> bool:
        """Return whether an entry is at the target, by what it said now or before."""
        return number in self._fold.written or isinstance(self._said.get(number), Written)

    def _waits(self, number: int) -> str:
        """Return in words that nobody knows yet whether an entry is there; nothing where known."""
        said = self._said.get(number)
        if isinstance(said, Later):
            return said.words
        return _UNKNOWN if said is None and number in self._planned else ""

    def _removed(self, remove: Remove, rows: Sequence[Sequence[int]]) -> Iterable[Batch]:
        """Remove rows; return what became of all their entries."""
        batch = remove([row[0] for row in rows])
        kept = {
            number: batch.kept[row[0]] for row in rows if row[0] in batch.kept for number in row
        }
        numbers = [number for row in rows for number in row if number not in kept]
        return (self._target.removed(numbers, self._proposal, self._store, kept),)
