"""What we removed lately and a target has again, as an older copy of it does.

Somebody may also have put it there by hand. Where it looks as we wrote it, it is ours; where a
target shows no fields, only if it has lost entries of ours as well.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connector.adapter import Adapter
from connector.decisions.plan import LedgerEntry
from connector.decisions.records import LedgerState
from connector.decisions.snapshot import TargetSnapshot
from connector.model import Observable
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.folding import Fold, row_of
from connector.sync.targets.target import Target
from connector.sync.view import View

_OTHERS: Final = frozenset({LedgerState.FOREIGN, LedgerState.CONTRARY})


@dataclass(frozen=True, slots=True)
class FormerOurs:
    """What was ours at a target that was read, and that others may write to as well.

    `digests` are those that each had when it was ours, `rows` the rows that they were; by number.
    """

    digests: Mapping[int, int] = field(default_factory=dict)
    rows: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, target: Target[Any], view: View) -> "FormerOurs":
        """Return what was ours until lately."""
        if view.present is None or view.present.ours_alone:
            return cls()
        digests = dict(view.store.former.since(view.transaction, view.output, view.now))
        if not target.folds:
            return cls(digests)
        return cls(digests, rows_of(target.adapter, view.store, view.transaction, digests))

    def returned(self, fold: Fold | None, view: View) -> list[LedgerEntry]:
        """Return what is there again, sorted by number, as entries of ours that are to be removed.

        Of a row that something else of ours is, nothing came back. One that is wanted under
        another name by now is ours again, too.
        """
        present = view.present
        if present is None:
            return []
        back = [
            LedgerEntry(number, LedgerState.REMOVING, digest)
            for number, digest in self.digests.items()
            if present.agrees(number, digest)
        ]
        if not all(present.shows(one.observable) for one in back):
            had = view.store.ledger.written(view.transaction, view.output)
            if not any(_lost(one, present) for one in had):
                back = [one for one in back if present.shows(one.observable)]
        if fold is None or not back:
            return back
        return self._by_rows(back, fold, view, present)

    def _by_rows(
        self, back: Sequence[LedgerEntry], fold: Fold, view: View, present: TargetSnapshot
    ) -> list[LedgerEntry]:
        """Return what came back by rows that nobody wants; those that are wanted become ours."""
        rows = self.rows
        came = {rows[one.observable] for one in back} - fold.ours
        mates = {mate: row for row in came for mate in fold.members.get(row, ())}
        known = view.store.ledger.among(view.transaction, view.output, sorted(mates))
        others = {mates[one.observable] for one in known if one.mark in _OTHERS}
        present.ours = {*present.ours, *(mate for mate, row in mates.items() if row not in others)}
        alone = came - set(mates.values())
        left = [one for one in back if rows[one.observable] in alone]
        fold.rows.update((one.observable, rows[one.observable]) for one in left)
        return left


def rows_of(
    adapter: Adapter[Any], store: Store, transaction: Transaction, numbers: Collection[int]
) -> dict[int, int]:
    """Return the rows that these entries are."""
    found = store.wanted.observables_of(transaction, sorted(numbers))
    return {number: row_of(adapter, one) for number, one in found if isinstance(one, Observable)}


def _lost(had: LedgerEntry, present: TargetSnapshot) -> bool:
    return had.mark == LedgerState.WRITTEN and had.observable not in present
