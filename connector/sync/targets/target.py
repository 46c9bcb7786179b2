"""What an output's cycle asks of its target, whatever its kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from connector.adapter import Adapter, Held, Outcomes, Written
from connector.adapter.turns import share_or_stop
from connector.decisions.allowlist.allowlist import Protection
from connector.decisions.mapping import digest
from connector.decisions.plan import EntryRefs, Plan, Wanted
from connector.decisions.records import LedgerState
from connector.decisions.room import Room
from connector.decisions.snapshot import TargetSnapshot
from connector.errors import UndecidedError
from connector.indicators.identity import id_of_key
from connector.instants import to_datetime
from connector.model import Entry, RuleLanguage, Subject
from connector.store.lists.wanted import BareRow, WantedRow
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.apply import (
    Applier,
    Batch,
    Line,
    ListMovedError,
    RemovedBatch,
    WrittenBatch,
    WrittenLine,
)
from connector.sync.calls import Calls
from connector.sync.folding import Fold, fold_of, put_rows
from connector.sync.listing import Listing
from connector.sync.outcomes import expect_asked, expect_mapping
from connector.sync.proposal import Proposal
from connector.sync.row_guard import RowGuard
from connector.sync.spelling import numbers_of
from connector.sync.targets.parts import in_parts, merged, refs_in_parts
from connector.sync.view import View

A = TypeVar("A", bound=Adapter[Any])
_READ_PART: Final = 1000
WANTED_PART: Final = 500
_CONFIRMED_AT_ONCE: Final = 10_000


class Seen(NamedTuple):
    """What a target shows of one line: its digest where it tells more, its own name for it.

    `contrary` says in words that it has the opposite, `partly` that a part of it lacks the line.
    """

    subject: Subject
    digest: int | None
    handle: str = ""
    contrary: str = ""
    partly: str = ""


class Target(ABC, Generic[A]):
    """What an output's target can hold, what it holds, and how a plan is written to it."""

    ours_alone: ClassVar[bool]
    restores: ClassVar[bool] = False
    """Whether what nothing wants any more can be written again."""
    readable: ClassVar[bool] = True  # else the ledger alone knows what the target was given

    def __init__(self, output: str, adapter: A) -> None:
        self.output = output
        self.adapter = adapter
        self.calls = Calls().of(output)
        self._guard: RowGuard | None = None

    @property
    def languages(self) -> frozenset[RuleLanguage]:
        """The languages of rules that the target takes."""
        return frozenset()

    def stamp(self) -> str | None:
        """Return a text that changes when the target forgets, as `Adapter.stamp` has it."""
        with self.calls("stamp"):
            stamp: str | None = self.adapter.stamp()
        return stamp

    @property
    def folds(self) -> bool:
        """Whether several entries may be one row at the target."""
        return type(self.adapter).held_as is not Adapter.held_as

    def heed(self, listing: Listing, now: int) -> None:
        """Have no row there that would stop what the allowlist protects at this instant.

        Only where entries are rows can a row be more than an entry that the list may have.
        """
        if not self.folds:
            return
        allowlist = listing.allowlist()
        if self._guard is None or self._guard.allowlist is not allowlist:
            self._guard = RowGuard(self.adapter, allowlist, listing.policy.purpose)
        self._guard.moment = to_datetime(now)

    def protection(self, _subject: Subject) -> Protection | None:
        """Return who protects the row that something would be at the target."""
        return None

    def why_protected(self, _subject: Subject) -> str:
        """Return the same in words for people; nothing where nobody does."""
        return ""

    def keep_protections(self, _state: OutputState, _store: Store, *, whole: bool) -> None:
        """Keep who protects the rows of entries, until when and in words.

        Of those that are new, or, with `whole`, of all: the allowlist may have changed.
        """

    @abstractmethod
    def fits(self, subject: Subject) -> bool:
        """Return whether the target can hold this observable, or this rule."""

    @abstractmethod
    def read(self) -> Iterator[Seen]:
        """Yield what the target holds."""

    @abstractmethod
    def lines(
        self, listing: Listing, store: Store, transaction: Transaction, rows: Iterable[WantedRow]
    ) -> Iterator[tuple[WantedRow, Line]]:
        """Yield each wanted row with what the output says of it; every row must fit."""

    @abstractmethod
    def digest(self, line: Line) -> int:
        """Return the digest of a line as the target will show it."""

    @abstractmethod
    def write(self, proposal: Proposal, applier: Applier) -> Iterator[Batch]:
        """Write a plan; yield what became of each batch once the target has it."""

    @abstractmethod
    def withdraw(
        self, numbers: Sequence[int], state: OutputState, applier: Applier
    ) -> Iterator[Batch]:
        """Remove entries of ours from a place that no output keeps; yield what is gone.

        A target that is ours alone is left empty.
        """

    def is_decided(self, listing: Listing, store: Store, transaction: Transaction) -> bool:
        """Return whether the list is whole, with all that is read when it is written."""
        return store.wanted.is_decided(transaction, listing.number)

    def expect_decided(self, listing: Listing, store: Store, transaction: Transaction) -> None:
        """Raise UndecidedError unless the list is decided."""
        if not self.is_decided(listing, store, transaction):
            raise UndecidedError(
                f"list {listing.policy.name} is still being decided; "
                f"{self.output} follows when it is done"
            )

    def put_by_others(
        self, _added: Sequence[int], _state: OutputState, _store: Store, _fold: Fold | None
    ) -> Mapping[int, str]:
        """Return what others put at the target, of what a plan adds that did not read it.

        Those with words are the opposite of what the plan would add.
        """
        return {}

    def due(self, view: View) -> frozenset[int]:
        """Return the written entries that the target would end too early, or too late.

        And those that a protection of their row kept off until now.
        """
        if not self.folds:
            return frozenset()
        return frozenset(view.store.protections.ended(view.transaction, view.output, view.now))

    def note_ends(self, _batch: Batch, _state: OutputState, _store: Store, _now: int) -> None:
        """Keep when the target ends what it took."""

    def activate(self, _state: OutputState, _applier: Applier) -> None:
        """Have the target take up what was published; raise where it does not, after retries."""

    def flush(self) -> None:
        """Have the target take what still waits for it on our side, at the end of each cycle."""

    def judged_anew(self, _plan: Plan) -> frozenset[LedgerState]:
        """Return the marks of what the target decides on with each plan, whatever it names."""
        return frozenset()

    def unfit(self, row: WantedRow | BareRow, room: Room | None) -> int:
        """Return the mark that says why the target cannot have a wanted row; 0 where it can."""
        if not self.fits(row.observable):
            protected = self.protection(row.observable) is not None
            return LedgerState.PROTECTED if protected else LedgerState.UNSUPPORTED
        if room is None or row.number in room.best:
            return 0
        beyond = row.number in room.beyond_share
        return LedgerState.OVER_SHARE if beyond else LedgerState.OVER_CAPACITY

    def wanted(self, view: View, fold: Fold | None = None) -> Iterator[Wanted]:
        """Yield what the target should hold, with its digest or the mark that says why not.

        Of those that are one row, `fold` knows which gives it its fields.
        """
        listing, store, transaction = view.listing, view.store, view.transaction
        if fold is not None:
            shared = store.wanted.rows_among(transaction, listing.number, fold.shared)
            for row, line in self.lines(listing, store, transaction, shared):
                fold.digests[fold.rows[row.number]] = self.digest(line)
        for part in in_parts(self._rows(view), WANTED_PART):
            share_or_stop()
            marks = {row.number: self.unfit(row, view.room) for row in part}
            fitting = (row for row in part if not marks[row.number])
            digests = {
                row.number: self.digest(line)
                for row, line in self.lines(listing, store, transaction, fitting)
            }
            for row in part:
                number, ends = row.number, row.ends
                mark = marks[number]
                if not mark and number not in digests:  # its indicator must stay here
                    mark = LedgerState.WITHHELD
                digest = digests.get(number, 0)
                if fold is not None:
                    digest = fold.digest(number, digest)
                yield Wanted(number, digest, mark, ends, row.source)

    def _rows(self, view: View) -> Iterable[WantedRow]:
        """Return what the list wants, of what a cycle looks at."""
        wanted, transaction, listed = view.store.wanted, view.transaction, view.listing.number
        rows = wanted.rows(transaction, listed, view.after)
        if not view.asked:
            return rows
        asked = wanted.rows_among(transaction, listed, view.asked)
        return merged(rows, asked, attrgetter("number"))

    def fold(self, view: View, waiting: Collection[int]) -> Fold | None:
        """Return which entries of those looked at are one row; None where each is its own."""
        if not self.folds:
            return None
        looked, room = None, view.room
        if view.after is not None:
            changed = view.store.wanted.changed(view.transaction, view.state.list, view.after)
            looked = {*changed, *view.asked}

        def fits(number: int, subject: Subject) -> bool:
            return self.fits(subject) and (room is None or number in room.best)

        return fold_of(self.adapter, fits, view, looked, waiting)

    def snapshot(self, store: Store, output: int) -> TargetSnapshot:
        """Return what the target holds; raise UnavailableError when its answer is not complete."""
        present = TargetSnapshot(ours_alone=self.ours_alone)
        for part in in_parts(self.read(), _READ_PART):
            share_or_stop()
            if self.folds:
                put_rows(self.adapter, part, present, store)
                continue
            known = numbers_of(
                [seen.subject for seen in part], store, present.odd, alone=self.ours_alone
            )
            found = [(known[seen.subject], seen) for seen in part if seen.subject in known]
            present.unknown += len(part) - len(found)
            for number, seen in self.counting(found, store, output):
                present.put(number, *seen[1:])
        return present

    def counting(
        self, found: Sequence[tuple[int, Seen]], _store: Store, _output: int
    ) -> Iterable[tuple[int, Seen]]:
        """Return what counts of what was read, by the numbers of its entries: all of it."""
        return found

    def written(
        self, refs: EntryRefs, proposal: Proposal, store: Store, *, renewed: bool = False
    ) -> list[WrittenLine]:
        """Return the lines that a part of a plan names.

        `renewed` asks for the digest of the line as it is now: where the feed moved on since the
        plan, that is what is written.
        """
        digests, numbers = dict(refs), list(refs.numbers)
        with store.database.read() as transaction:
            rows = store.wanted.rows_among(transaction, proposal.state.list, numbers)
            fitting = (row for row in rows if self.fits(row.observable))
            return [
                WrittenLine(
                    row.number,
                    self.digest(line) if renewed else digests[row.number],
                    row.observable,
                    line,
                    id_of_key(row.indicator),
                    row.merged.until,
                )
                for row, line in self.lines(proposal.listing, store, transaction, fitting)
            ]

    def removed(
        self, numbers: Sequence[int], proposal: Proposal, store: Store,
        kept: Mapping[int, str] = MappingProxyType({}),
    ) -> RemovedBatch:  # fmt: skip
        """Return that entries are gone; those still wanted went because they do not fit."""
        with store.database.read() as transaction:
            rows = store.wanted.rows_among(transaction, proposal.state.list, list(numbers))
            unfit = {
                row.number: self.unfit(row, proposal.room) or LedgerState.OVER_CAPACITY
                for row in rows
            }
        return RemovedBatch(numbers, unfit, kept)

    def _publish(
        self, proposal: Proposal, applier: Applier, publish: Callable[[Transaction], Outcomes]
    ) -> Iterator[Batch]:
        """Publish all that is wanted; yield what became of what the plan names, then the rest.

        A line that the plan does not name may be rejected, or taken, for what stands beside it:
        one of two names that clash, a domain without the names below it.
        """
        plan, store = proposal.plan, applier.store
        said: Outcomes = {}
        left: Collection[int] = ()

        def published() -> None:
            nonlocal said, left
            with store.database.read() as transaction:
                self._expect_unmoved(proposal, store, transaction)
                said = expect_mapping("publish", publish(transaction))
                left = _not_taken(said, proposal, store, transaction)

        store.outputs.note_activation(proposal.state.number, pending=True)
        version = store.outputs.next_version(proposal.state.number, applier.now())
        self.adapter.context.version = version
        applier.retry(published)
        self.activate(proposal.state, applier)
        for refs, updates in ((plan.add, False), (plan.update, True)):
            for part in refs_in_parts(refs, _CONFIRMED_AT_ONCE):
                yield WrittenBatch(self.written(part, proposal, store), said, updates)
        for part in refs_in_parts(plan.remove, _CONFIRMED_AT_ONCE):
            yield self.removed(part.numbers, proposal, store)
        with store.database.read() as transaction:
            turned = store.ledger.turned(transaction, proposal.state.number, left)
        for part in refs_in_parts(turned, _CONFIRMED_AT_ONCE):
            yield WrittenBatch(self.written(part, proposal, store), said)
        if lost := [number for number in turned.numbers if number in proposal.aside.kept]:
            yield self.removed(lost, proposal, store)  # it was kept, and the target refuses it now

    def _expect_unmoved(self, proposal: Proposal, store: Store, transaction: Transaction) -> None:
        """Check that the current list, which will be published, is what the limits allowed."""
        if store.wanted.list_seq(transaction, proposal.state.list) != proposal.seq:
            raise ListMovedError
        self.expect_decided(proposal.listing, store, transaction)


def _not_taken(
    said: Outcomes, proposal: Proposal, store: Store, transaction: Transaction
) -> Collection[int]:
    """Return the numbers of what a target did not take; raise TypeError for what nobody wanted."""
    if not said:
        return ()
    near = store.wanted.numbers_of(transaction, list(said))  # by key, which spellings share
    among = store.wanted.among(transaction, proposal.state.list, list(near.values()))
    numbers = {one: number for number, one in store.wanted.observables_of(transaction, list(among))}
    expect_asked("publish", (one for one in said if one not in numbers))
    return {numbers[one] for one, outcome in said.items() if not isinstance(outcome, Written)}


def held(verb: str, found: Iterable[Held]) -> Iterator[Seen]:
    """Yield entries that were read; raise TypeError where an adapter gives something else."""
    for one in found:
        if not isinstance(one, Held):
            raise TypeError(f"{verb}() yielded {type(one).__name__}, not Held")
        told = digest(one.fields) if one.fields else None
        yield Seen(one.observable, told, one.handle, one.contrary, one.partly)


def entry_of(line: Line) -> Entry:
    """Return a line that is an entry; rules go elsewhere."""
    if not isinstance(line, Entry):
        raise TypeError(f"{line.ref.value} is no entry")
    return line
