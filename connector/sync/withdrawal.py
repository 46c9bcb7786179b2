"""Removes what is ours from a place, for good: the ledger says what that is, the target is read."""

from collections.abc import Callable
from typing import Any, Final

from connector.decisions.plan import LedgerEntry, Plan, diff
from connector.decisions.records import OURS
from connector.errors import UnavailableError
from connector.model import Subject
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.apply import Applier, RemovedBatch
from connector.sync.returned import rows_of
from connector.sync.targets.parts import in_parts
from connector.sync.targets.target import Target

_NO_LIST: Final = -1
_PART: Final = 1000


def remove_all(
    output: str,
    number: int,
    target: Target[Any],
    applier: Applier,
    only: Callable[[Subject], bool] | None = None,
) -> int:
    """Remove the entries of a ledger, or `only` some, from their target; return how many.

    Each leaves the ledger once it is gone from the target. Raises UnavailableError where others put
    entries on a list that was ours alone. No limit applies: a person asked for it.
    """
    store = applier.store
    present = target.snapshot(store, number) if target.readable else None
    state = OutputState(number, _NO_LIST, 0, b"", None, None)
    with store.database.read() as transaction:
        ours = entries_of_ours(store, transaction, number, only)
        if target.folds and present is not None:
            known = [one.observable for one in ours]
            present.spread(rows_of(target.adapter, store, transaction, known))
        plan = diff(output, "everything", (), ours, why_not={}, present=present, before=len(ours))
    if plan.drifted:
        words = f"others put {plan.drifted:,} entries there since, so it was left as it is"
        raise UnavailableError(words)
    store.ledger.mark(state, plan, applier.now())
    return _remove(plan, state, target, applier) if plan.remove else 0


def _remove(plan: Plan, state: OutputState, target: Target[Any], applier: Applier) -> int:
    # Before it is done: what was being removed is looked for again after a crash.
    applier.store.ledger.intend(state, plan, applier.now(), whole=False)
    removed = 0
    for batch in target.withdraw(plan.remove.numbers, state, applier):
        if isinstance(batch, RemovedBatch):
            removed += applier.record_removed(plan.output, state, plan.id, batch).removed
    return removed


def entries_of_ours(
    store: Store,
    transaction: Transaction,
    number: int,
    only: Callable[[Subject], bool] | None = None,
) -> list[LedgerEntry]:
    """Return what is ours in a ledger, or `only` some of it, sorted by number."""
    ours = (one for one in store.ledger.written(transaction, number) if one.mark in OURS)
    if only is None:
        return list(ours)
    chosen = []
    for part in in_parts(ours, _PART):
        asked = [one.observable for one in part]
        found = dict(store.wanted.observables_of(transaction, asked))
        chosen += [one for one in part if one.observable in found and only(found[one.observable])]
    return chosen
