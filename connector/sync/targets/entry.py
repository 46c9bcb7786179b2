"""Targets that get entries, with the fields that a mapping fills, or bare."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType
from typing import Final, TypeGuard

from connector.adapter import Adapter
from connector.adapter.turns import share_or_stop
from connector.decisions.allowlist.allowlist import Protection
from connector.decisions.mapping import Mapper, digest
from connector.decisions.plan import EntryRefs, Wanted
from connector.decisions.records import LedgerState
from connector.indicators.identity import id_of_key
from connector.instants import NEVER, to_instant
from connector.model import Entry, Observable, ObservableType, RuleRef, Subject
from connector.store.lists.wanted import BareRow, WantedRow
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.protections import ProtectedRow
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.apply import Line, RemovedBatch, WrittenLine
from connector.sync.entries import Describer
from connector.sync.expiry import Expiry
from connector.sync.folding import Fold
from connector.sync.listing import Listing
from connector.sync.originals import OriginalReader
from connector.sync.proposal import Proposal
from connector.sync.targets.parts import in_parts, merged
from connector.sync.targets.target import WANTED_PART, A, Target, entry_of
from connector.sync.view import View

_BARE: Final = digest({})


class EntryTarget(Target[A]):
    """A target that gets entries, with the fields that a mapping fills."""

    restores = True

    def __init__(
        self, output: str, adapter: A, mapper: Mapper | None, types: frozenset[ObservableType]
    ) -> None:
        super().__init__(output, adapter)
        self.mapper = mapper
        self.types = types
        self.whole: bool = adapter.settings.wants_originals
        self._listing: Listing | None = None
        # Most targets hold an entry as it is, and it is asked of each entry.
        self._changes = type(adapter).as_held is not Adapter.as_held

    def fits(self, subject: Subject) -> TypeGuard[Observable]:
        """Return whether the target can hold this observable, and it is to be there.

        It is not where the file leaves its type out, or its row would stop what is protected.
        """
        if isinstance(subject, RuleRef) or (self.types and subject.type not in self.types):
            return False
        if self._guard is None:  # as at nearly all targets, and each entry is asked for
            return self.adapter.accepts(subject)
        return self.adapter.accepts(subject) and self._guard.protection(subject) is None

    def protection(self, subject: Subject) -> Protection | None:
        """Return who protects the row that an observable would be at the target."""
        if self._guard is None or isinstance(subject, RuleRef):
            return None
        if (self.types and subject.type not in self.types) or not self.adapter.accepts(subject):
            return None
        return self._guard.protection(subject)

    def why_protected(self, subject: Subject) -> str:
        """Return the same in words for people; nothing where nobody does."""
        by = self.protection(subject)
        if self._guard is None or by is None or isinstance(subject, RuleRef):
            return ""
        return self._guard.words(subject, by)

    def heed(self, listing: Listing, now: int) -> None:
        """Have no row there that would stop what the allowlist protects at this instant."""
        super().heed(listing, now)
        self._listing = listing

    def keep_protections(self, state: OutputState, store: Store, *, whole: bool) -> None:
        """Keep who protects the rows of entries, until when and in words; why others stay here.

        Of those that are new, or, with `whole`, of all: the allowlist may have changed.
        """
        if self.whole and self._listing is not None:
            self._keep_refusals(self._listing, state, store, untold=not whole)
        if self._guard is None:
            return
        with store.database.read() as transaction:
            asked = store.protections.entries(transaction, state.number, untold=not whole)
            found = list(store.wanted.observables_of(transaction, asked))
        store.protections.keep(state.number, self._protected(found))

    def _keep_refusals(
        self, listing: Listing, state: OutputState, store: Store, *, untold: bool
    ) -> None:
        """Keep in words why indicators must not be passed on."""
        mark, words = LedgerState.WITHHELD, dict[int, str]()
        with store.database.read() as transaction:
            asked = store.protections.entries(transaction, state.number, mark, untold=untold)
            if not asked:
                return
            rows = store.wanted.rows_among(transaction, listing.number, asked)
            reader = OriginalReader(listing, store, transaction, words.__setitem__)
            bare = ((row, Entry(row.observable)) for row in rows if self.fits(row.observable))
            for _ in reader.entries(bare):
                pass
        store.protections.tell(state.number, words)

    def _protected(self, found: Iterable[tuple[int, Subject]]) -> Iterator[ProtectedRow]:
        for number, one in found:
            if (by := self.protection(one)) is not None:
                until = NEVER if by.until is None else to_instant(by.until)
                yield ProtectedRow(number, until, self.why_protected(one))

    @property
    def bare(self) -> bool:
        """Whether each entry is its observable and nothing more, and no end is told to a target."""
        plain = self.mapper is None and not self._changes and not self.whole
        return plain and Expiry.of(self.adapter) is None

    def wanted(self, view: View, fold: Fold | None = None) -> Iterator[Wanted]:
        """Yield what the target should hold, with its digest or the mark that says why not."""
        if not self.bare or fold is not None:
            yield from super().wanted(view, fold)
            return
        wanted, transaction, listed = view.store.wanted, view.transaction, view.listing.number
        rows: Iterable[WantedRow | BareRow] = wanted.bare_rows(transaction, listed, view.after)
        if view.asked:
            asked = wanted.rows_among(transaction, listed, view.asked)
            rows = merged(rows, asked, attrgetter("number"))
        for part in in_parts(rows, WANTED_PART):
            share_or_stop()
            for row in part:
                mark = self.unfit(row, view.room)
                yield Wanted(row.number, 0 if mark else _BARE, mark, row.ends, row.source)

    def written(
        self, refs: EntryRefs, proposal: Proposal, store: Store, *, renewed: bool = False
    ) -> list[WrittenLine]:
        """Return the lines that a part of a plan names.

        What the target forgot before a person let it go is written without fields: its claims may
        be gone.
        """
        lines = self._wanted_lines(refs, proposal, store, renewed=renewed)
        if not proposal.aside.kept or len(lines) == len(refs):
            return lines
        left = set(refs.numbers).difference(one.number for one in lines)
        ends = dict(zip(refs.numbers, refs.ends, strict=True))
        with store.database.read() as transaction:
            asked = sorted(left.intersection(proposal.aside.kept))
            found = list(store.wanted.observables_of(transaction, asked))
        for number, one in found:
            if self.fits(one):
                entry, end = Entry(one), ends[number]
                until = end if end > proposal.now else NEVER
                lines.append(WrittenLine(number, self.digest(entry), one, entry, "", until))
        return lines

    def _wanted_lines(
        self, refs: EntryRefs, proposal: Proposal, store: Store, *, renewed: bool
    ) -> list[WrittenLine]:
        if not self.bare:
            return super().written(refs, proposal, store, renewed=renewed)
        digests = dict(refs)
        with store.database.read() as transaction:
            found = store.wanted.carriers_among(transaction, proposal.state.list, refs.numbers)
            return [
                WrittenLine(
                    number, _BARE if renewed else digests[number], one, Entry(one), id_of_key(key)
                )
                for number, one, key in found
                if self.fits(one)
            ]

    def lines(
        self, listing: Listing, store: Store, transaction: Transaction, rows: Iterable[WantedRow]
    ) -> Iterator[tuple[WantedRow, Entry]]:
        """Yield each wanted row with its entry, but not those whose indicators must stay here."""
        describer = Describer(self.output, listing, self.mapper, store, transaction)
        entries = describer.entries(rows)
        if not self.whole:
            return entries
        return OriginalReader(listing, store, transaction).entries(entries)

    def removed(
        self, numbers: Sequence[int], proposal: Proposal, store: Store,
        kept: Mapping[int, str] = MappingProxyType({}),
    ) -> RemovedBatch:  # fmt: skip
        """Return that entries are gone; those still wanted do not fit, or must stay here."""
        batch = super().removed(numbers, proposal, store, kept)
        if not (self.whole and batch.unfit):
            return batch
        with store.database.read() as transaction:
            rows = store.wanted.rows_among(transaction, proposal.state.list, list(batch.unfit))
            fitting = [row for row in rows if not self.unfit(row, proposal.room)]
            goes = {
                row.number for row, _ in self.lines(proposal.listing, store, transaction, fitting)
            }
        stays = {row.number: int(LedgerState.WITHHELD) for row in fitting if row.number not in goes}
        return replace(batch, unfit={**batch.unfit, **stays})

    def digest(self, line: Line) -> int:
        """Return the digest of an entry's fields as the target will show them."""
        entry = entry_of(line)
        return digest((self.adapter.as_held(entry) if self._changes else entry).fields)
