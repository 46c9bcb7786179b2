"""One cycle of a list (refresh) and of an output (propose, apply)."""

from collections.abc import Callable
from functools import partial

from connector.store.lists.entry_rows import RefreshResult
from connector.store.lists.lists import ListStore
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult
from connector.sync.holding import within_limits
from connector.sync.listing import Listing
from connector.sync.output import Output
from connector.sync.planning import contact, draft, look
from connector.sync.progress import finish, intend, prepare, record
from connector.sync.proposal import Proposal
from connector.sync.view import Scope


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


def propose(output: Output, store: Store, scope: Scope, now: int, *, ahead: int = 0) -> Proposal:
    """Return the plan from what the target holds to what the list wants; write nothing.

    What breaks a limit is set aside; `ahead` is by how much the clock ran away since the last
    cycle: time that did not pass ends nothing, and makes nothing due.

    Raises UndecidedError while the list is being decided, as half a list would pass the limits
    piece by piece, and if a feed has just changed an entry that others may still claim; StoreError
    if many removals are unexplained and the state is damaged.
    """
    met = contact(output, store, scope, now, ahead)
    with store.database.read() as transaction:
        view = look(output, store, transaction, met)
        drafted = draft(output, view, met)
    plan = drafted.without_others(output.target)
    plan, aside = within_limits(plan, drafted, output, jumped=ahead > 0)
    return drafted.proposal(plan, aside, met)


def apply(proposal: Proposal, output: Output, applier: Applier) -> ApplyResult:
    """Write the part of a plan that goes on; return the result."""
    applied, crowding = ApplyResult(), output.crowding()
    prepare(proposal, output, applier)
    if not (proposal.aside.stops or proposal.plan.empty):
        proposal = intend(proposal, output, applier)
        for batch in output.target.write(proposal, applier):
            applied += record(batch, proposal, output, applier)
            crowding.note(batch)
    elif proposal.state.inactive and not proposal.aside.stops:
        output.target.activate(proposal.state, applier)
    if not proposal.aside.stops:
        output.target.flush()
    finish(proposal, output, applier, applied, crowding)
    return applied
