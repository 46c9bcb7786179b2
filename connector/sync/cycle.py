"""One cycle of a list (refresh) and of an output (propose, carry out)."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final, TypeVar, cast

from connector.adapter import Adapter, EntryAdapter, ListAdapter, RuleAdapter
from connector.decisions.mapping import Mapper, digest, digest_of_rule
from connector.decisions.plan import (
    BELOW,
    LedgerEntry,
    LedgerState,
    Limits,
    Plan,
    TargetSnapshot,
    Wanted,
    diff,
    violations,
)
from connector.decisions.room import Room
from connector.errors import PlanRefusedError, UndecidedError
from connector.model import Entry, Observable, ObservableType, Rule, RuleRef, Subject
from connector.settings import Settings
from connector.store.lists.entry_rows import RefreshResult
from connector.store.lists.lists import ListStore
from connector.store.lists.wanted import WantedRow
from connector.store.outputs.ledger import Ledger
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.entries import Describer
from connector.sync.listing import Listing
from connector.sync.rules import RuleReader

T = TypeVar("T")
Line = Entry | Rule
_READ_PART: Final = 1000
_WANTED_PART: Final = 500
_ASKED_AT_ONCE: Final = 100_000
_FEW: Final = 100  # more removals that nobody asked for are believed only of a sound state


@dataclass(frozen=True, slots=True)
class Scope:
    """What a cycle looks at: what changed, or everything; and whether it asks the target."""

    everything: bool
    verifies: bool

    @property
    def name(self) -> str:
        """The scope as plans and JSON call it."""
        return "everything" if self.everything else "changed"


CHANGED: Final = Scope(everything=False, verifies=False)
EVERYTHING: Final = Scope(everything=True, verifies=True)


@dataclass(frozen=True, slots=True)
class Output:
    """An output as configured: its list, adapter, mapping, limits and capacity.

    `setup` is a digest of all that the file says about it; a change of it is a reason to look at
    everything again, and so is that the target was last verified longer than `verify_every` ago.
    """

    name: str
    listing: Listing
    adapter: Adapter[Settings]
    mapper: Mapper | None
    limits: Limits
    setup: bytes
    verify_every: int
    max_entries: int | None = None
    types: frozenset[ObservableType] = frozenset()

    @property
    def capacity(self) -> int | None:
        """How many entries the target can hold, by its adapter and by the file."""
        bounds = [bound for bound in (self.adapter.capacity, self.max_entries) if bound]
        return min(bounds, default=None)

    @property
    def publishes(self) -> bool:
        """Whether the target takes everything at once, and is ours alone."""
        return isinstance(self.adapter, ListAdapter | RuleAdapter)

    def fits(self, observable: Subject) -> bool:
        """Return whether the target can hold this observable, or this rule."""
        if isinstance(observable, RuleRef):
            return isinstance(self.adapter, RuleAdapter) and self.adapter.takes(observable.type)
        if self.adapter.takes_rules:
            return False
        if self.types and observable.type not in self.types:
            return False
        return self.adapter.accepts(observable)

    def lines(
        self, store: Store, transaction: Transaction, rows: Iterable[WantedRow]
    ) -> Iterator[tuple[WantedRow, Line]]:
        """Yield each wanted row with what this output says of it: an entry or a rule.

        Every row must fit.
        """
        if isinstance(self.adapter, RuleAdapter):
            return RuleReader(self.listing.judge, store, transaction).rules(rows)
        return Describer(self.name, self.listing, self.mapper, store, transaction).entries(rows)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan, and what carrying it out needs to know of the moment it was made."""

    plan: Plan
    state: OutputState
    seq: int
    scope: Scope
    room: Room | None

    def unfit(self, output: Output, row: WantedRow) -> int:
        """Return the mark that says why the output cannot have a wanted entry; 0 where it can."""
        return _unfit(output, self.room, row)


