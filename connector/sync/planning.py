"""From what a cycle looks at to a plan, before any limit."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final

from connector.decisions.limits import Window
from connector.decisions.plan import LedgerEntry, Plan, diff
from connector.decisions.records import LedgerState
from connector.decisions.set_aside import SetAside
from connector.decisions.snapshot import TargetSnapshot
from connector.instants import span
from connector.model import Reason
from connector.store.outputs.held_changes import LookedAt
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.drift import NO_DRIFT, Drift, drift_of
from connector.sync.folding import Fold
from connector.sync.output import Output
from connector.sync.proposal import InRollout, Proposal
from connector.sync.returned import FormerOurs
from connector.sync.rolling import all_early, turn_of, wait_for_turn
from connector.sync.surprises import Noticed, lost_of, noticed_in, rested
from connector.sync.targets.parts import merged
from connector.sync.targets.target import Target
from connector.sync.view import EVERYTHING, Scope, View

_number: Final = attrgetter("observable")


@dataclass(frozen=True, slots=True)
class Contact:
    """What the target said before the plan: its stamp, and what it holds if it was read.

    `surprised` says that it was read because of its stamp. That was `now`, by a clock that ran
    `ahead` by so much since the last cycle.
    """

    now: int
    ahead: int
    state: OutputState
    scope: Scope
    stamp: str | None
    present: TargetSnapshot | None
    surprised: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan of all that is due, and what else was found in the same view of list and ledger.

    `looked` are the changes of earlier holds, `fold` has the entries that are one row at the
    target, `in_rollout` what waits for another output; `drift` is what others did there, and
    `window` what was written lately of what limits count; `noticed` is what nobody expects there,
    if it was read.
    """

    view: View
    plan: Plan
    looked: LookedAt
    fold: Fold | None
    in_rollout: InRollout | None
    drift: Drift
    window: Window
    noticed: Noticed | None

    def without_others(self, target: Target[Any]) -> Plan:
        """Return the plan without what others put at a target that was not read for it."""
        view, plan = self.view, self.plan
        if view.present is not None:
            return plan
        new = plan.add.without(self.looked.standing().held_add).numbers
        return plan.without(target.put_by_others(new, view.state, view.store, self.fold))

    def proposal(self, plan: Plan, aside: SetAside, met: Contact) -> Proposal:
        """Return what a cycle proposes, of which `aside` says what goes on."""
        view = self.view
        return Proposal(
            plan, aside, view.listing, view.state, view.seq, view.scope, view.room, met.stamp,
            met.surprised,
            drift=NO_DRIFT if aside.stops else self.drift,
            handles={} if view.present is None else view.present.handles,
            fold=self.fold,
            now=view.now,
            looked=self.looked,
            in_rollout=self.in_rollout,
            noticed=self.noticed,
        )  # fmt: skip


def contact(output: Output, store: Store, scope: Scope, now: int, ahead: int) -> Contact:
    """Ask the target what it says of itself, and read it where the scope or that says so."""
    target, state = output.target, store.outputs.open(output.name, output.listing.number)
    target.heed(output.listing, now)
    if scope.held and target.folds:  # also what stands may be protected by now
        scope = replace(scope, everything=True)
    if state.setup != output.setup:  # under other options the target may take more at once
        state = replace(state, largest_batch=None)
    stamp = target.stamp() if scope.heeds_stamp or scope.verifies else None
    surprised = scope.heeds_stamp and not scope.verifies and stamp != state.stamp
    scope = EVERYTHING if surprised else scope
    present = target.snapshot(store, state.number) if scope.verifies and target.readable else None
    return Contact(now, ahead, state, scope, stamp, present, surprised)


def look(output: Output, store: Store, transaction: Transaction, met: Contact) -> View:
    """Return what a cycle looks at: everything where not all may fit.

    Raises UndecidedError while the list is being decided.
    """
    target, state, scope = output.target, met.state, met.scope
    target.expect_decided(output.listing, store, transaction)
    view = View(
        output.listing, state, store, transaction, scope, met.now,
        seq=store.wanted.list_seq(transaction, state.list),
        present=met.present,
        turn=turn_of(output, store, met.now, met.ahead),
    )  # fmt: skip
    bounds = output.bounds(view, probing=scope.verifies)
    view = replace(view, early=all_early(view, needed=target.folds or bounds.least is not None))
    room = output.room(view, bounds)
    if room is not None:
        scope = replace(scope, everything=True)  # the lowest rank that fits may have changed
    after = None if scope.everything else state.seq
    view = replace(view, scope=scope, capacity=bounds.whole, room=room, after=after)
    return _with_asked(view, output)


def _with_asked(view: View, output: Output) -> View:
    """Return a view with what a cycle looks at beside what changed.

    A cycle of everything looks at that anyway.
    """
    due = output.target.due(view)
    if view.after is None:
        return replace(view, due=due)
    store, transaction, turn = view.store, view.transaction, view.turn
    held = store.holds.asked(transaction, view.output, view.now, removals=view.scope.held)
    turned = store.rollouts.due(transaction, view.output, turn.until) if turn else []
    return replace(view, asked=sorted({*held, *due, *turned}), due=due, turned=turned)


