"""One cycle of a list (refresh) and of an output (propose, carry out)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import Connection

from connector.adapter import Adapter, ListAdapter
from connector.decisions.mapping import Mapper, digest
from connector.decisions.plan import Limits, Mark, Plan, Presence, Wanted, Written, diff, violations
from connector.decisions.policy import ClaimRow, Decision, decide
from connector.decisions.verdict import ListPolicy
from connector.entries import Describer
from connector.errors import PlanRefusedError, UndecidedError
from connector.indicators.keys import key_of
from connector.model import Entry, Observable, ObservableType
from connector.settings import Settings
from connector.store.ledger import Ledger
from connector.store.lists import ListStore, Refreshed
from connector.store.outputs import OutputState
from connector.store.store import Store
from connector.store.wanted import WantedRow

T = TypeVar("T")
_READ_PART: Final = 1000


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
class Listing:
    """A list as configured: its number in the store and its policy."""

    number: int
    policy: ListPolicy


@dataclass(frozen=True, slots=True)
class Output:
    """An output as configured: its list, adapter, mapping, limits and capacity.

    `setup` is a digest of all that the file says about it; a change of it is a reason to look at
    everything again.
    """

    name: str
    listing: Listing
    adapter: Adapter[Settings]
    mapper: Mapper | None
    limits: Limits
    setup: bytes
    max_entries: int | None = None
    types: frozenset[ObservableType] = frozenset()

    @property
    def capacity(self) -> int | None:
        """How many entries the target can hold, by its adapter and by the file."""
        bounds = [bound for bound in (self.adapter.capacity, self.max_entries) if bound]
        return min(bounds, default=None)

    def fits(self, observable: Observable) -> bool:
        """Return whether the target can hold this observable."""
        if self.types and observable.type not in self.types:
            return False
        return self.adapter.accepts(observable)

    def describer(self, store: Store) -> Describer:
        """Return what turns the list's entries into this output's."""
        return Describer(self.name, self.listing.policy, self.mapper, store)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan, and what carrying it out needs to know of the moment it was made."""

    plan: Plan
    state: OutputState
    seq: int
    scope: Scope
    allowed: frozenset[int] | None
    foreign: frozenset[bytes] | None


def refresh(
    listing: Listing,
    store: ListStore,
    *,
    everything: bool,
    now: int,
    progress: Callable[[int], None] = lambda _considered: None,
) -> Refreshed:
    """Decide anew on what changed, or on everything; return what came and went."""
    policy = listing.policy

    def decided(observable: Observable, claims: Sequence[ClaimRow]) -> Decision:
        return decide(observable, claims, policy, now)

    return store.refresh(listing.number, decided, everything=everything, now=now, progress=progress)


def propose(output: Output, store: Store, scope: Scope) -> Proposal:
    """Return the plan from what the target holds to what the list wants; write nothing.

    Raises UndecidedError while the list is being decided, as half a list would pass the limits
    piece by piece, and where a feed moved on under an entry that others may still claim.
    """
    ledger = store.ledger
    state = ledger.open(output.name, output.listing.number)
    present, foreign = (None, None)
    if scope.verifies:
        present, foreign = read_target(output, state, store)
    with store.database.read() as connection:
        if not ledger.is_decided(connection, state.list):
            listed = output.listing.policy.name
            raise UndecidedError(f"list {listed} is being decided; {output.name} follows it")
        seq = ledger.list_seq(connection, state.list)
        allowed = _within_capacity(output, connection, ledger, state)
        if allowed is not None and not scope.everything:
            scope = replace(scope, everything=True)  # the rank that still fits may have moved
        renews = isinstance(output.adapter, ListAdapter) and state.setup != output.setup
        theirs: Collection[bytes] = ()
        if present is None:
            theirs = ledger.foreign_among(connection, state.number)
        after = None if scope.everything else state.seq
        plan = diff(
            output.name,
            scope.name,
            _wanted(output, store, ledger.wanted(connection, state.list, after), allowed, theirs),
            _written(ledger, connection, state, after),
            why_not=ledger.dropped(connection, state, everything=scope.everything),
            present=present,
            before=ledger.owned(connection, state.number),
            renews=renews and scope.verifies,
        )
    return Proposal(plan, state, seq, scope, allowed, foreign)


