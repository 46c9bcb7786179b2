"""One cycle of a list (refresh) and of an output (propose, apply)."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any, Final

from connector.decisions.decide import CODES
from connector.decisions.holds import Standing
from connector.decisions.plan import LedgerEntry, Plan, diff
from connector.decisions.set_aside import SetAside, set_aside
from connector.instants import span
from connector.model import Reason
from connector.store.lists.entry_rows import RefreshResult
from connector.store.lists.lists import ListStore
from connector.store.outputs.ledger import Ledger
from connector.store.outputs.outputs import OutputState
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.apply import Applier, ApplyResult, RemovedBatch
from connector.sync.crowding import Crowding
from connector.sync.drift import NO_DRIFT, Drift, drift_of
from connector.sync.holding import allowlisted, emptied_feeds, with_all_that_waits
from connector.sync.listing import Listing
from connector.sync.output import Output
from connector.sync.proposal import EVERYTHING, Proposal, Scope
from connector.sync.returned import FormerOurs
from connector.sync.rolling import Turn, all_early, drop_turns, keep_turns, turn_of, wait_for_turn
from connector.sync.targets.target import Target, merged

_number: Final = attrgetter("observable")
_FEW: Final = 100  # more unexplained removals are trusted only if the state is sound


def refresh(
    listing: Listing,
    store: ListStore,
    *,
    everything: bool,
    now: int,
    progress: Callable[[int], None] = lambda _considered: None,
) -> RefreshResult:
    """Decide again on what changed, or on everything; return what came and went."""
    decided = partial(listing.decide, now=now)
    return store.refresh(listing.number, decided, everything=everything, now=now, progress=progress)


def propose(
    output: Output,
    store: Store,
    scope: Scope,
    now: int,
    *,
    jumped: bool = False,
    heeds_stamp: bool = True,
    looks_at_held: bool = False,
) -> Proposal:
    """Return the plan from what the target holds to what the list wants; write nothing.

    What breaks a limit is set aside; `jumped` says that the clock ran away since the last cycle.
    `looks_at_held` asks for all that waits to be removed, and where entries are one row for all
    that is there: the allowlist may have changed for it.
    Where the target has forgotten or others changed it since our last cycle, as its stamp tells,
    the scope becomes everything; without `heeds_stamp` the target is not asked for it.

    Raises UndecidedError while the list is being decided, as half a list would pass the limits
    piece by piece, and if a feed has just changed an entry that others may still claim; StoreError
    if many removals are unexplained and the state is damaged.
    """
    listing, target, ledger = output.listing, output.target, store.ledger
    target.heed(listing, now)
    if looks_at_held and target.folds:  # also what stands may be protected by now
        scope = replace(scope, everything=True)
    state = store.outputs.open(output.name, listing.number)
    if state.setup != output.setup:  # under other options the target may take more at once
        state = replace(state, largest_batch=None)
    stamp = target.stamp() if heeds_stamp or scope.verifies else None
    surprised = heeds_stamp and not scope.verifies and stamp != state.stamp
    scope = EVERYTHING if surprised else scope
    present = target.snapshot(store) if scope.verifies else None
    turn = turn_of(output, store, now)
    with store.database.read() as transaction:
        target.expect_decided(listing, store, transaction)
        seq = store.wanted.list_seq(transaction, state.list)
        bounds = output.bounds(store, transaction, state, probing=scope.verifies)
        needed = target.folds or bounds.least is not None
        early = all_early(turn, state, store, transaction, needed=needed)
        room = output.room(store, transaction, state, bounds, early)
        if room is not None:
            scope = replace(scope, everything=True)  # the lowest rank that fits may have changed
        after = None if scope.everything else state.seq
        asked, due, turned = _asked(
            target, store, transaction, state, after, now, turn, removals=looks_at_held
        )
        waits = early
        if target.folds:  # what is not written carries no row
            waits = store.holds.additions(transaction, state.number, now).union(early)
        fold = target.fold(
            store, transaction, state, after=after, room=room, asked=asked, waiting=waits
        )
        if fold is not None:
            asked = () if after is None else sorted({*asked, *fold.rows})
        former = FormerOurs.of(target, store, transaction, state, present, now)
        if fold is not None and present is not None:
            fold.spread(present, former.rows)
        looked = store.holds.look(transaction, state, after, asked, now)
        standing = looked.standing()
        if after is not None and standing.replaces is False:
            after = seq  # nothing may be written until the target is read again
        returned = former.returned(fold, store, transaction, state, present)
        window = store.counted.window(transaction, state.number, now - span(output.limits.window))
        plan = diff(
            output.name,
            scope.name,
            target.wanted(listing, store, transaction, after, room, asked, fold),
            merged(_written(ledger, transaction, state, after, asked), returned, _number),
            why_not={
                **ledger.dropped(transaction, state, everything=scope.everything),
                **store.wanted.reasons_among(
                    transaction, state.list, sorted({*asked, *map(_number, returned)})
                ),
            },
            present=present,
            before=ledger.owned(transaction, state.number),
            renews=target.ours_alone and state.setup != output.setup and scope.verifies,
            due=due,
        )
        plan, in_rollout = wait_for_turn(
            plan, turn, state, store, transaction, after=after, due=turned
        )
        # What changed options or a person asked for is our doing.
        asked_for = present is None or state.setup != output.setup or standing.replaces
        drift = (
            NO_DRIFT if asked_for else _drift(plan, store, transaction, state, returned, due, now)
        )
    if present is None:
        new = plan.add.without(standing.held_add).numbers
        plan = plan.without(target.put_by_others(new, state, store, fold))
    divide = partial(
        set_aside, limits=output.limits, now=now, window=window, standing=standing,
        emptied=emptied_feeds(plan, standing, listing, state, store), capacity=bounds.whole,
        jumped=jumped,
    )  # fmt: skip
    plan, aside = _divided(plan, divide, standing, output, store, now)
    handles = present.handles if present is not None else {}
    mended = NO_DRIFT if aside.stops else drift
    return Proposal(
        plan,
        aside,
        listing,
        state,
        seq,
        scope,
        room,
        stamp,
        surprised,
        mended,
        handles,
        fold,
        now,
        looked,
        in_rollout,
    )


def _asked(
    target: Target[Any],
    store: Store,
    transaction: Transaction,
    state: OutputState,
    after: int | None,
    now: int,
    turn: Turn | None,
    *,
    removals: bool,
) -> tuple[Sequence[int], Collection[int], Sequence[int]]:
    """Return what a cycle looks at beside what changed, and of that what ends and whose turn it is.

    A cycle of everything looks at that anyway.
    """
    due = target.due(store, transaction, state, after, now)
    if after is None:
        return (), due, ()
    held = store.holds.asked(transaction, state.number, now, removals=removals)
    turned = store.rollouts.due(transaction, state.number, turn.until) if turn else []
    return sorted({*held, *due, *turned}), due, turned


def _divided(
    plan: Plan,
    divide: Callable[[Plan], SetAside],
    standing: Standing,
    output: Output,
    store: Store,
    now: int,
) -> tuple[Plan, SetAside]:
    """Return a plan with what of it goes on; what the allowlist wants gone never waits."""
    aside = divide(plan)
    if freed := allowlisted(aside.kept, output.target, output.listing, store, now):
        plan = replace(plan, remove=plan.remove.because(freed, CODES[Reason.ALLOWLISTED]))
        aside = divide(plan)
    if plan.unasked(standing.held_remove) > _FEW:
        with store.database.read() as transaction:
            store.soundness.expect_sound(transaction)
    return plan, aside


def _written(
    ledger: Ledger,
    transaction: Transaction,
    state: OutputState,
    after: int | None,
    asked: Sequence[int],
) -> Iterable[LedgerEntry]:
    """Return the ledger's records of what is in scope, and of what is asked for beside it."""
    if after is None:
        return ledger.written(transaction, state.number)
    late = ledger.written_of(transaction, state.number, state.list, after)
    if not asked:
        return late
    return merged(late, ledger.among(transaction, state.number, asked), _number)


