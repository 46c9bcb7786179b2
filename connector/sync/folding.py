"""Entries that are one row at their target: which these are, and which of them is written.

Plans, limits and ledgers know each entry by itself. Only where a target is read or written, those
of one row are put together: the best ranked carries the row, and the row goes with the last.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from connector.adapter import Adapter
from connector.decisions.plan import EntryRefs, Plan
from connector.decisions.records import OURS, LedgerState
from connector.decisions.snapshot import TargetSnapshot
from connector.model import Observable, Subject
from connector.store.store import Store
from connector.sync.spelling import meanings_of
from connector.sync.view import View

Rank = tuple[int, Subject, int]  # number, observable, the one feed it comes from or 0


def row_of(adapter: Adapter[Any], observable: Observable) -> int:
    """Return 63 bits that name the row which an observable is, the same on every run."""
    return row_named(adapter.held_as(observable))


def row_named(key: Hashable) -> int:
    """Return 63 bits that name the row of a key."""
    return int.from_bytes(blake2b(msgspec.json.encode(key), digest_size=8).digest(), "big") >> 1


def put_rows(
    adapter: Adapter[Any],
    read: Sequence[tuple[Subject, int | None, str, str, str]],
    present: TargetSnapshot,
    store: Store,
) -> None:
    """Put the rows that were read, by what they mean; those of a list of ours alone as they are."""
    meant = meanings_of([subject for subject, *_seen in read], store, present.odd)
    for subject, told, *words in read:
        one = meant.get(subject, subject)
        if one is None:
            present.unknown += 1
        elif isinstance(one, Observable) and isinstance(subject, Observable):
            row = row_of(adapter, subject if present.ours_alone else one)
            present.put_row(row, told, *words)


@dataclass(frozen=True, slots=True)
class Steps:
    """A plan's additions and updates by row, each named by the entry that carries it.

    `members` has the plan's entries of each row that is written; `there` are additions whose row
    is there already, as it should be.
    """

    add: EntryRefs
    update: EntryRefs
    members: Mapping[int, Sequence[int]]
    there: EntryRefs


@dataclass(frozen=True, slots=True)
class Fold:
    """The rows of all entries that a cycle looks at; everything is by the entries' numbers.

    `rows` has the row of each; `members` the wanted entries of each row, best first; `ours` the
    rows of which something of ours is at the target, `written` the entries that it confirmed.
    """

    rows: dict[int, int]
    members: dict[int, list[int]]
    ours: frozenset[int]
    written: frozenset[int]
    whole: bool
    digests: dict[int, int] = field(default_factory=dict)

    @property
    def shared(self) -> list[int]:
        """The entries that carry a row for others as well, sorted."""
        return sorted(each[0] for each in self.members.values() if len(each) > 1)

    def digest(self, number: int, own: int) -> int:
        """Return the digest of an entry's row: that of the fields which its carrier gives it."""
        return self.digests.get(self.rows.get(number, -1), own)

    def is_ours(self, number: int) -> bool:
        """Return whether the row of an entry is there because of something of ours."""
        return self.rows.get(number) in self.ours

    def spread(self, present: TargetSnapshot, former: Mapping[int, int]) -> None:
        """Say of each entry whether its row is there, where a snapshot says so of rows.

        `former` are the rows of entries that were ours.
        """
        present.spread({**former, **self.rows})
        present.ours = frozenset(number for number, row in self.rows.items() if row in self.ours)

    def steps(self, plan: Plan, withheld: Collection[int], *, always: bool = False) -> Steps:
        """Return what of a plan is written, once for each row.

        `always` has a row written again for what joins it, though it is there as it should be.
        """
        digests = dict(plan.add) | dict(plan.update)
        new: frozenset[int] = frozenset(plan.add.numbers)
        changing: dict[int, list[int]] = {}
        for number in digests:
            changing.setdefault(self.rows[number], []).append(number)
        members: dict[int, Sequence[int]] = {}
        add, update, there = EntryRefs(), EntryRefs(), EntryRefs()
        for row, numbers in changing.items():
            wanted = [each for each in self.members.get(row, ()) if each not in withheld]
            if not always and any(each in self.written and each not in digests for each in wanted):
                for number in numbers:
                    there.put(number, digests[number])
                continue
            carrier = wanted[0] if wanted else numbers[0]
            refs = add if any(number in new for number in numbers) else update
            refs.put(carrier, digests.get(carrier, digests[numbers[0]]))
            members[carrier] = numbers
        return Steps(add, update, members, there)


