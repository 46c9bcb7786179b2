"""What a cycle asks about changes that wait, or would wait, for a person."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any, Final

from connector.decisions.holds import Standing
from connector.decisions.plan import Plan
from connector.decisions.records import CODES
from connector.decisions.set_aside import SetAside, doubtful_feeds, set_aside
from connector.instants import to_datetime
from connector.model import Observable, Reason
from connector.store.outputs.held_changes import all_waiting
from connector.store.outputs.outputs import OutputState
from connector.store.outputs.rollouts import all_in_rollout
from connector.store.store import Store
from connector.sync.listing import Listing
from connector.sync.output import Output
from connector.sync.planning import Draft
from connector.sync.proposal import Proposal
from connector.sync.targets.target import Target

_FEW: Final = 100  # more unexplained removals are trusted only if the state is sound


def within_limits(
    plan: Plan, drafted: Draft, output: Output, *, jumped: bool
) -> tuple[Plan, SetAside]:
    """Return a plan with what of it goes on; what the allowlist wants gone never waits.

    Raises StoreError if many removals are unexplained and the state is damaged.
    """
    view, standing = drafted.view, drafted.looked.standing()
    listing, store = view.listing, view.store
    divide = partial(
        set_aside, limits=output.limits, now=view.now, window=drafted.window, standing=standing,
        emptied=emptied_feeds(plan, standing, listing, view.state, store), capacity=view.capacity,
        jumped=jumped,
    )  # fmt: skip
    aside = divide(plan)
    if freed := allowlisted(aside.kept, output.target, listing, store, view.now):
        remove = plan.remove.because(freed, CODES[Reason.ALLOWLISTED])
        plan = replace(plan, add=plan.add.without(freed), remove=remove)
        aside = divide(plan)
    if plan.unasked(standing.held_remove) > _FEW:
        with store.database.read() as transaction:
            store.soundness.expect_sound(transaction)
    return plan, aside


def emptied_feeds(
    plan: Plan, standing: Standing, listing: Listing, state: OutputState, store: Store
) -> dict[int, str]:
    """Return the feeds of which the list wants nothing any more, though nobody took it back.

    A feed that the file no longer names is none of them: a person took it out.
    """
    defaults = listing.policy.defaults
    doubtful = {
        feed
        for feed in doubtful_feeds(plan, standing)
        if feed not in defaults or defaults[feed].configured
    }
    if not doubtful:
        return {}
    with store.database.read() as transaction:
        gone = [
            feed
            for feed in sorted(doubtful)
            if not store.wanted.brings(transaction, state.list, feed)
        ]
    names = store.feeds() if gone else {}
    return {feed: names.get(feed, str(feed)) for feed in gone}


def allowlisted(
    kept: Collection[int], target: Target[Any], listing: Listing, store: Store, now: int
) -> set[int]:
    """Return what must go at once, of what would wait, for a reason of its claims.

    It is protected itself, or its row at the target would stop what is.
    """
    if not kept:
        return set()
    allowlist, moment, purpose = listing.allowlist(), to_datetime(now), listing.policy.purpose
    with store.database.read() as transaction:
        return {
            number
            for number, one in store.wanted.observables_of(transaction, sorted(kept))
            if isinstance(one, Observable)
            and (allowlist.protects(one, moment, purpose) or target.protection(one)) is not None
        }


def with_all_that_waits(proposal: Proposal, output: Output, store: Store) -> Proposal:
    """Return the proposal with all that waits, where one write concerns more than its entry.

    So it is where a whole list is written at once, and where entries are one row.
    """
    if not (proposal.looked.live or proposal.in_rollout) or not (
        output.target.ours_alone or output.target.folds
    ):
        return proposal
    with store.database.read() as transaction:
        add, remove = all_waiting(transaction, proposal.state.number)
        if proposal.in_rollout is not None:
            add |= all_in_rollout(transaction, proposal.state.number)
    aside, going = proposal.aside, proposal.plan
    whole = aside._replace(
        withheld=add.difference(going.add.numbers).union(aside.withheld),
        kept=remove.difference(going.remove.numbers).union(aside.kept),
    )
    return replace(proposal, aside=whole)