def _unfit(output: Output, room: Room | None, row: WantedRow) -> int:
    if not output.fits(row.observable):
        return LedgerState.UNSUPPORTED
    if room is None or row.number in room.best:
        return 0
    return LedgerState.OVER_SHARE if row.number in room.beyond_share else LedgerState.OVER_CAPACITY


def refresh(
    listing: Listing,
    store: ListStore,
    *,
    everything: bool,
    now: int,
    progress: Callable[[int], None] = lambda _considered: None,
) -> RefreshResult:
    """Decide anew on what changed, or on everything; return what came and went."""
    decided = partial(listing.decide, now=now)
    return store.refresh(listing.number, decided, everything=everything, now=now, progress=progress)


def propose(output: Output, store: Store, scope: Scope) -> Proposal:
    """Return the plan from what the target holds to what the list wants; write nothing.

    Raises UndecidedError while the list is being decided, as half a list would pass the limits
    piece by piece, and where a feed moved on under an entry that others may still claim; StoreError
    where much would go that nobody asked to remove, and the state is damaged.
    """
    ledger = store.ledger
    state = store.outputs.open(output.name, output.listing.number)
    present = read_target(output, store) if scope.verifies else None
    with store.database.read() as transaction:
        check_decided(output, store, transaction)
        seq = store.wanted.list_seq(transaction, state.list)
        room = _within_capacity(output, store, transaction, state)
        if room is not None and not scope.everything:
            scope = replace(scope, everything=True)  # the rank that still fits may have moved
        renews = output.publishes and state.setup != output.setup
        after = None if scope.everything else state.seq
        plan = diff(
            output.name,
            scope.name,
            _wanted(output, store, transaction, after, room),
            _written(ledger, transaction, state, after),
            why_not=ledger.dropped(transaction, state, everything=scope.everything),
            present=present,
            before=ledger.owned(transaction, state.number),
            renews=renews and scope.verifies,
        )
        if plan.unasked > _FEW:
            store.soundness.expect_sound(transaction)
    if present is None:
        plan = plan.without(_put_by_others(plan, output, state, store))
    return Proposal(plan, state, seq, scope, room)


def check_decided(output: Output, store: Store, transaction: Transaction) -> None:
    """Raise UndecidedError unless the list is whole, and knows the rules as they are now.

    A rule's text is read when it is written: a version that the list has not considered yet may
    bear a marking that withholds it.
    """
    number, wanted = output.listing.number, store.wanted
    decided = wanted.is_decided(transaction, number)
    if decided and isinstance(output.adapter, RuleAdapter):
        decided = wanted.rules_are_decided(transaction, number)
    if not decided:
        listed = output.listing.policy.name
        raise UndecidedError(
            f"list {listed} is still being decided; {output.name} follows when it is done"
        )


def _written(
    ledger: Ledger, transaction: Transaction, state: OutputState, after: int | None
) -> Iterable[LedgerEntry]:
    if after is None:
        return ledger.written(transaction, state.number)
    return ledger.written_of(transaction, state.number, state.list, after)


def _wanted(
    output: Output,
    store: Store,
    transaction: Transaction,
    after: int | None,
    room: Room | None,
) -> Iterator[Wanted]:
    """Yield what the output should hold, each with its digest or the mark that says why not."""
    rows = store.wanted.rows(transaction, output.listing.number, after)
    for part in _parts(rows, _WANTED_PART):
        marks = {row.number: _unfit(output, room, row) for row in part}
        fitting = (row for row in part if not marks[row.number])
        digests = {
            row.number: digest_held(output, line)
            for row, line in output.lines(store, transaction, fitting)
        }
        for number, mark in marks.items():
            yield Wanted(number, digests.get(number, 0), mark)


def digest_held(output: Output, line: Line) -> int:
    """Return the digest of an entry's fields as the target will show them, or of a rule."""
    if isinstance(line, Rule):
        return digest_of_rule(line)
    return digest((output.adapter.as_held(line) if line.fields else line).fields)