def draft(output: Output, view: View, met: Contact) -> Draft:
    """Return the plan from the ledger, and the target if it was read, to what the list wants."""
    target, store, transaction, state = output.target, view.store, view.transaction, view.state
    view, fold = _folded(view, output)
    former = FormerOurs.of(target, view)
    if fold is not None and view.present is not None:
        fold.spread(view.present, former.rows)
    looked = store.holds.look(transaction, state, view.after, view.asked, view.now)
    standing = looked.standing()
    if view.after is not None and standing.replaces is False:
        view = replace(view, after=view.seq)  # nothing is written until the target is read again
    returned, moved = former.returned(fold, view), state.setup != output.setup
    plan = diff(
        output.name,
        view.scope.name,
        target.wanted(view, fold),
        merged(_known(view, output), returned, _number),
        why_not=_why_not(view, returned),
        present=view.present,
        before=store.ledger.owned(transaction, state.number),
        renews=target.ours_alone and moved and view.scope.verifies,
        due=view.due,
        forgotten=_forgotten(view, standing.held_remove) if target.restores else (),
    )
    plan, in_rollout = wait_for_turn(plan, view)
    # What changed options or a person asked for is our doing.
    asked_for = view.present is None or moved or standing.replaces
    confirmed = {} if asked_for else _confirmed(plan, view)
    drift = NO_DRIFT if asked_for else drift_of(plan, confirmed, frozenset(map(_number, returned)))
    # A stamp that changed tells of a target that started anew: what it forgot is no entry's fault.
    missing = () if met.surprised else [one for one in plan.add.numbers if one in confirmed]
    lost = lost_of(plan, view, missing)
    noticed = noticed_in(view, lost, missing)
    if not (target.ours_alone or target.folds):
        plan = rested(plan, lost, view, output.verify_every)
    since = view.now - span(output.limits.window)
    window = store.counted.window(transaction, state.number, since)
    return Draft(view, plan, looked, fold, in_rollout, drift, window, noticed)


def _folded(view: View, output: Output) -> tuple[View, Fold | None]:
    """Return a view with all that are one row with what it looks at, and these rows."""
    waits = view.early
    if output.target.folds:  # what is not written carries no row
        waits = view.store.holds.additions(view.transaction, view.output, view.now).union(waits)
    fold = output.target.fold(view, waits)
    if fold is None:
        return view, None
    asked = () if view.after is None else sorted({*view.asked, *fold.rows})
    return replace(view, asked=asked), fold


def _forgotten(view: View, held: Collection[int]) -> Collection[int]:
    """Return what waits to be removed and is gone because the target forgot it.

    It did if it has lost entries that nobody removes as well, or has none of ours at all; otherwise
    somebody took away just that.
    """
    present, store, transaction = view.present, view.store, view.transaction
    if present is None or not held:
        return ()
    ours = [
        one.observable
        for one in store.ledger.written(transaction, view.output)
        if one.mark == LedgerState.WRITTEN
    ]
    gone = [number for number in ours if number not in present]
    ended = store.ends.passed(transaction, view.output, gone, view.now)
    lost = {number for number in gone if number in held and number not in ended}
    wanted = store.wanted.among(transaction, view.state.list, gone).difference(held, ended)
    return lost if wanted or len(gone) == len(ours) else ()


def _why_not(view: View, returned: Iterable[LedgerEntry]) -> dict[int, Reason]:
    """Return why entries of what is looked at are no longer wanted."""
    store, transaction = view.store, view.transaction
    beside = sorted({*view.asked, *map(_number, returned)})
    return {
        **store.ledger.dropped(transaction, view.state, everything=view.scope.everything),
        **store.wanted.reasons_among(transaction, view.state.list, beside),
    }


def _written(view: View) -> Iterable[LedgerEntry]:
    """Return the ledger's records of what is in scope, and of what is asked for beside it."""
    ledger, transaction, state = view.store.ledger, view.transaction, view.state
    if view.after is None:
        return ledger.written(transaction, state.number)
    late = ledger.written_of(transaction, state.number, state.list, view.after)
    if not view.asked:
        return late
    return merged(late, ledger.among(transaction, state.number, view.asked), _number)


def _known(view: View, output: Output) -> Iterable[LedgerEntry]:
    """Return the ledger's records, without what a target refused that may be asked again.

    One that is read back tells what it has; where it cannot be, that is at the same intervals.
    """
    if output.target.readable or not view.scope.verifies:
        return _written(view)
    return (one for one in _written(view) if one.mark != LedgerState.REJECTED)


def _confirmed(plan: Plan, view: View) -> dict[int, int]:
    """Return what the target had confirmed of what the plan writes, and would have to have."""
    store, transaction = view.store, view.transaction
    rewritten = [*plan.add.numbers, *plan.update.numbers]
    confirmed = store.ledger.confirmed_among(transaction, view.output, rewritten)
    for number in store.ends.passed(transaction, view.output, rewritten, view.now):
        confirmed.pop(number, None)  # the target ended it, as it was told
    for number in plan.update.numbers:
        if number in view.due:
            confirmed.pop(number, None)
    return confirmed