def fold_of(
    adapter: Adapter[Any],
    fits: Callable[[int, Subject], bool],
    view: View,
    asked: Collection[int] | None,
    waiting: Collection[int],
) -> Fold:
    """Return the rows of what was asked for and of all that are one with it; None asks for all.

    What is `waiting` for a person carries no row.
    """
    wanted, transaction, number = view.store.wanted, view.transaction, view.output
    near = None if asked is None else _near(adapter, view, asked)
    rows: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for known, one in _ranked(view, near):
        if isinstance(one, Observable) and fits(known, one):
            rows[known] = row_of(adapter, one)
            if known not in waiting:
                members.setdefault(rows[known], []).append(known)
    ledger = view.store.ledger
    records = (
        ledger.written(transaction, number)
        if near is None
        else ledger.among(transaction, number, near)
    )
    marks = {one.observable: one.mark for one in records if one.mark in OURS}
    left = sorted(marks.keys() - rows.keys())
    for known, one in wanted.observables_of(transaction, left):
        if isinstance(one, Observable):
            rows[known] = row_of(adapter, one)
    return Fold(
        rows, members,
        ours=frozenset(rows[known] for known in marks if known in rows),
        written=frozenset(known for known, mark in marks.items() if mark == LedgerState.WRITTEN),
        whole=near is None,
    )  # fmt: skip


def _ranked(view: View, near: Sequence[int] | None) -> Iterable[tuple[int, Subject]]:
    """Return what the list wants, of these or of all, best first."""
    wanted, transaction, listed = view.store.wanted, view.transaction, view.state.list
    if near is not None:
        return wanted.ranks_among(transaction, listed, near)
    return ((known, one) for known, one, _source in wanted.ranks(transaction, listed))


def handles_of(
    store: Store, output: int, numbers: Collection[int], fold: Fold | None
) -> dict[int, str]:
    """Return the target's own names of these entries; those of one row share it."""
    if fold is None:
        with store.database.read() as transaction:
            return store.ledger.handles(transaction, output, list(numbers))
    rows = {number: fold.rows[number] for number in numbers}
    mates = {mate for row in rows.values() for mate in fold.members.get(row, ())}
    with store.database.read() as transaction:
        found = store.ledger.handles(transaction, output, sorted(mates.union(numbers)))
    named = {fold.rows[number]: handle for number, handle in found.items()}
    return {number: named[row] for number, row in rows.items() if row in named}


def first_of_rows(
    adapter: Adapter[Any], ranked: Iterable[Rank], riders: dict[int, int]
) -> Iterator[Rank]:
    """Return the best of each row; `riders` get all others, each with that one."""
    rows: dict[int, int] = {}
    firsts = []
    for number, subject, source in ranked:
        if isinstance(subject, Observable):
            first = rows.setdefault(row_of(adapter, subject), number)
            if first == number:
                firsts.append((number, subject, source))
            else:
                riders[number] = first
    return iter(firsts)


def _near(adapter: Adapter[Any], view: View, asked: Collection[int]) -> list[int]:
    """Return what was asked for, and what was ever meant to be one with it, sorted."""
    found = view.store.wanted.observables_of(view.transaction, sorted(asked))
    rows = {row_of(adapter, one) for _number, one in found if isinstance(one, Observable)}
    return sorted({*asked, *view.store.folds.members(view.transaction, view.output, rows)})