def _within_capacity(
    output: Output, store: Store, transaction: Transaction, state: OutputState
) -> Room | None:
    """Return which entries the target can hold; None where all fit and always did."""
    capacity = output.capacity
    if capacity is None:
        return None
    if store.wanted.count(transaction, state.list) <= capacity and not any(
        store.ledger.marked(transaction, state.number, mark) for mark in BELOW
    ):
        return None
    fitting = (
        (number, source)
        for number, observable, source in store.wanted.ranks(transaction, state.list)
        if output.fits(observable)
    )
    return Room.of(fitting, capacity, output.listing.policy.shares)


def _put_by_others(plan: Plan, output: Output, state: OutputState, store: Store) -> set[int]:
    """Return what the plan would add and others did, as the target was not read for this plan.

    What we intended before a crash is ours, whoever finds it there now.
    """
    adapter, theirs = output.adapter, set[int]()
    if not isinstance(adapter, EntryAdapter):
        return theirs
    for part in _parts(plan.add.numbers, _ASKED_AT_ONCE):
        with store.database.read() as transaction:
            ours = store.ledger.ours_among(transaction, state.number, part)
            new = [number for number in part if number not in ours]
            found = store.wanted.observables_of(transaction, new)
            asked = {one: number for number, one in found if isinstance(one, Observable)}
        if asked:
            held = adapter.holds(asked.keys())
            theirs.update(asked[one] for one in held if one in asked)
    return theirs


def read_target(output: Output, store: Store) -> TargetSnapshot:
    """Return what the target holds.

    Raises UnavailableError when the target gives no complete answer.
    """
    present = TargetSnapshot(ours_alone=output.publishes)
    for part in _parts(_found(output), _READ_PART):
        with store.database.read() as transaction:
            known = store.wanted.numbers_of(transaction, [subject for subject, _digest in part])
        for subject, held in part:
            if (number := known.get(subject)) is None:
                present.unknown += 1
            else:
                present.put(number, held)
    return present


def _found(output: Output) -> Iterator[tuple[Subject, int | None]]:
    """Yield what the target holds, each with its digest where the target tells more than that."""
    if isinstance(output.adapter, RuleAdapter):
        for rule in output.adapter.read():
            yield rule.ref, digest_of_rule(rule)
    elif isinstance(output.adapter, ListAdapter | EntryAdapter):
        for entry in output.adapter.read():
            yield entry.observable, digest(entry.fields) if entry.fields else None


def check(proposal: Proposal, output: Output, accepted: Collection[str]) -> None:
    """Raise PlanRefusedError where the plan breaks a limit that nobody accepted."""
    plan = proposal.plan
    if plan.id not in accepted and (broken := violations(plan, output.limits)):
        raise PlanRefusedError(plan.id, broken)


def listed_entries(
    output: Output, store: Store, transaction: Transaction, proposal: Proposal
) -> Iterator[Entry]:
    """Yield all that the output should hold, sorted, as `ListAdapter.publish` takes it."""
    room, wanted = proposal.room, store.wanted
    if output.mapper is not None:
        rows = _held(output, wanted.rows_sorted(transaction, proposal.state.list), room)
        for _row, line in output.lines(store, transaction, rows):
            if isinstance(line, Entry):
                yield line
        return
    for number, observable, _rank in wanted.values_sorted(transaction, proposal.state.list):
        if output.fits(observable) and (room is None or number in room.best):
            yield Entry(cast(Observable, observable))


def listed_rules(
    output: Output, store: Store, transaction: Transaction, proposal: Proposal
) -> Iterator[Rule]:
    """Yield all rules that the output should hold, as `RuleAdapter.publish` takes them."""
    # Numbers are given as rules are first seen.
    rows = store.wanted.rows(transaction, proposal.state.list, None)
    rows = _held(output, rows, proposal.room)
    for _row, line in output.lines(store, transaction, rows):
        if isinstance(line, Rule):
            yield line


def _held(output: Output, rows: Iterable[WantedRow], room: Room | None) -> Iterator[WantedRow]:
    return (row for row in rows if not _unfit(output, room, row))


def _parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part
