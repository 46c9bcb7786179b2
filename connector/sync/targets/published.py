"""Targets that take everything in one step and are ours alone: lists and sets of rules."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from operator import itemgetter
from types import MappingProxyType
from typing import Final, TypeGuard

from connector.adapter import ListAdapter, Outcome, Outcomes, RuleAdapter
from connector.adapter.turns import share
from connector.decisions.mapping import digest_of_rule
from connector.decisions.plan import Plan
from connector.decisions.records import LedgerState
from connector.indicators.observables.keys import key_of
from connector.model import Entry, Observable, Rule, RuleLanguage, RuleRef, Subject
from connector.settings import Settings
from connector.store.lists.wanted import WantedRow
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.apply import Applier, Batch, Line, RemovedBatch
from connector.sync.folding import row_of
from connector.sync.listing import Listing
from connector.sync.outcomes import expect_mapping
from connector.sync.proposal import Proposal
from connector.sync.rules import RuleReader
from connector.sync.targets.entry import EntryTarget
from connector.sync.targets.parts import in_parts
from connector.sync.targets.target import Seen, Target, held

_LISTED_PART: Final = 1000


def _activate(
    target: "PublishedList | PublishedRules", state: OutputState, applier: Applier
) -> None:
    def activate() -> None:
        with target.calls("activate"):
            target.adapter.activate()

    applier.retry(activate)
    applier.store.outputs.note_activation(state.number, pending=False)


def _empty(target: "PublishedList | PublishedRules", state: OutputState, applier: Applier) -> None:
    """Publish a list without entries, and have the target take it up; again after a crash."""
    version = applier.store.outputs.next_version(state.number, applier.now())
    target.adapter.context.version = version

    def publish() -> None:
        with target.calls("publish"):
            expect_mapping("publish", target.adapter.publish(iter(())))

    applier.retry(publish)
    _activate(target, state, applier)


class PublishedList(EntryTarget[ListAdapter[Settings]]):
    """A file, a lookup or a hosted list."""

    ours_alone = True

    def read(self) -> Iterator[Seen]:
        """Yield the entries of the list."""
        return held("read", self.calls.drawn("read", self.adapter.read))

    def write(self, proposal: Proposal, applier: Applier) -> Iterator[Batch]:
        """Publish the list as it is now."""
        store = applier.store

        def publish(transaction: Transaction) -> Outcomes:
            if not self.folds:
                with self.calls("publish"):
                    return self.adapter.publish(self.listed(proposal, store, transaction))
            riders = self._riders(proposal, store, transaction)
            with self.calls("publish"):
                said = self.adapter.publish(self.listed(proposal, store, transaction, riders))
            said = expect_mapping("publish", said)
            along: dict[Subject, Outcome] = {
                one: said[first] for one, first in riders.items() if first in said
            }
            return {**along, **said}

        return self._publish(proposal, applier, publish)

    def activate(self, state: OutputState, applier: Applier) -> None:
        """Have the target take up what was published, with patience of its own."""
        _activate(self, state, applier)

    def withdraw(
        self, numbers: Sequence[int], state: OutputState, applier: Applier
    ) -> Iterator[Batch]:
        """Empty what was published."""
        _empty(self, state, applier)
        yield RemovedBatch(numbers, {})

    def listed(
        self, proposal: Proposal, store: Store, transaction: Transaction,
        riders: Mapping[Observable, Observable] = MappingProxyType({}),
    ) -> Iterator[Entry]:  # fmt: skip
        """Yield all that the list should hold, sorted, as `ListAdapter.publish` takes it.

        What waits to be removed is among it, as the target shows it: claims may be gone by now.
        `riders` are one with others that carry their row.
        """
        kept = sorted(self._kept(proposal, store, transaction), key=_key)
        wanted = self._wanted(proposal, store, transaction)
        entries = merge(wanted, kept, key=_key) if kept else wanted
        if not riders:
            return entries
        return (entry for entry in entries if entry.observable not in riders)

    def _riders(
        self, proposal: Proposal, store: Store, transaction: Transaction
    ) -> dict[Observable, Observable]:
        """Return the entries that another carries, by that one: the best ranked of a row.

        What only waits to be removed carries a row where nothing else does.
        """
        kept = proposal.aside.kept
        waiting: list[Observable] = []
        standing: list[Observable] = []
        for number, subject, _source in store.wanted.ranks(transaction, proposal.state.list):
            if isinstance(subject, Observable) and self._stands(number, subject, proposal):
                (waiting if number in kept else standing).append(subject)
        waiting += [entry.observable for entry in self._kept(proposal, store, transaction)]
        carriers: dict[int, Observable] = {}
        riders: dict[Observable, Observable] = {}
        for subject in (*standing, *waiting):
            carrier = carriers.setdefault(row_of(self.adapter, subject), subject)
            if carrier is not subject:
                riders[subject] = carrier
        return riders

    def _wanted(
        self, proposal: Proposal, store: Store, transaction: Transaction
    ) -> Iterator[Entry]:
        number = proposal.state.list
        if self.mapper is not None or self.whole:
            rows = store.wanted.rows_sorted(transaction, number)
            fitting = (row for row in rows if self._stands(row.number, row.observable, proposal))
            for _row, entry in self.lines(proposal.listing, store, transaction, fitting):
                yield entry
            return
        for part in in_parts(store.wanted.values_sorted(transaction, number), _LISTED_PART):
            share()
            for known, subject, _rank in part:
                if isinstance(subject, Observable) and self._stands(known, subject, proposal):
                    yield Entry(subject)

    def _stands(self, number: int, subject: Subject, proposal: Proposal) -> bool:
        """Return whether a wanted entry is in the list: it fits, or waits to be removed."""
        room, aside = proposal.room, proposal.aside
        if number in aside.kept:
            return isinstance(subject, Observable) and self.adapter.accepts(subject)
        fits = self.fits(subject) and (room is None or number in room.best)
        return fits and number not in aside.withheld

    def _kept(self, proposal: Proposal, store: Store, transaction: Transaction) -> list[Entry]:
        """Return the entries that nothing wants and that wait to be removed."""
        gone = store.wanted.not_wanted(transaction, proposal.state.list, proposal.aside.kept)
        if not gone:
            return []
        output, numbers = proposal.state.number, sorted(gone)
        ledger = store.ledger.among(transaction, output, numbers)
        written = {one.observable for one in ledger if one.mark == LedgerState.WRITTEN}
        written.update(proposal.plan.add.numbers)  # the target forgot it
        found = {one: number for number, one in store.wanted.observables_of(transaction, numbers)}
        asked = {one: number for one, number in found.items() if isinstance(one, Observable)}
        there = {
            one: Entry(one, seen.fields)
            for seen in self.calls.drawn("read", self.adapter.read)
            if not seen.contrary
            for one in self._meant(seen.observable, asked)
        }
        lost = [
            Entry(one) for one, number in asked.items() if one not in there and number in written
        ]
        return [*there.values(), *lost]

    def _meant(self, seen: Observable, asked: Collection[Observable]) -> Iterable[Observable]:
        """Return which of those asked for an entry at the target is."""
        if not self.folds:
            return (seen,) if seen in asked else ()
        row = row_of(self.adapter, seen)
        return (one for one in asked if row_of(self.adapter, one) == row)


class PublishedRules(Target[RuleAdapter[Settings]]):
    """A set of detection rules."""

    ours_alone = True

    @property
    def languages(self) -> frozenset[RuleLanguage]:
        """The languages of rules that the target takes, as configured."""
        return frozenset(each for each in RuleLanguage if self.adapter.takes(each))

    def fits(self, subject: Subject) -> TypeGuard[RuleRef]:
        """Return whether this is a rule in a language that the target takes."""
        return isinstance(subject, RuleRef) and self.adapter.takes(subject.type)

    def read(self) -> Iterator[Seen]:
        """Yield the rules of the set."""
        for rule in self.calls.drawn("read", self.adapter.read):
            yield Seen(rule.ref, digest_of_rule(rule))

    def lines(
        self, listing: Listing, store: Store, transaction: Transaction, rows: Iterable[WantedRow]
    ) -> Iterator[tuple[WantedRow, Rule]]:
        """Yield each wanted row with its rule, as received."""
        return RuleReader(listing.judge, store, transaction).rules(rows)

    def digest(self, line: Line) -> int:
        """Return the digest of a rule."""
        if not isinstance(line, Rule):
            raise TypeError(f"{line.value} is no rule")
        return digest_of_rule(line)

    def is_decided(self, listing: Listing, store: Store, transaction: Transaction) -> bool:
        """Return whether the list is whole, and knows the rules as they are now.

        A rule's text is read when it is written: a version that the list has not considered yet
        may have a marking that withholds it.
        """
        whole = super().is_decided(listing, store, transaction)
        return whole and store.wanted.rules_are_decided(transaction, listing.number)

    def activate(self, state: OutputState, applier: Applier) -> None:
        """Have the target take up what was published, with patience of its own."""
        _activate(self, state, applier)

    def withdraw(
        self, numbers: Sequence[int], state: OutputState, applier: Applier
    ) -> Iterator[Batch]:
        """Empty what was published."""
        _empty(self, state, applier)
        yield RemovedBatch(numbers, {})

    def judged_anew(self, plan: Plan) -> frozenset[LedgerState]:
        """Return the marks of rules that the target decides on with each plan.

        Two rules of one name cannot both be there: as one goes, one that was rejected may come.
        Under other options even one that is there may be rejected.
        """
        again = {LedgerState.REJECTED}
        return frozenset({*again, LedgerState.WRITTEN} if plan.renews else again)

    def write(self, proposal: Proposal, applier: Applier) -> Iterator[Batch]:
        """Publish the set as it is now."""
        store = applier.store

        def publish(transaction: Transaction) -> Outcomes:
            # Numbers are given as rules are first seen, which is the order that publish takes.
            rows = store.wanted.rows(transaction, proposal.state.list, None)
            fitting = (row for row in rows if self._stands(row, proposal))
            lines = self.lines(proposal.listing, store, transaction, fitting)
            wanted = ((row.number, rule) for row, rule in lines)
            kept = self._kept(proposal, store, transaction)
            rules = merge(wanted, kept, key=itemgetter(0))
            with self.calls("publish"):
                return self.adapter.publish(rule for _number, rule in rules)

        return self._publish(proposal, applier, publish)

    def _stands(self, row: WantedRow, proposal: Proposal) -> bool:
        """Return whether a wanted rule is in the set: it fits, or waits to be removed."""
        aside = proposal.aside
        if row.number in aside.kept:
            return self.fits(row.observable)
        return row.number not in aside.withheld and not self.unfit(row, proposal.room)

    def _kept(
        self, proposal: Proposal, store: Store, transaction: Transaction
    ) -> list[tuple[int, Rule]]:
        """Return the rules that nothing wants and that wait to be removed, as they are there."""
        gone = store.wanted.not_wanted(transaction, proposal.state.list, proposal.aside.kept)
        if not gone:
            return []
        rules = list(self.calls.drawn("read", self.adapter.read))
        known = store.wanted.numbers_of(transaction, [rule.ref for rule in rules])
        numbered = ((known.get(rule.ref), rule) for rule in rules)
        return sorted(
            ((number, rule) for number, rule in numbered if number in gone), key=itemgetter(0)
        )


def _key(entry: Entry) -> bytes:
    return key_of(entry.observable)