def _written(
    ledger: Ledger, connection: Connection, state: OutputState, after: int | None
) -> Iterable[Written]:
    if after is None:
        return ledger.written(connection, state.number)
    return ledger.written_of(connection, state.number, state.list, after)


def _wanted(
    output: Output,
    store: Store,
    rows: Iterable[WantedRow],
    allowed: Collection[int] | None,
    theirs: Collection[bytes],
) -> Iterator[Wanted]:
    """Yield what the output should hold, each with its digest or the mark that says why not."""
    for row, entry in output.describer(store).entries(rows):
        number = row.number
        if not output.fits(row.observable):
            yield Wanted(number, 0, Mark.UNSUPPORTED)
        elif allowed is not None and number not in allowed:
            yield Wanted(number, 0, Mark.OVER_CAPACITY)
        elif theirs and key_of(row.observable) in theirs:
            yield Wanted(number, 0, Mark.FOREIGN)
        else:
            yield Wanted(number, digest_held(output, entry))


def digest_held(output: Output, entry: Entry) -> int:
    """Return the digest of an entry's fields as the target will show them."""
    held = output.adapter.as_held(entry) if entry.fields else entry
    return digest(held.fields)


def _within_capacity(
    output: Output, connection: Connection, ledger: Ledger, state: OutputState
) -> frozenset[int] | None:
    """Return the best entries that the target can hold; None where all fit and always did."""
    capacity = output.capacity
    if capacity is None:
        return None
    fitting = (
        number
        for number, observable, _rank in ledger.ranks(connection, state.list)
        if output.fits(observable)
    )
    if ledger.wanted_count(connection, state.list) <= capacity:
        if not ledger.marked(connection, state.number, Mark.OVER_CAPACITY):
            return None
        return frozenset(fitting)
    return frozenset(islice(fitting, capacity))


def read_target(
    output: Output, state: OutputState, store: Store
) -> tuple[Presence, frozenset[bytes]]:
    """Return what the target holds, and the keys of what others put there.

    Raises UnavailableError when the target gives no complete answer.
    """
    present = Presence(ours_alone=isinstance(output.adapter, ListAdapter))
    foreign: set[bytes] = set()
    for part in _parts(output.adapter.read(), _READ_PART):
        with store.database.read() as connection:
            known = store.ledger.numbers_of(connection, [entry.observable for entry in part])
            ours = store.ledger.ours_among(connection, state.number, list(known.values()))
        for entry in part:
            number = known.get(entry.observable)
            if number is None:
                present.unknown += 1
            else:
                present.put(number, digest(entry.fields) if entry.fields else None)
            if number not in ours:
                foreign.add(key_of(entry.observable))
    return present, frozenset(() if present.ours_alone else foreign)


def check(proposal: Proposal, output: Output, accepted: Collection[str]) -> None:
    """Raise PlanRefusedError where the plan breaks a limit that nobody accepted."""
    plan = proposal.plan
    if plan.id not in accepted and (broken := violations(plan, output.limits)):
        raise PlanRefusedError(plan.id, broken)


def listed_entries(
    output: Output, store: Store, connection: Connection, proposal: Proposal
) -> Iterator[Entry]:
    """Yield all that the output should hold, sorted, as `ListAdapter.publish` takes it."""
    allowed = proposal.allowed
    if output.mapper is not None:
        rows = store.ledger.wanted_sorted(connection, proposal.state.list)
        for row, entry in output.describer(store).entries(rows):
            if output.fits(row.observable) and (allowed is None or row.number in allowed):
                yield entry
        return
    for number, observable, _rank in store.ledger.values_sorted(connection, proposal.state.list):
        if output.fits(observable) and (allowed is None or number in allowed):
            yield Entry(observable)


def _parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part