def _drift(
    plan: Plan,
    store: Store,
    transaction: Transaction,
    state: OutputState,
    returned: Iterable[LedgerEntry],
    due: Collection[int],
    now: int,
) -> Drift:
    rewritten = [*plan.add.numbers, *plan.update.numbers]
    confirmed = store.ledger.confirmed_among(transaction, state.number, rewritten)
    for number in store.ends.passed(transaction, state.number, rewritten, now):
        confirmed.pop(number, None)  # the target ended it, as it was told
    for number in plan.update.numbers:
        if number in due:
            confirmed.pop(number, None)
    return drift_of(plan, confirmed, frozenset(map(_number, returned)))


def apply(proposal: Proposal, output: Output, applier: Applier) -> ApplyResult:
    """Write the part of a plan that goes on; return the result."""
    plan, state, store, now = proposal.plan, proposal.state, applier.store, applier.now
    applied, verified = ApplyResult(), proposal.scope.verifies
    crowding = Crowding(output.adapter, output.target.folds, output.target.ours_alone)
    anew = verified and state.setup != output.setup
    if anew:
        store.outputs.note_batch(state.number, None)
    store.ledger.mark(state, plan, now())
    if proposal.aside.stops or plan.empty:
        store.ledger.keep_handles(state, proposal.handles)
    if proposal.aside.stops:  # what changed meanwhile is looked at once the list may be replaced
        read = replace(state, setup=output.setup, stamp=proposal.stamp) if verified else state
        store.outputs.finish(read, state.seq, verified=verified, now=now())
        return applied
    _keep_rows(proposal, store)
    keep_turns(proposal, store)
    if not plan.empty:
        proposal = with_all_that_waits(proposal, output, store)
        since = now() - span(output.limits.window)
        store.counted.count(state.number, proposal.aside.counted, now(), since)
        again = output.target.judged_anew(plan)
        whole = proposal.scope.everything or bool(again)
        # Before writing: what may have been written stays ours after a crash.
        store.ledger.intend(
            state,
            plan,
            now(),
            whole=whole,
            judged_anew=again,
            kept={*proposal.aside.kept, *proposal.aside.withheld},
        )
        store.ledger.keep_handles(state, proposal.handles)  # also of what came back
        for batch in output.target.write(proposal, applier):
            if isinstance(batch, RemovedBatch) and not output.target.ours_alone:
                store.former.note(state.number, batch.numbers, now())
            output.target.note_ends(batch, state, store, now())
            applied += applier.record(output.name, proposal, batch)
            crowding.note(batch)
    elif state.inactive:
        output.target.activate(state, applier)
    output.target.keep_protections(state, store, whole=proposal.scope.everything)
    stamp = state.stamp
    if proposal.knows_the_target:
        stamp = proposal.stamp if plan.empty else output.target.stamp()
    roomy = crowding.settle(state, store, now(), anew=anew, probed=verified)
    if applied.later:  # the next cycle looks again at all that this one looked at
        at = None if proposal.scope.everything else state.verified_at
        not_yet = replace(state, verified_at=at, stamp=stamp)
        store.outputs.finish(not_yet, state.seq, verified=False, now=now())
        return applied
    drop_turns(proposal, store)
    done = replace(state, seq=proposal.seq, setup=output.setup, stamp=stamp)
    if roomy and not anew:  # what was over capacity is offered in the next cycle
        done, verified = replace(done, verified_at=None), False
    if verified or not plan.empty or done != replace(state, setup=output.setup):
        store.outputs.finish(done, proposal.seq, verified=verified, now=now())
    return applied


def _keep_rows(proposal: Proposal, store: Store) -> None:
    """Keep which entries are one row, before they are written."""
    fold, adding = proposal.fold, proposal.plan.add.numbers
    if fold is not None and (fold.whole or adding):
        rows = fold.rows if fold.whole else {number: fold.rows[number] for number in adding}
        store.folds.keep(proposal.state.number, rows, whole=fold.whole)
