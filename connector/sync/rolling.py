"""Staged roll-out: what is new reaches an output once it has stood at another one for a while."""

from collections.abc import Collection
from dataclasses import replace

from connector.decisions.plan import AGAIN, Plan
from connector.store.outputs.rollouts import Turn
from connector.store.store import Store
from connector.sync.output import Output
from connector.sync.proposal import InRollout, Proposal
from connector.sync.view import View


def turn_of(output: Output, store: Store, now: int, ahead: int) -> Turn | None:
    """Return for which output this one waits; None where it waits for none.

    `ahead` is by how much the clock ran away since the last cycle.
    """
    if output.rollout is None:
        return None
    first = store.outputs.open(output.rollout.after, output.listing.number)
    return Turn(first.number, now - output.rollout.wait, ahead)


def all_early(view: View, *, needed: bool) -> Collection[int]:
    """Return all that the list wants and whose turn has not come, where a cycle needs to know."""
    if view.turn is None or not needed:
        return frozenset()
    return view.store.rollouts.all_early(view.transaction, view.state, view.turn)


def wait_for_turn(plan: Plan, view: View) -> tuple[Plan, InRollout | None]:
    """Return the plan without the additions whose turn has not come, and these.

    What the list wanted when the output was new belongs to its first fill, which breaks no limit,
    also where its turn comes later.
    """
    turn, rollouts, add = view.turn, view.store.rollouts, plan.add
    if turn is None:
        return plan, None
    pairs = zip(add.numbers, add.causes, strict=True)
    new = [number for number, cause in pairs if cause != AGAIN]
    waiting = frozenset(rollouts.early(view.transaction, view.output, turn, new))
    add = add.without(waiting)
    released = [number for number in new if number not in waiting] if plan.before else []
    if first := rollouts.first_fill(view.transaction, view.state, released):
        add = add.because(first, AGAIN)
    known = frozenset(view.turned).union(rollouts.known(view.transaction, view.state, view.after))
    return replace(plan, add=add), InRollout(turn, waiting, known - waiting)


def keep_turns(proposal: Proposal, store: Store) -> None:
    """Keep what waits, before the rest is written."""
    if (rolling := proposal.in_rollout) is not None:
        store.rollouts.keep(proposal.state.number, rolling.turn, rolling.waiting, proposal.now)


def drop_turns(proposal: Proposal, store: Store) -> None:
    """Forget what has waited, once all that was due is written."""
    if (rolling := proposal.in_rollout) is not None:
        store.rollouts.drop(proposal.state.number, rolling.gone)
    elif proposal.scope.everything:
        store.rollouts.clear(proposal.state.number)
