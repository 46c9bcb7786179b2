"""Targets that take single changes, and that others may write to as well."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from connector.adapter import EntryAdapter
from connector.errors import BatchTooLargeError, EntryRejectedError, UnavailableError
from connector.model import Entry, Observable, Subject
from connector.settings import Settings
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.sync.apply import Applier, Outcome, Written, WrittenLine
from connector.sync.proposal import Proposal
from connector.sync.targets.target import EntryTarget, entry_of, held, in_parts, refs_in_parts

_ASKED_AT_ONCE: Final = 100_000


class SingleEntries(EntryTarget[EntryAdapter[Settings]]):
    """A table that takes single changes, and that others may write to as well."""

    ours_alone = False

    def read(self) -> Iterator[tuple[Subject, int | None]]:
        """Yield all entries of the table."""
        return held(self.adapter.read())

    def put_by_others(self, added: Sequence[int], state: OutputState, store: Store) -> set[int]:
        """Return what the plan would add and others did, as the target was not read for this plan.

        What we intended before a crash is ours, whoever finds it there now.
        """
        theirs = set[int]()
        for part in in_parts(added, _ASKED_AT_ONCE):
            with store.database.read() as transaction:
                ours = store.ledger.ours_among(transaction, state.number, part)
                new = [number for number in part if number not in ours]
                found = store.wanted.observables_of(transaction, new)
                asked = {one: number for number, one in found if isinstance(one, Observable)}
            if asked:
                there = self.adapter.holds(asked.keys())
                theirs.update(asked[one] for one in there if one in asked)
        return theirs

    def write(self, proposal: Proposal, applier: Applier) -> Iterator[Outcome]:
        """Add before remove, a batch at a time."""
        plan, store, size = proposal.plan, applier.store, self.adapter.batch_size
        total, done = len(plan.add) + len(plan.update) + len(plan.remove), 0
        for refs, updates in ((plan.add, False), (plan.update, True)):
            for part in refs_in_parts(refs, size):
                applier.check_stopped()
                for lines in _apart(self.written(part, proposal, store, renewed=True)):
                    rejected = self._add([entry_of(one.line) for one in lines], applier)
                    # A change that is refused leaves the entry there as it was.
                    yield Written(lines, rejected, updates, stays=updates)
                done += len(part)
                applier.progress(self.output, done, total)
        for part in refs_in_parts(plan.remove, size):
            applier.check_stopped()
            self._remove(self._entries(part.numbers, store), applier)
            yield self.removed(part.numbers, proposal, store)
            done += len(part)
            applier.progress(self.output, done, total)

    def _entries(self, numbers: Sequence[int], store: Store) -> list[Entry]:
        with store.database.read() as transaction:
            found = store.wanted.observables_of(transaction, numbers)
            return [Entry(one) for _number, one in found if isinstance(one, Observable)]

    def _add(self, entries: Sequence[Entry], applier: Applier) -> dict[str, str]:
        rejected: dict[str, str] = {}

        def add() -> None:
            try:
                self.adapter.add(entries)
            except EntryRejectedError as error:
                _expect_given(error.rejected, entries)
                rejected.update(error.rejected)

        try:
            applier.retry(add)
        except BatchTooLargeError as error:
            for part in _smaller(entries, error):
                rejected |= self._add(part, applier)
        return rejected

    def _remove(self, entries: Sequence[Entry], applier: Applier) -> None:
        try:
            applier.retry(lambda: self.adapter.remove(entries))
        except BatchTooLargeError as error:
            for part in _smaller(entries, error):
                self._remove(part, applier)


class StagedEntries(SingleEntries):
    """A table where changes become live together: nothing counts before that."""

    def write(self, proposal: Proposal, applier: Applier) -> Iterator[Outcome]:
        """Add before remove, then make all of it live.

        A target may drop what was staged when its commit fails, so all of it is staged again.
        """
        staged, lost = list(super().write(proposal, applier)), False

        def make_live() -> None:
            nonlocal staged, lost
            if lost:
                staged = list(super(StagedEntries, self).write(proposal, applier))
            lost = True  # until the commit went well
            self.adapter.commit()

        if staged:
            applier.retry(make_live)
        yield from staged


def _apart(written: list[WrittenLine]) -> Iterator[list[WrittenLine]]:
    """Yield groups without repeated values: a target reports refused entries by value."""
    while written:
        first = {one.subject.value: one for one in reversed(written)}
        yield [one for one in written if first[one.subject.value] is one]
        written = [one for one in written if first[one.subject.value] is not one]


def _expect_given(rejected: Mapping[str, str], entries: Sequence[Entry]) -> None:
    """Raise TypeError where a rejection names what was not given: the entry itself would pass."""
    unknown = rejected.keys() - {entry.value for entry in entries}
    if unknown:
        shown = ", ".join(sorted(value[:80] for value in unknown)[:3])
        raise TypeError(
            f"the adapter rejects {shown}, which it was not given: EntryRejectedError names each "
            "entry by its own value, not by the target's spelling of it"
        )


def _smaller(entries: Sequence[Entry], error: BatchTooLargeError) -> Iterator[Sequence[Entry]]:
    if len(entries) <= 1:
        raise UnavailableError("the target does not accept even a single entry") from error
    size = min(error.largest, len(entries) // 2)
    return (entries[at : at + size] for at in range(0, len(entries), size))
